"""Where a package that a connector needs is not installed, that is said before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow  # real processes, one after another

HIDES = '''\
"""Hide two packages, as if they were not installed."""

from importlib import metadata

found = metadata.version


def version(name):
    if name in ("aiohttp", "asyncpg"):
        raise metadata.PackageNotFoundError(name)
    return found(name)


metadata.version = version
'''


@pytest.fixture
def bare(stranger: Any) -> Any:
    (stranger.folder / "hidden").mkdir()
    stranger.writes("hidden/sitecustomize.py", HIDES)
    stranger.environment["PYTHONPATH"] = str(stranger.folder / "hidden")
    stranger.writes(
        "asks.yaml",
        "chain: asks\nconnections: {api: http, db: postgresql}\nsteps:\n"
        "  g: {use: http.get, on: api, with: {path: /x}}\n"
        '  q: {use: postgresql.query, on: db, with: {sql: select 1, args: ["${steps.g.status}"]}}\n'
        'output: "${steps.q.rows}"\n',
    )
    return stranger


@pytest.mark.parametrize(
    ("binds", "extra"),
    [
        (["api=http:base_url=http://127.0.0.1:9"], "http"),
        (["db=postgresql:database=x,user=y", "api=http:base_url=http://127.0.0.1:9"], "http"),
    ],
)
def test_a_run_says_what_to_install_and_starts_nothing(
    bare: Any, binds: list[str], extra: str
) -> None:
    words = [word for bind in binds for word in ("--bind", bind)]
    done = bare.types("run", "asks.yaml", *words)
    assert done.code == 2
    assert f"pip install 'drawloom[{extra}]'" in done.err
    assert "not installed" in done.err
    assert not bare.started_something


def test_checking_and_listing_need_none_of_it(bare: Any) -> None:
    assert bare.types("check", "asks.yaml").code == 0
    assert "postgresql.query" in bare.types("tools", "list").out
    doctor = bare.types("doctor", "--json")
    assert doctor.code == 0
    advice = [check["advice"] for check in doctor.json["checks"] if check["grade"] == "warning"]
    assert {"pip install 'drawloom[http]'", "pip install 'drawloom[postgresql]'"} <= {*advice}
