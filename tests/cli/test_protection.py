"""A stored secret is not sent with less protection than it was given for."""

from __future__ import annotations

import apsw
import pytest

from .conftest import Bench

pytest.importorskip("cryptography")

DB = ("--kind", "postgresql", "-s", "host=db.example", "-s", "database=d", "-s", "user=u")
WEB = ("--kind", "http", "-s", "base_url=https://a.example", "-s", "auth.type=bearer")
FIELD = {"postgresql": "password", "http": "auth.token"}


def added(bench: Bench, words: tuple[str, ...], *more: str) -> str:
    """The field of the secret of a new connection `c`."""
    field = FIELD[words[1]]
    done = bench.here("connections", "add", "c", *words, *more, "--stdin", field, input="first")
    assert done.code == 0, done.err
    return field


TLS = ("-s", "tls=verify-ca")
CA = ("-s", "ca_file=ours.pem")


@pytest.mark.parametrize(
    ("words", "change", "why"),
    [
        (DB, ["-s", "tls=off"], "TLS verify-full; to send it with TLS off"),
        (DB, ["-s", "tls=require"], "TLS verify-full; to send it with TLS require"),
        (DB, ["-s", "tls=verify-ca"], "TLS verify-full; to send it with TLS verify-ca"),
        ((*DB, *TLS), ["-s", "tls=require"], "TLS verify-ca; to send it with TLS require"),
        ((*DB, "-s", "tls=require"), ["-s", "tls=off"], "to send it with TLS off"),
        (DB, list(CA), "whom this machine vouches for; to send it to whom ours.pem does"),
        ((*DB, *CA), ["--unset", "ca_file"], "whom ours.pem vouches for"),
        ((*DB, *CA), ["-s", "ca_file=theirs.pem"], "to send it to whom theirs.pem does"),
        (DB, ["-s", "port=5433"], "is for db.example:5432; to send it to db.example:5433"),
        (DB, ["-s", "host=localhost"], "is for db.example:5432; to send it to localhost:5432"),
        (WEB, ["-s", "verify_tls=false"], "TLS verify-full; to send it with TLS require"),
        (WEB, list(CA), "to send it to whom ours.pem does"),
        (WEB, ["-s", "base_url=http://a.example"], "is for https://a.example; to send it to http"),
    ],
)
def test_what_protects_it_less_asks_for_it_again(
    bench: Bench, words: tuple[str, ...], change: list[str], why: str
) -> None:
    field = added(bench, words)
    before = bench.here("connections", "show", "c", "--json").json
    done = bench.here("connections", "change", "c", *change)
    assert done.code == 2
    assert why in done.err
    assert f"give its value again (--stdin {field})" in done.err
    assert bench.here("connections", "show", "c", "--json").json == before
    done = bench.here("connections", "change", "c", *change, "--stdin", field, input="second")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ((*DB, "-s", "tls=off"), ["-s", "tls=require"]),
        ((*DB, "-s", "tls=require"), ["-s", "tls=verify-full", *CA]),
        ((*DB, *TLS), ["--unset", "tls"]),
        (DB, ["-s", "tls=verify-full"]),
        (DB, ["-s", "max_connections=5"]),
        ((*WEB, "-s", "verify_tls=false"), ["-s", "verify_tls=true"]),
        ((*WEB, *CA), ["-s", "timeout=7"]),
    ],
)
def test_what_protects_it_as_well_or_better_does_not(
    bench: Bench, words: tuple[str, ...], change: list[str]
) -> None:
    added(bench, words)
    done = bench.here("connections", "change", "c", *change)
    assert done.code == 0, done.err


def test_a_connection_without_secrets_may_be_changed_as_one_likes(bench: Bench) -> None:
    assert bench.here("connections", "add", "c", *DB).code == 0
    assert bench.here("connections", "change", "c", "-s", "tls=off").code == 0


def test_what_was_weakened_by_hand_stays_refused(bench: Bench) -> None:
    added(bench, DB, "-s", "tls=verify-full")
    with apsw.Connection(str(bench.folder / ".drawloom/vault.db")) as db:
        db.execute("update connections set settings = replace(settings, 'verify-full', 'off')")
    done = bench.here("connections", "change", "c", "-s", "max_connections=5")
    assert done.code == 3
    assert "'c' was altered by hand; remove the connection 'c' and add it again" in done.err
