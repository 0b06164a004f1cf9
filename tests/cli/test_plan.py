"""`drawloom plan`: what a run would touch, and that nothing is touched by saying so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import apsw
import pytest

from .conftest import Bench

CHAIN = """\
chain: planned
input: {n: {type: integer, default: 3}}
connections: {db: sqlite, fs: files, api: http}
steps:
  twice: {use: core.transform, with: {value: "${input.n * 2}"}}
  nap: {use: core.sleep, with: {seconds: 3600}}
  rows: {use: sqlite.query, on: db, with: {sql: "select a from t where b < ?", args: ["${steps.twice.value}"]}}
  each:
    use: http.put
    on: api
    for_each: "${steps.rows.rows}"
    with: {path: "x/${item.a}", headers: {Authorization: hush}}
  wipe:
    use: sqlite.execute
    on: db
    when: steps.twice.value > 5
    with: {sql: "delete from t where a in (select b from t)"}
  fill: {use: sqlite.append, on: db, with: {table: new, rows: [{a: 1}, {a: 2}]}}
  kept: {use: files.write_text, on: fs, with: {path: a.txt, text: "n ${steps.twice.value}"}}
  gone: {use: files.delete, on: fs, with: {path: drawloom.toml}}
  sorry: {use: core.log, after: {kept: failed}, with: {message: "${failures.kept.message}"}}
  post:
    use: http.request
    on: api
    with: {path: q, body: {json: {n: "${input.n}"}}, query: {api_key: hush}}
  paid: {use: my.pay, with: {amount: "${input.n}"}}
"""


class Counting(BaseHTTPRequestHandler):
    """Counts connections: each is handled by one of these."""

    seen = 0

    def setup(self) -> None:
        type(self).seen += 1
        super().setup()


@pytest.fixture
def planned(bench: Bench) -> Iterator[Bench]:
    Counting.seen = 0
    server = HTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with (bench.folder / "drawloom.toml").open("a") as file:
        file.write(
            f"""
[connections.db]
kind = "sqlite"
path = "a.db"
[connections.fs]
kind = "files"
folder = "."
[connections.api]
kind = "http"
base_url = "http://127.0.0.1:{server.server_port}/v1"
network = "private"
"""
        )
    (bench.folder / "planned.yaml").write_text(CHAIN)
    database = apsw.Connection(str(bench.folder / "a.db"))
    database.execute("pragma journal_mode = wal").fetchall()
    database.execute("create table t (a, b)").fetchall()
    database.execute("insert into t values (1, 2), (2, 3), (3, 30)").fetchall()
    database.close()
    yield bench
    server.shutdown()
    thread.join()
    server.server_close()
    assert Counting.seen == 0, "a plan sent a request"


def tree(bench: Bench) -> dict[str, bytes]:
    """Every file and what is in it, but for Python's own caches."""
    return {
        str(path.relative_to(bench.folder)): path.read_bytes()
        for path in sorted(bench.folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def steps(bench: Bench, *words: str) -> dict[str, Any]:
    done = bench.here("plan", "planned.yaml", "--json", *words)
    assert done.code == 0, done.err
    return {step["step"]: step for step in done.json["steps"]}


def touches(step: dict[str, Any]) -> list[str]:
    return [f"{touch['does']} {touch['what']}" for touch in step["touches"]]


def test_nothing_is_touched(planned: Bench) -> None:
    before = tree(planned)
    assert planned.here("plan", "planned.yaml").code == 0
    assert tree(planned) == before


def test_what_is_known_and_what_it_would_touch(planned: Bench) -> None:
    found = steps(planned)
    assert found["twice"]["known"]
    assert found["rows"]["args"]["args"] == [6]
    assert touches(found["rows"]) == ["reads rows of t"]
    assert touches(found["wipe"]) == ["deletes rows of t", "reads rows of t"]
    assert touches(found["fill"]) == ["creates table new", "creates rows of new"]
    assert found["fill"]["touches"][1]["count"] == 2
    assert touches(found["kept"]) == ["creates a.txt, 3 bytes"]
    assert touches(found["gone"])[0].startswith("deletes drawloom.toml, ")
    assert found["paid"]["touches"] is None


def test_what_rests_on_an_effect_is_unknown(planned: Bench) -> None:
    found = steps(planned)
    assert found["each"]["waits_for"] == {"for_each": ["rows"]}
    assert (found["sorry"]["state"], found["sorry"]["why"]) == ("maybe", "only if kept fails")
    shown = planned.here("plan", "planned.yaml").out
    assert "for_each: unknown until rows has run" in shown
    assert "what it touches, the tool cannot say" in shown


def test_a_condition_that_is_false_skips(planned: Bench) -> None:
    found = steps(planned, "-i", "n=1")
    assert (found["wipe"]["state"], found["wipe"]["why"]) == (
        "skipped",
        "`steps.twice.value > 5` is false",
    )


def test_reading_makes_more_known(planned: Bench) -> None:
    before = tree(planned)
    found = steps(planned, "--read")
    assert (found["each"]["items"], found["each"]["args"]["path"]) == (2, "x/1")
    assert [line.partition("/v1/")[2] for line in touches(found["each"])] == ["x/1", "x/2"]
    after = tree(planned)
    assert {n: after[n] for n in before} == before
    assert planned.lines("paid") == []


def test_secrets_are_masked(planned: Bench) -> None:
    for words in ([], ["--json"], ["--read"]):
        done = planned.here("plan", "planned.yaml", *words)
        assert "hush" not in done.out
    assert steps(planned)["post"]["touches"][0]["more"]["body_bytes"] == 7


def test_a_database_that_is_not_there_is_not_made(planned: Bench) -> None:
    (planned.folder / "a.db").unlink()
    (planned.folder / "planned.yaml").write_text(
        "chain: p\nconnections: {db: sqlite}\nsteps:\n  fill: {use: sqlite.append, on: db, "
        "with: {table: new, rows: [{a: 1}]}}\n"
    )
    assert touches(steps(planned)["fill"]) == [
        "creates the database file",
        "creates table new",
        "creates rows of new",
    ]
    assert not (planned.folder / "a.db").exists()


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ('{use: sqlite.query, on: db, with: {sql: "select x from nope"}}', "no such table: nope"),
        ("{use: files.read_text, on: fs, with: {path: none.txt}}", "there is no file 'none.txt'"),
        ("{use: http.get, on: api, with: {path: ../up}}", "path"),
        ("{use: core.fail, with: {message: no luck}}", "no luck"),
    ],
)
def test_a_step_that_would_fail_is_told(planned: Bench, step: str, says: str) -> None:
    (planned.folder / "planned.yaml").write_text(
        "chain: p\nconnections: {db: sqlite, fs: files, api: http}\nsteps:\n"
        f"  bad: {step}\n"
        "  next: {use: core.log, after: [bad], with: {message: well}}\n"
        "  saved: {use: core.log, after: {bad: failed}, with: {message: '${failures.bad.kind}'}}\n"
    )
    done = planned.here("plan", "planned.yaml", "--json")
    found = {one["step"]: one for one in done.json["steps"]}
    assert (done.code, found["bad"]["state"]) == (1, "fails")
    assert says in found["bad"]["why"]
    assert (found["next"]["state"], found["next"]["why"]) == ("skipped", "bad fails")
    assert found["saved"]["known"]


