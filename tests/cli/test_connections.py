"""`drawloom connections`, against real servers: HTTP, and PostgreSQL with a password and TLS."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from tests.servers.postgresql import PostgresqlServer

from .conftest import Bench

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

CHAIN = """\
chain: ask
connections: {api: http}
steps:
  one: {use: http.get, on: api, with: {path: /one}}
output: "${steps.one.body}"
"""


class Service(BaseHTTPRequestHandler):
    """Lets in whoever has the token; remembers which tokens came."""

    token = "old token"
    seen: list[str | None] = []  # noqa: RUF012 - of all requests

    def do_GET(self) -> None:
        given = self.headers["Authorization"]
        self.seen.append(given)
        self.send_response(200 if given == f"Bearer {self.token}" else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b'{"n": 1}')

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[tuple[type[Service], str]]:
    handler = type("Handler", (Service,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(bench: Bench, service: tuple[type[Service], str]) -> Bench:
    """A project with a connection of the vault to the service."""
    (bench.folder / "ask.yaml").write_text(CHAIN)
    words = ["connections", "add", "api", "--kind", "http", "-s", f"base_url={service[1]}"]
    words += ["-s", "network=private", "-s", "auth.type=bearer", "--stdin", "auth.token"]
    done = bench.here(*words, "--json", input="old token\n")
    assert done.code == 0, done.err
    assert done.json["settings"]["auth"] == {
        "token": {"vault": "api.auth.token"},
        "type": "bearer",
    }
    return bench


def test_a_connection_of_the_vault_is_used_by_a_run(api: Bench) -> None:
    assert api.here("run", "ask.yaml", "--json").json["output"] == {"n": 1}
    [listed] = api.here("connections", "list", "--json").json["connections"]
    assert (listed["name"], listed["place"], listed["used_by"]) == ("api", "vault", ["ask"])
    shown = api.here("connections", "show", "api")
    assert "old token" not in shown.out + shown.err
    assert "api.auth.token" in shown.out


def test_testing_says_what_the_service_told_or_what_to_do(
    api: Bench, service: tuple[type[Service], str]
) -> None:
    handler, url = service
    done = api.here("connections", "test", "api", "--json")
    assert (done.code, done.json["usable"], done.json["address"]) == (0, True, url)
    assert done.json["told"]["status"] == 200
    assert done.json["seconds"] > 0
    handler.token = "new token"
    done = api.here("connections", "test", "api", "--json")
    assert (done.code, done.json["failure"]["kind"]) == (1, "denied")
    assert done.json["advice"] == "give it the right secret: drawloom connections rotate api"
    assert "old token" not in done.out + done.err


def test_testing_a_service_that_is_not_there_says_where_it_should_be(bench: Bench) -> None:
    words = ("--kind", "http", "-s", "base_url=http://127.0.0.1:1", "-s", "network=private")
    assert bench.here("connections", "add", "gone", *words).code == 0
    done = bench.here("connections", "test", "gone")
    assert done.code == 1
    assert "gone cannot be used: transient" in done.err
    assert "nobody answers at http://127.0.0.1:1" in done.err


def test_a_new_secret_is_tried_first_and_the_old_one_stays_if_it_is_refused(
    api: Bench, service: tuple[type[Service], str]
) -> None:
    handler, _ = service
    done = api.here("connections", "rotate", "api", "--stdin", input="wrong token\n")
    assert done.code == 1
    assert "the old secret stays" in done.err
    assert handler.seen[-1] == "Bearer wrong token"  # it was really tried
    assert api.here("connections", "test", "api").code == 0
    handler.token = "new token"
    done = api.here("connections", "rotate", "api", "--stdin", "--json", input="new token\n")
    assert (done.code, done.json["usable"]) == (0, True)
    assert api.here("connections", "test", "api").code == 0
    assert api.here("run", "ask.yaml", "--json").json["output"] == {"n": 1}


def test_another_address_is_not_sent_the_secret_of_the_old_one(
    api: Bench, service: tuple[type[Service], str]
) -> None:
    handler, url = service
    elsewhere = url.replace("127.0.0.1", "127.0.0.2")
    done = api.here("connections", "change", "api", "-s", f"base_url={elsewhere}")
    assert done.code == 2
    assert (
        f"auth.token of 'api' is for {url}; to send it to {elsewhere}, give its value" in done.err
    )
    assert api.here("connections", "show", "api", "--json").json["address"] == url
    # The name of the same secret is not its value.
    words = ("-s", f"base_url={elsewhere}", "--secret", "auth.token=api.auth.token")
    assert api.here("connections", "change", "api", *words).code == 2
    # What leaves the address alone needs nothing.
    assert api.here("connections", "change", "api", "-s", "timeout=7").code == 0
    words = ("-s", f"base_url={elsewhere}", "--stdin", "auth.token")
    done = api.here("connections", "change", "api", *words, input="other token\n")
    assert done.code == 0, done.err
    shown = api.here("connections", "show", "api", "--json").json
    assert (shown["address"], shown["settings"]["timeout"]) == (elsewhere, 7.0)
    assert handler.seen == []


def test_a_wrong_field_is_named_and_nothing_is_kept(bench: Bench) -> None:
    done = bench.here("connections", "add", "db", "--kind", "postgresql", "-s", "prot=5432")
    assert done.code == 2
    assert "connection 'db': " in done.err
    assert "prot: Extra inputs" in done.err
    assert "database: Field required" in done.err
    words = ("-s", "database=d", "-s", "user=u", "-s", "password=hunter22")
    done = bench.here("connections", "add", "db", "--kind", "postgresql", *words)
    assert "password: " in done.err
    assert "hunter22" not in done.err
    assert bench.here("connections", "add", "db", "--kind", "postgres").code == 2
    assert bench.here("connections", "list", "--json").json == {"connections": []}
    assert not (bench.folder / ".drawloom").exists()


def test_a_name_in_both_places_is_an_error_that_names_both(bench: Bench) -> None:
    add = ("connections", "add", "files", "--kind", "files", "-s", "folder=.")
    assert bench.here(*add).code == 0
    assert "vault.db" in bench.here(*add).err
    text = '[connections.files]\nkind = "files"\nfolder = "."\n'
    with (bench.folder / "drawloom.toml").open("a") as file:
        file.write(text)
    for command in (("connections", "list"), ("run", "double.yaml")):
        done = bench.here(*command)
        assert done.code == 2
        assert "drawloom.toml has [connections.files]" in done.err
        assert "vault.db" in done.err
    assert bench.here("connections", "remove", "files").code == 2  # it is in the file, too


def test_a_connection_that_chains_use_is_removed_only_by_force(api: Bench) -> None:
    done = api.here("connections", "remove", "api")
    assert done.code == 2
    assert "is used by ask" in done.err
    assert api.here("secrets", "remove", "api.auth.token").code == 2
    done = api.here("connections", "remove", "api", "--force", "--json")
    assert (done.code, done.json) == (0, {"removed": "api"})
    assert api.here("connections", "list", "--json").json == {"connections": []}
    assert api.here("secrets", "remove", "api.auth.token").code == 0


def test_bind_may_name_a_connection_of_the_vault(api: Bench) -> None:
    with (api.folder / "drawloom.toml").open("a") as file:
        file.write('[bind]\nweb = "api"\nother = "appi"\n')
    done = api.here("connections", "list")
    assert "bind.other: there is no connection 'appi'" in done.err
    text = (api.folder / "drawloom.toml").read_text().replace("appi", "api")
    (api.folder / "drawloom.toml").write_text(text)
    (api.folder / "ask.yaml").write_text(CHAIN.replace("api", "web"))
    assert api.here("run", "ask.yaml", "--json").json["output"] == {"n": 1}
    [listed] = api.here("connections", "list", "--json").json["connections"]
    assert listed["used_by"] == ["ask"]


def test_a_value_is_never_asked_for_where_there_is_no_terminal(api: Bench) -> None:
    done = api.here("connections", "rotate", "api", input="")
    assert done.code == 2
    assert "no terminal to ask on; give --stdin or --file" in done.err


@pytest.mark.slow
def test_a_guarded_postgresql_is_tried_and_its_password_rotated(
    bench: Bench, guarded_postgresql: PostgresqlServer
) -> None:
    server = guarded_postgresql

    async def command(sql: str) -> None:
        connection = await server.connect()
        await connection.execute(sql)
        await connection.close()

    asyncio.run(command("CREATE ROLE loom LOGIN PASSWORD 'first'"))
    try:
        words = ["connections", "add", "db", "--kind", "postgresql", "--stdin", "password"]
        words += ["-s", "host=localhost", "-s", f"port={server.port}", "-s", "user=loom"]
        words += ["-s", "database=postgres", "-s", "tls=verify-full"]
        words += ["-s", f"ca_file={server.ca_file}"]
        assert bench.here(*words, input="first").code == 0
        told = bench.here("connections", "test", "db", "--json").json["told"]
        assert told["server"] == "PostgreSQL"
        assert told["tls"].startswith("TLSv1.")
        assert (told["user"], told["superuser"]) == ("loom", False)
        done = bench.here("connections", "rotate", "db", "--stdin", "--json", input="second")
        assert (done.code, done.json["failure"]["kind"]) == (1, "denied")
        asyncio.run(command("ALTER ROLE loom PASSWORD 'second'"))
        assert bench.here("connections", "test", "db").code == 1
        done = bench.here("connections", "rotate", "db", "--stdin", input="second")
        assert done.code == 0, done.err
        assert bench.here("connections", "test", "db").code == 0
    finally:
        asyncio.run(command("DROP ROLE loom"))


def test_basic_credentials_are_asked_for_by_field(bench: Bench) -> None:
    words = ["connections", "add", "a", "--kind", "http", "-s", "base_url=https://a.example"]
    words += ["-s", 'auth={"type": "basic", "user": "u"}', "--secret", "auth.password=env:PW"]
    done = bench.here(*words, "--json")
    assert done.json["settings"]["auth"]["password"] == {"env": "PW"}
    assert json.dumps(base64.b64encode(b"u:").decode()) not in done.out
