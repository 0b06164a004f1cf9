"""One vault: its file, its keys, its secrets and its connections."""

from __future__ import annotations

from pathlib import Path

from drawloom.vault.connections import Connections
from drawloom.vault.keys import Keys
from drawloom.vault.root_key import RootKeyPlace
from drawloom.vault.secrets import Secrets
from drawloom.vault.store import Store


class Vault:
    """The vault in *folder*. Making one reads nothing; the first change makes its file."""

    def __init__(self, folder: Path, root_key: RootKeyPlace) -> None:
        self.root_key = root_key
        self.store = Store(folder)
        self.keys = Keys(self.store, root_key)
        self.secrets = Secrets(self.store, self.keys)
        self.connections = Connections(self.store, self.keys)

    def close(self) -> None:
        """Close its file, which is opened again when it is needed."""
        self.store.close()