def test_a_sub_chain_is_planned_with_its_own_steps(planned: Bench) -> None:
    (planned.folder / "planned.yaml").write_text("""\
chain: outer
connections: {db: sqlite}
steps:
  sub: {use: core.chain, with: {chain: double, input: {n: 4}}}
  keep: {use: core.chain, with: {chain: keeps, input: {n: "${steps.sub.twice}"}}}
  after: {use: core.transform, with: {value: "${steps.keep.n}"}}
""")
    (planned.folder / "keeps.yaml").write_text("""\
chain: keeps
input: {n: {type: integer}}
connections: {db: sqlite}
steps:
  one: {use: sqlite.append, on: db, with: {table: t, rows: [{a: "${input.n}", b: 1}]}}
output: {n: "${steps.one.count}"}
""")
    before = tree(planned)
    found = steps(planned)
    assert list(found) == ["sub", "sub/twice", "sub/each", "keep", "keep/one", "after"]
    assert found["keep/one"]["args"]["rows"] == [{"a": 8, "b": 1}]
    assert touches(found["keep/one"]) == ["creates rows of t"]
    assert found["after"]["waits_for"] == {"value": ["keep"]}
    assert tree(planned) == before


def test_input_is_needed_and_checked(planned: Bench) -> None:
    assert planned.here("plan", "planned.yaml", "-i", "n=x").code == 2
    assert planned.here("plan", "none.yaml").code == 2


def test_a_stream_is_planned_by_how_it_is_opened(bench: Bench) -> None:
    (bench.folder / "drawloom.toml").write_text('[connections.fs]\nkind = "files"\nfolder = "."\n')
    (bench.folder / "a.csv").write_text("id\n1\n2\n")
    (bench.folder / "streams.yaml").write_text(
        """\
chain: streams
connections: {fs: files}
steps:
  rows: {use: files.stream_csv, on: fs, with: {path: a.csv}}
  each: {use: core.log, for_each: "${steps.rows}", with: {message: "${item.id}"}}
  write: {use: files.write_jsonl, on: fs, with: {path: a.jsonl, rows: "${steps.rows}"}}
"""
    )
    told = bench.here("plan", "streams.yaml", "--json").json
    steps = {step["step"]: step for step in told["steps"]}
    assert [touch["what"] for touch in steps["rows"]["touches"]] == ["bytes of a.csv"]
    assert steps["each"]["waits_for"] == {"for_each": ["rows"]}
    assert steps["write"]["touches"][0]["what"] == "a.jsonl, as many rows as come"
    said = bench.here("plan", "streams.yaml").out
    assert "rows: the stream of rows" in said
    assert not (bench.folder / "a.jsonl").exists()


def test_a_stream_of_a_table_is_planned_by_its_rows(planned: Bench) -> None:
    chain = "chain: p\nconnections: {db: sqlite}\nsteps:\n  rows: {use: sqlite.stream, on: db, with: {table: %s}}\n"
    (planned.folder / "planned.yaml").write_text(chain % "t")
    before = tree(planned)
    [touch] = steps(planned)["rows"]["touches"]
    assert (touch["does"], touch["what"], touch["count"]) == ("reads", "rows of t", 3)
    assert tree(planned) == before
    (planned.folder / "planned.yaml").write_text(chain % "nope")
    told = planned.here("plan", "planned.yaml", "--json")
    assert (told.code, told.json["steps"][0]["state"]) == (1, "fails")
    assert "there is no table 'nope'" in told.json["steps"][0]["why"]
