"""The contract of every connector."""

from __future__ import annotations

import pytest

from drawloom.connectors.web.http import HttpConnection
from drawloom.connectors.web.http import connector as http
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = http

    def test_secrets_are_never_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the contract has it, for secrets that stand inside `auth` and `headers`."""
        monkeypatch.setenv("DRAWLOOM_CONTRACT", "canary-4f1c")
        secret = {"env": "DRAWLOOM_CONTRACT"}
        for auth in (
            {"type": "bearer", "token": secret},
            {"type": "basic", "user": "me", "password": secret},
            {"type": "api_key", "key": secret},
        ):
            settings = {"base_url": "https://x.test", "auth": auth, "headers": {"X-A": secret}}
            made = HttpConnection.model_validate(settings)
            opened = made._credential()
            assert "canary-4f1c" in str(opened.headers)
            for shown in (repr(made), str(made), made.model_dump_json(), repr(opened)):
                assert "canary-4f1c" not in shown
