"""Failed attempts at rest: by account, by address. What the store keeps is bounded."""

from __future__ import annotations

from typing import Final

from drawloom.access.principal import Principal
from drawloom.access.store import Store
from drawloom.access.throttling import Attempts, Rule, bucket, failed, told, undone, wait

_KEY: Final = "attempts"
_KEPT: Final = 24 * 3600 * 1_000_000


class Counting:
    """The states of `throttling`. A known account has its own; the others share 65,536 a kind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def account(self, tenant: str, user: str | None, login: str) -> str:
        """The key of an account; an unknown name has one too, and tells nothing by it."""
        return f"user:{user}" if user else bucket(self._secret(tenant), "name", login)

    def address(self, principal: Principal, kind: str = "address") -> str:
        """The key of where somebody is."""
        return bucket(self._secret(principal.tenant), kind, principal.origin.network)

    def admit(self, tenant: str, *keys: tuple[str, Rule]) -> tuple[int, bool]:
        """Count an attempt under each key, as failed until `undo`.

        Gives 0, or how long to wait (microseconds), where it is not counted; and whether
        it should be written down: of those that wait, the first.
        """
        with self._store.changing():
            now = self._store.now()
            known = [(key, rule, self._read(tenant, key)) for key, rule in keys]
            waits = [wait(rule, state, now) for _, rule, state in known]
            if not any(waits):
                for key, rule, state in known:
                    self._write(tenant, key, failed(rule, state, now))
                self._store.rows("drop_attempts", now - _KEPT)
                return 0, True
            new = [k for k, pause in zip(known, waits, strict=True) if pause and not k[2].told]
            for key, _, state in new:
                self._write(tenant, key, told(state))
            return max(waits), bool(new)

    def undo(self, tenant: str, account: str, address: str) -> None:
        """It was good: the account begins anew, and the address has one failure less."""
        with self._store.changing():
            self._store.rows("drop_attempt", tenant, account)
            self._write(tenant, address, undone(self._read(tenant, address), self._store.now()))

    def _read(self, tenant: str, key: str) -> Attempts:
        row = self._store.row("attempts", tenant, key)
        return Attempts(row[0], row[1], row[2], bool(row[3])) if row else Attempts()

    def _write(self, tenant: str, key: str, state: Attempts) -> None:
        row = (state.failures, state.until, state.last, int(state.told))
        self._store.rows("put_attempts", tenant, key, *row)

    def _secret(self, tenant: str) -> bytes:
        """A random key, made once, so that nobody can choose what falls together."""
        row = self._store.row("setting", tenant, _KEY)
        if row is None:
            self._store.rows("add_setting", tenant, _KEY, self._store.entropy(32))
            row = self._store.row("setting", tenant, _KEY)
        return bytes(row[0])
