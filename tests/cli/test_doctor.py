"""`drawloom doctor`: healthy and broken stores; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
import pytest

from drawloom.drivers.embedded import STORE


def grades(told: Any) -> dict[str, str]:
    worst = {"ok": 0, "warning": 1, "error": 2}
    found: dict[str, str] = {}
    for check in told["checks"]:
        if worst[check["grade"]] >= worst[found.get(check["name"], "ok")]:
            found[check["name"]] = check["grade"]
    return found


def test_a_healthy_project_is_0(bench: Any, ran: Callable[..., str]) -> None:
    assert bench.here("doctor", "--json").json["healthy"] is True, "without a store, too"
    ran("double")
    done = bench.here("doctor")
    assert done.code == 0
    assert "0 errors" in done.out
    told = bench.here("doctor", "--json").json
    assert {"integrity", "owner", "expressions", "durability", "finished runs"} <= set(
        grades(told)
    )
    assert "error" not in grades(told).values()


@pytest.mark.parametrize("how", ["gone", "changed", "cut"])
def test_a_large_value_that_is_not_as_it_was_written_is_found(
    bench: Any, ran: Callable[..., str], how: str
) -> None:
    (bench.folder / "drawloom.toml").write_text('[state]\nblob_threshold = "16384B"\n')
    (bench.folder / "big.yaml").write_text(
        "{chain: big, steps: {a: {use: core.transform, with: {value: '${[1..9000]}'}}}}"
    )
    assert bench.here("run", "big.yaml").code == 0
    told = bench.here("doctor", "--json").json
    [check] = [c for c in told["checks"] if c["name"] == "large values"]
    assert check["grade"] == "ok" and "1 files" in check["found"]
    [path] = (bench.folder / ".drawloom" / "blobs").glob("??/*")
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(content[:-1] if how == "cut" else b"[" * len(content))
    done = bench.here("doctor", "--json")
    assert done.code == 1
    assert grades(done.json)["large values"] == "error"


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("delete from events where seq = 2", "sequence"),
        ("insert into events (run, seq, at, kind) values (99, 1, 0, 'started')", "orphans"),
        ("delete from events", "starts"),
        ("update runs set status = 'failed'", "finished runs"),
        ("pragma foreign_keys = off; delete from plans", "foreign keys"),
    ],
)
def test_what_is_wrong_is_found(bench: Any, ran: Callable[..., str], sql: str, name: str) -> None:
    ran("double")
    with apsw.Connection(str(bench.folder / ".drawloom" / STORE)) as db:
        db.execute(sql)
    db.close()
    done = bench.here("doctor", "--json")
    assert done.code == 1
    assert done.json["healthy"] is False
    assert grades(done.json)[name] == "error"


def test_a_damaged_file_is_found(bench: Any, ran: Callable[..., str]) -> None:
    for _ in range(3):
        ran("double")
    path = bench.folder / ".drawloom" / STORE
    with apsw.Connection(str(path)) as db:
        db.pragma("wal_checkpoint(truncate)")
        root = db.execute("select rootpage from sqlite_schema where name = 'events'").get
        size = db.pragma("page_size")
    db.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size + 8 : (root - 1) * size + 80] = b"\xff" * 72
    path.write_bytes(data)
    done = bench.here("doctor", "--json")
    assert done.code == 1
    assert "error" in grades(done.json).values()


def test_an_owner_is_named_and_a_waiting_run_told(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    told = bench.here("doctor", "--json").json
    owner = next(check for check in told["checks"] if check["name"] == "owner")
    assert f"process {process.pid}" in owner["found"]
    assert told["healthy"] is True


def test_a_run_that_cannot_go_on_is_an_error_with_advice(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml", "--id", "stuck")
    process.kill()
    bench.ended(process)
    (bench.folder / "tools.py").write_text("")
    done = bench.apart("doctor", "--json")
    assert done.code == 1
    [found] = [check for check in done.json["checks"] if "stuck" in check["found"]]
    assert found["advice"] == "drawloom runs cancel stuck --abandon"


def test_a_connector_without_its_library_says_what_to_install(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    known = metadata.version

    def version(name: str) -> str:
        if name == "asyncpg":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    done = bench.here("doctor")
    assert done.code == 0, "an optional library is no error"
    assert "pip install 'drawloom[postgresql]'" in done.out
