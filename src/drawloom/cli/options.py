"""The options that several commands share."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

if TYPE_CHECKING:
    from drawloom.project import Project

AsJson: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        help="One JSON document on stdout; the rest on stderr.",
    ),
]
ProjectFolder: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--project",
        help="The project's folder; else the nearest drawloom.toml upward from here.",
    ),
]
StateFolder: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--state",
        help="The state directory; else the project's own, where the vault is in any case.",
    ),
]
Inputs: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name=("--input", "-i"),
        negative="",
        help="NAME=VALUE, once for each field; VALUE is read by the field's type.",
    ),
]
InputJson: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--input-json",
        allow_leading_hyphen=True,
        help="The whole input as JSON, or @FILE, or - for stdin.",
    ),
]
Binds: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name=("--bind", "-b"),
        negative="",
        help="SLOT=NAME of a stored connection, or SLOT=KIND:key=value,key=value.",
    ),
]
DurabilityChoice: TypeAlias = Annotated[
    Literal["full", "relaxed", "memory"] | None,
    Parameter(
        help="full: synced to disk first; relaxed: a power failure may lose the last moments; "
        "memory: nothing is kept."
    ),
]
RunId: TypeAlias = Annotated[str, Parameter(name="ID", help="A run's id, or the start of it.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Beginnings:
    """How a run begins, besides its input, and how long it is waited for."""

    id: Annotated[
        str | None,
        Parameter(help="The id of the run; else one is made. An id is used once."),
    ] = None
    wait: Annotated[
        bool,
        Parameter(negative="", help="Wait for people and signals, too, until the run is over."),
    ] = False
    key: Annotated[
        str | None,
        Parameter(help="A start key: a second start with it gives the first run."),
    ] = None
    pin: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="STEP=JSON or STEP=@FILE: the step gives this, and is not called.",
        ),
    ] = None
    to: Annotated[
        str | None, Parameter(help="Run this step and what it rests on, and no other.")
    ] = None
    only: Annotated[
        list[str] | None,
        Parameter(negative="", help="Run only these steps; what they need has to be pinned."),
    ] = None


def project_of(folder: Path | None, chain: Path | None = None) -> Project:
    """The project of *folder*; else that of the chain's file, else that of this folder."""
    from drawloom.project import Project

    if folder is not None:
        from drawloom.errors import ValueInvalid

        if not folder.is_dir():
            raise ValueInvalid(f"--project {folder}: there is no such folder")
        return Project.find(folder)
    if chain is not None:
        near = Project.find(chain.absolute().parent)
        if near.file is not None:
            return near
    return Project.find(Path())


def options_for(project: Project, given: Path | None, state: Path | None) -> str:
    """What a later command needs to find this state again."""
    from drawloom.project import Project

    if state is not None:
        return f" --state {quote(str(state))}"
    if given is None and Project.find(Path()).folder == project.folder:
        return ""
    with suppress(ValueError):
        return f" --project {quote(str(project.folder.relative_to(Path().absolute())))}"
    return f" --project {quote(str(project.folder))}"
