"""That a missing server is said loudly, and that one can be had without anybody's help."""

from __future__ import annotations

import pytest
from tests.servers.lookup import free_port, listening, missing
from tests.servers.postgresql import start_postgresql
from tests.servers.redis import start_redis


def test_a_missing_server_skips_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"NO TAPESTRY.*apt-get install tapestry"):
        missing("tapestry", "apt-get install tapestry")


def test_a_missing_server_fails_where_everything_is_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="NO TAPESTRY"):
        missing("tapestry", "apt-get install tapestry")


def test_nothing_listens_on_a_free_port() -> None:
    assert not listening("127.0.0.1", free_port())


async def test_a_server_can_be_started_and_leaves_nothing() -> None:
    with start_postgresql() as server:
        connection = await server.connect()
        assert await connection.fetchval("SELECT current_user") == "postgres"
        await connection.close()
    assert not listening(server.host, server.port)


async def test_a_database_of_its_own(postgresql_server, postgresql) -> None:  # type: ignore[no-untyped-def]
    connection = await postgresql_server.connect(postgresql["database"])
    assert await connection.fetchval("SELECT count(*) FROM pg_stat_user_tables") == 0
    await connection.close()


def test_a_redis_can_be_started_and_leaves_nothing() -> None:
    with start_redis(password="canary") as server:
        assert server.ask("PING")
    assert not listening(server.host, server.port)
