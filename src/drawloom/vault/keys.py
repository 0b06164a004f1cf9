"""The ring at rest: made at the first use, rotated, and what it sealed sealed anew."""

from __future__ import annotations

import time

from drawloom.errors import VaultUnusable
from drawloom.vault.keyring import Ring, Wrapped, new_wrapped, open_ring, wrapped_by
from drawloom.vault.proofs import prove_anew
from drawloom.vault.root_key import RootKeyPlace, name_of
from drawloom.vault.store import Principal, Store

_AT_ONCE = 100  # rows in one transaction


class Keys:
    """The ring of one vault, opened with the root key when it is first needed."""

    def __init__(self, store: Store, place: RootKeyPlace) -> None:
        self._store = store
        self._place = place
        self._root: bytes | None = None

    def opened(self) -> Ring:
        """The ring as it is now. Raises `VaultUnusable`."""
        while kept := self._kept():
            root = self._root_key(kept[0].root)
            if name_of(root) == kept[0].root or kept == self._kept():
                return open_ring(kept, root, name_of)
            # Between the two looks, another process has rotated the root key.
        raise VaultUnusable("the vault has no keys; nothing was ever set in it")

    def opened_or_made(self) -> Ring:
        """The ring; a vault without one gets a ring, and a root key if there is none."""
        if not self._kept():
            self._root = self._place.read() or self._place.make()
            with self._store.changing():
                if not self._kept():  # no other process was first
                    self._add(Principal.of_this_process(), "made key")
        return self.opened()

    def again(self, ring: Ring) -> Ring:
        """*ring*, or the one of now where it has changed; within a change nobody else can."""
        now = {kept.id: kept.primary for kept in self._kept()}
        if now == {id: id == ring.primary for id in ring.keys}:
            return ring
        return self.opened()

    def rotate(self, principal: Principal) -> str:
        """Add a key that seals what is new from now on; its id."""
        self.opened_or_made()
        with self._store.changing():
            return self._add(principal, "rotated key")

    def rotate_root(self, principal: Principal) -> str:
        """Close the ring with a new root key; the name of that. Raises `ValueInvalid`.

        Whenever it is killed, there is a key, the old one or the new one, that opens all.
        """
        self.opened()  # which makes nothing where there is nothing
        with self._store.changing():
            self._settle()
            ring = self.opened()
            root = self._place.make_next()
            if name_of(root) != self._kept()[0].root:  # of the environment, it may be in use
                for id, key in ring.keys.items():
                    made = wrapped_by(root, name_of(root), id, key, primary=id == ring.primary)
                    self._store.rows("wrap_key", made.root, made.wrapped, id)
                self._store.audit(principal, "rotated root key", name_of(root))
        with self._store.changing():
            self._settle()
        return name_of(root)

    def _settle(self) -> None:
        """End a rotation of the root key, this one or one that was interrupted; within a change."""
        following = self._place.next.read()
        if following is None:
            return
        if [kept.root for kept in self._kept()][:1] == [name_of(following)]:
            self._place.take_next()
        else:
            self._place.drop_next()

    def rewrap(self, principal: Principal) -> tuple[int, list[str]]:
        """Seal every data key with the primary key; how many, and the keys dropped thereby.

        What is done so far stays done: it goes on where it was interrupted.
        """
        count = 0
        while done := self._rewrap_some():
            count += done
        with self._store.changing():
            dropped = [row[0] for row in self._store.rows("drop_unused_keys")]
            self._store.audit(principal, "rewrapped", f"{count} data keys")
        return count, dropped

    def _rewrap_some(self) -> int:
        with self._store.changing():
            ring = self.opened()
            rows = self._store.rows("to_rewrap", ring.primary)[:_AT_ONCE]
            for tenant, name, version, key, wrapped in rows:
                belongs = ("data key", tenant, name, version)
                data = ring.unseal(key, wrapped, *belongs)
                self._store.rows("rewrap", *ring.seal(data, *belongs), tenant, name, version)
            proofs = self._store.rows("to_prove", ring.primary)[:_AT_ONCE]
            for row in proofs:
                self._store.rows("prove", *prove_anew(ring, row), row[0], row[1])
        return len(rows) + len(proofs)

    def _add(self, principal: Principal, did: str) -> str:
        root = self._root_key(next((kept.root for kept in self._kept()), None))
        made = new_wrapped(root, name_of(root))
        self._store.rows("no_primary")
        now = time.time_ns() // 1000
        self._store.rows("add_key", made.id, made.root, made.wrapped, now)
        self._store.audit(principal, did, made.id)
        return made.id

    def _root_key(self, name: str | None) -> bytes:
        """The root key of that *name*; else the one that there is, which opens nothing."""
        if name is not None and (self._root is None or name_of(self._root) != name):
            self._root = self._place.find(name)
        if self._root is None:
            raise VaultUnusable(
                f"there is no root key: {self._place} is missing, and nothing else opens "
                f"{self._store.path}; restore it"
            )
        return self._root

    def _kept(self) -> list[Wrapped]:
        rows = self._store.rows("keys")
        return [Wrapped(id, root, blob, bool(main)) for id, root, blob, main, _ in rows]
