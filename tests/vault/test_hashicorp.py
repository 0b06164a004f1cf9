"""Secrets of an outside vault, on a real OpenBao."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.servers.openbao import OpenBao

from drawloom.doors import Doors, Reach
from drawloom.errors import ConnectionUnusable
from drawloom.sdk import Secret
from drawloom.vault import Hashicorp

pytest.importorskip("aiohttp")
READER = 'path "secret/data/app/*" { capabilities = ["read"] }'
VALUE = "p\"ä/+ \\n{}'"


@pytest.fixture
def written(openbao: OpenBao) -> OpenBao:
    for path in ("secret/data/app/db", "secret/data/other"):
        openbao.ask("POST", path, {"data": {"password": VALUE, "port": 5432}})
    openbao.ask("POST", "kv1/db", {"password": "version one"})
    openbao.ask("PUT", "sys/policies/acl/reader", {"policy": READER})
    return openbao


def server(openbao: OpenBao, tmp_path: Path, token: str | None = None, **more: Any) -> Hashicorp:
    """The server as settings know it; its token is in a file."""
    if "role_id" not in more:
        (tmp_path / "token").write_text(token or openbao.token)
        more["token"] = Secret(file=str(tmp_path / "token"))
    return Hashicorp(openbao.address, network=Reach.PRIVATE, **more)


async def test_a_field_of_either_version_of_kv_is_read(written: OpenBao, tmp_path: Path) -> None:
    made = server(written, tmp_path)
    assert await made.value("secret/data/app/db#password", Doors()) == VALUE
    assert await made.value("kv1/db#password", Doors()) == "version one"


async def test_a_new_version_is_given_at_once(written: OpenBao, tmp_path: Path) -> None:
    made = server(written, tmp_path)
    written.ask("POST", "secret/data/app/db", {"data": {"password": "rotated"}})
    assert await made.value("secret/data/app/db#password", Doors()) == "rotated"


async def test_an_app_role_signs_in_and_reads_what_its_policy_allows(
    written: OpenBao, tmp_path: Path
) -> None:
    written.ask("POST", "auth/approle/role/loom", {"token_policies": ["reader"]})
    role = written.ask("GET", "auth/approle/role/loom/role-id")["data"]["role_id"]
    secret = written.ask("POST", "auth/approle/role/loom/secret-id")["data"]["secret_id"]
    (tmp_path / "id").write_text(secret)
    made = server(written, tmp_path, role_id=role, secret_id=Secret(file=str(tmp_path / "id")))
    assert await made.value("secret/data/app/db#password", Doors()) == VALUE
    with pytest.raises(ConnectionUnusable, match=r"secret/data/other: 403, the token or the role"):
        await made.value("secret/data/other#password", Doors())
    (tmp_path / "id").write_text("not-the-secret-id")
    with pytest.raises(ConnectionUnusable, match="auth/approle/login: 400") as raised:
        await made.value("secret/data/app/db#password", Doors())
    assert "not-the-secret-id" not in str(raised.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("secret/data/app/none#password", "404, there is nothing there"),
        ("secret/app/db#password", "40[34], "),
        ("secret/data/app/db#user", "has no field 'user'"),
        ("secret/data/app/db#port", "the field 'port' is no text"),
        ("secret/data/app/db", "write PATH#FIELD"),
        ("secret/data/app/../../../sys/seal#x", "dot segment"),
        ("//evil.example/x#y", "307, it does not give it"),
    ],
)
async def test_what_is_not_there_is_named(
    written: OpenBao, tmp_path: Path, reference: str, message: str
) -> None:
    with pytest.raises(ConnectionUnusable, match=message):
        await server(written, tmp_path).value(reference, Doors())


async def test_a_wrong_token_is_refused_and_not_repeated(written: OpenBao, tmp_path: Path) -> None:
    made = server(written, tmp_path, token="hvs.not-a-token")
    with pytest.raises(ConnectionUnusable, match="403, the token") as raised:
        await made.value("secret/data/app/db#password", Doors())
    assert "hvs." not in str(raised.value) + repr(made)


async def test_a_server_that_is_not_there_is_named() -> None:
    made = Hashicorp("http://127.0.0.1:1", token=Secret(env="PATH"), network=Reach.PRIVATE)
    with pytest.raises(ConnectionUnusable, match=r"http://127\.0\.0\.1:1: Connect"):
        await made.value("secret/data/x#y", Doors())


async def test_loopback_is_closed_unless_the_settings_open_it(written: OpenBao) -> None:
    made = Hashicorp(written.address, token=Secret(env="PATH"))
    with pytest.raises(ConnectionUnusable, match="may not be reached"):
        await made.value("secret/data/x#y", Doors())
