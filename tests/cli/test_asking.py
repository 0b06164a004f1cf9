"""What is asked on a terminal: secrets are not shown, the rest is, and nothing is kept by half."""

from __future__ import annotations

import json

import pytest

from drawloom.project import Project

from .conftest import Bench
from .terminals import terminal

pytest.importorskip("cryptography")

DB = ("--kind", "postgresql", "--set", "host=db.example")


def secret(bench: Bench, name: str) -> str:
    project = Project.find(bench.folder)
    return project.vault.secrets.get(project.secrets.principal, name)


def test_a_secret_is_asked_for_and_not_shown(bench: Bench) -> None:
    with terminal(bench.folder, "secrets", "set", "door") as screen:
        screen.shows("Value of door: ")
        assert not screen.echoes()
        screen.type("hunter22\n")
        assert screen.ended() == 0
        assert 'Set door, version 1. Use it as {vault = "door"}.' in screen.screen
        assert "hunter22" not in screen.screen
    assert secret(bench, "door") == "hunter22"


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 2)], ids=["Ctrl-C", "Ctrl-D"])
def test_one_who_thinks_better_of_it_leaves_nothing(bench: Bench, key: str, code: int) -> None:
    with terminal(bench.folder, "secrets", "set", "door") as screen:
        screen.shows("Value of door: ")
        screen.type(key)
        assert screen.ended() == code
        assert screen.echoes()  # the terminal is as it was
        assert ("nothing was typed" in screen.screen) == (code == 2)
        assert "Traceback" not in screen.screen
    assert not (bench.folder / ".drawloom").exists()


def test_an_empty_line_is_no_secret(bench: Bench) -> None:
    with terminal(bench.folder, "secrets", "set", "door") as screen:
        screen.answers("Value of door: ", "")
        assert screen.ended() == 2
        assert "the secret 'door' is empty" in screen.screen


def test_a_new_connection_asks_for_what_is_missing(bench: Bench) -> None:
    with terminal(bench.folder, "connections", "add", "db", *DB) as screen:
        screen.answers("database: ", "shop")
        screen.answers("user: ", "weaver")
        screen.answers("password (not shown; empty for none): ", "hunter22")
        assert screen.ended() == 0
        assert "Added db. Try it: drawloom connections test db" in screen.screen
        assert "weaver" in screen.screen
        assert "hunter22" not in screen.screen
    shown = bench.here("connections", "show", "db", "--json").json
    assert shown["settings"] == {
        "host": "db.example",
        "database": "shop",
        "user": "weaver",
        "password": {"vault": "db.password"},
    }
    assert secret(bench, "db.password") == "hunter22"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("host=other.example", "db.example:5432; to send it to other.example:5432"),
        ("tls=off", "TLS verify-full; to send it with TLS off"),
    ],
)
def test_what_asks_for_the_secret_again_asks_on_the_terminal(
    bench: Bench, change: str, why: str
) -> None:
    words = (*DB, "-s", "database=d", "-s", "user=u", "--stdin", "password")
    assert bench.here("connections", "add", "db", *words, input="first").code == 0
    with terminal(bench.folder, "connections", "change", "db", "-s", change) as screen:
        screen.answers("password (not shown): ", "second")
        assert screen.ended() == 0
        assert why in screen.screen
        assert "second" not in screen.screen
    assert secret(bench, "db.password") == "second"
    with terminal(
        bench.folder, "connections", "change", "db", "-s", "max_connections=5"
    ) as screen:
        assert screen.ended() == 0
        assert "not shown" not in screen.screen


def test_a_new_secret_that_is_typed_is_tried_first(bench: Bench) -> None:
    words = ("--kind", "http", "-s", "base_url=http://127.0.0.1:1", "-s", "network=private")
    token = ("-s", "auth.type=bearer", "--stdin", "auth.token")
    assert bench.here("connections", "add", "api", *words, *token, input="first").code == 0
    with terminal(bench.folder, "connections", "rotate", "api") as screen:
        screen.answers("New auth.token of api (not shown): ", "second")
        assert screen.ended() == 1
        assert "the old secret stays" in screen.screen
        assert "second" not in screen.screen.replace("seconds", "")
    assert secret(bench, "api.auth.token") == "first"


def test_removing_asks_nothing_and_refuses_what_is_used(bench: Bench) -> None:
    words = (*DB, "-s", "database=d", "-s", "user=u", "--stdin", "password")
    assert bench.here("connections", "add", "db", *words, input="first").code == 0
    remove = ("secrets", "remove", "db.password")
    with terminal(bench.folder, *remove) as screen:
        assert screen.ended() == 2
        assert "is used by db" in screen.screen
    with terminal(bench.folder, *remove, "--force", "--json") as screen:
        assert screen.ended() == 0
        assert json.loads(screen.screen) == {"removed": "db.password"}
