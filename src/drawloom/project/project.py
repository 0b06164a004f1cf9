"""One project: what is found in its folder, and what is made from it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from drawloom.chains import Chain, Plan, compile_chain, load
from drawloom.chains.findings import Finding, did_you_mean, errors_of
from drawloom.chains.narrowing import Described
from drawloom.chains.reading import Limits
from drawloom.doors import Doors
from drawloom.drivers.embedded import STORE, Engine
from drawloom.drivers.embedded.store import open_bindings
from drawloom.errors import ChainInvalid, ConnectionUnusable, ValueInvalid
from drawloom.project.binding import Bound, bind, on_the_spot
from drawloom.project.chains import ChainFiles
from drawloom.project.own_tools import own_tools
from drawloom.project.secrets import ProjectSecrets
from drawloom.project.settings import FILE, Durability, Settings, read_settings
from drawloom.runtime import Catalogue, StoredConnection
from drawloom.vault import Principal, RootKeyPlace, Vault


class Project:
    """A folder and its settings. Making one reads nothing but `drawloom.toml`."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.settings = settings or Settings()

    @classmethod
    def find(cls, folder: Path) -> Project:
        """The project that *folder* belongs to: the nearest `drawloom.toml` upward.

        Where there is none, *folder* itself is a project with all the defaults.
        Raises `ValueInvalid` for a file that is wrong, naming the key.
        """
        start = folder.absolute()
        for place in (start, *start.parents):
            if (place / FILE).is_file():
                return cls(place, read_settings(place / FILE))
        return cls(start)

    @property
    def file(self) -> Path | None:
        """The `drawloom.toml`, or None for a project with all the defaults."""
        path = self.folder / FILE
        return path if path.is_file() else None

    @property
    def state(self) -> Path:
        """The state directory; it is made by the first engine, not before."""
        return self.folder / self.settings.state_folder

    @cached_property
    def connections(self) -> Mapping[str, StoredConnection]:
        """The connections of `drawloom.toml` and of the vault by name, secrets as references.

        Raises `ValueInvalid` where both have one of a name, or `[bind]` names one that
        neither has.
        """
        written, kept = self._written, self.secrets.connections()
        for name in written.keys() & kept.keys():
            raise ValueInvalid(
                f"there are two connections {name!r}: {self.folder / FILE} has "
                f"[connections.{name}], and {self.vault.store.path} has one; take one of them "
                f"away (`drawloom connections remove {name}`)"
            )
        found = {**written, **kept}
        for slot, name in self.settings.bind.items():
            if name not in found:
                message = f"there is no connection {name!r} {did_you_mean(name, found)}".rstrip()
                raise ValueInvalid(f"{self.folder / FILE}: bind.{slot}: {message}")
        return found

    @property
    def _written(self) -> dict[str, StoredConnection]:
        every = self.settings.connections.values()
        return {c.name: StoredConnection(c.name, c.kind, c.settings) for c in every}

    def forget(self) -> None:
        """Forget which connections there are: the vault has changed."""
        self.__dict__.pop("connections", None)

    @cached_property
    def vault(self) -> Vault:
        """The vault in the state directory; it is made by the first change, not before."""
        settings = self.settings.secrets
        file = self.state / settings.root_key_file
        keyring = settings.root_key == "keyring"
        return Vault(self.state, RootKeyPlace(file, keyring, os.environ))

    @cached_property
    def secrets(self) -> ProjectSecrets:
        """Gives connections their secrets, wherever those are kept."""
        hashicorp = self.settings.secrets.hashicorp
        return ProjectSecrets(self.vault, Principal.of_this_process(), hashicorp, self.doors)

    @property
    def doors(self) -> Doors:
        """The ways out of this project: relative paths begin in its folder."""
        return Doors(root=self.folder)

    @cached_property
    def catalogue(self) -> Catalogue:
        """All tools, the project's own included; this runs the files that `tools` names."""
        tools, connectors = own_tools(self.folder, self.settings.tools)
        on, sandbox = self.settings.code_steps, self.settings.sandbox
        return Catalogue(tools, connectors, code_steps=on, sandbox=sandbox)

    @cached_property
    def find_chain(self) -> ChainFiles:
        """Gives the project's chain of a name."""
        return ChainFiles(self.folder)

    def load_chain(self, path: Path) -> Chain:
        """The chain in the file *path*. Raises `ChainInvalid`, or `ValueInvalid` if unreadable."""
        return load(read_bytes(path), file=str(path))

    def findings(self, chain: Chain) -> tuple[Finding, ...]:
        """Everything that the static check has to say, warnings included."""
        from drawloom.chains.check import check

        return tuple(check(chain, self.catalogue, self.find_chain))

    def findings_in(self, path: Path, described: Described | None = None) -> tuple[Finding, ...]:
        """`findings` of the file *path*, what is wrong with its text included.

        *described* is what is known of the services, by slot or connector. Raises
        `ValueInvalid` where the file cannot be read.
        """
        from drawloom.chains.check import check_text

        return check_text(
            read_bytes(path), self.catalogue,
            file=str(path), find_chain=self.find_chain, described=described,
        )  # fmt: skip

    def checked_plan(self, chain: Chain) -> Plan:
        """The plan of a chain without errors; else `ChainInvalid` with the findings."""
        findings = self.findings(chain)
        if errors := errors_of(findings):
            count = f"{len(errors)} errors" if len(errors) > 1 else "an error"
            raise ChainInvalid(f"chain {chain.name} has {count}; nothing was started", findings)
        return compile_chain(chain, self.catalogue.find, find_chain=self.find_chain)

    def bindings(self, chain: Chain | Plan, overrides: Iterable[str] = ()) -> Bound:
        """Which connection each slot of *chain* uses. Raises `ConnectionUnusable` with advice."""
        slots = chain.slots if isinstance(chain, Plan) else chain.connections
        return bind(slots, overrides, self.connections, self.settings.bind, self.catalogue)

    def engine(
        self,
        durability: Durability | None = None,
        state: Path | None = None,
        *,
        recover: bool | Collection[str] = True,
        extra: Mapping[str, StoredConnection] | None = None,
    ) -> Engine:
        """An engine on this project's state, tools and connections: an async context manager.

        *extra* are connections given on the spot. Those of unfinished runs are
        made again from the text that names them.
        """
        folder = state or self.state
        again = _on_the_spot_again(folder) if recover else {}
        return Engine(
            self.catalogue,
            {**again, **self._written, **(extra or {})},
            state=folder,
            durability=durability or self.settings.durability,
            doors=self.doors,
            secrets=self.secrets,
            keep_days=self.settings.keep_days,
            policies=self.settings.policies,
            recover=recover,
            memory=self.settings.memory,
            blob_threshold=self.settings.blob_threshold,
            cgroup=self.settings.cgroup,
        )


def _on_the_spot_again(state: Path) -> dict[str, StoredConnection]:
    made: dict[str, StoredConnection] = {}
    for name in open_bindings(state / STORE):
        if ":" in name:
            try:
                made[name] = on_the_spot(name)
            except ConnectionUnusable:
                continue  # the run that wants it says so itself
    return made


def read_bytes(path: Path, most: int = Limits().bytes) -> bytes:
    """The bytes of a file, *most* and one more at most. Raises `ValueInvalid` saying what is wrong with the path."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise ValueInvalid(f"there is no file {path}{_near(path)}") from None
    except IsADirectoryError:
        raise ValueInvalid(f"{path} is a folder; name a file in it") from None
    except OSError as exc:
        raise ValueInvalid(f"cannot read {path}: {exc.strerror}") from None


def _near(path: Path) -> str:
    try:
        names = [other.name for other in path.parent.iterdir() if other.is_file()]
    except OSError:
        return ""
    advice = did_you_mean(path.name, names)
    return f"; {advice}" if advice else ""
