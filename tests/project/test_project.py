"""A project: found upward, opened without side effects, and its slots bound."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from drawloom.chains import Chain, load
from drawloom.errors import ChainInvalid, ConnectionUnusable, ValueInvalid
from drawloom.project import Project

TOML = """\
tools = ["mine.py"]
[connections.db]
kind = "sqlite"
path = "d.sqlite"
[connections.other]
kind = "sqlite"
path = "o.sqlite"
[connections.site]
kind = "http"
[bind]
reports = "other"
"""

MINE = """\
from pathlib import Path
from drawloom.sdk import Connector, tool
Path(__file__).with_name("was-run").touch()
own = Connector("own")

@own.tool(effect="pure")
def double(n: int) -> int:
    "Double a number."
    return 2 * n

@tool
def plain() -> None:
    "Do nothing."
"""


def chain(**slots: str) -> Chain:
    lines = ", ".join(f"{slot}: {kind}" for slot, kind in slots.items())
    steps = "steps: {a: {use: core.transform, with: {value: 1}}}"
    return load(f"chain: c\nconnections: {{{lines}}}\n{steps}\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "drawloom.toml").write_text(TOML)
    (tmp_path / "mine.py").write_text(MINE)
    return Project.find(tmp_path)


def test_the_nearest_file_upward_is_the_project(project: Project, tmp_path: Path) -> None:
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    assert Project.find(below).folder == tmp_path
    (tmp_path / "a/drawloom.toml").touch()
    assert Project.find(below).folder == tmp_path / "a"


def test_without_a_file_the_folder_itself_is_one(tmp_path: Path) -> None:
    found = Project.find(tmp_path)
    assert (found.folder, found.file, found.state) == (tmp_path, None, tmp_path / ".drawloom")


def test_opening_runs_and_writes_nothing(project: Project, tmp_path: Path) -> None:
    assert set(project.connections) == {"db", "other", "site"}
    assert project.state == tmp_path / ".drawloom"
    project.engine()
    # Python may keep what it compiled of mine.py.
    there = {*os.listdir(tmp_path)} - {"__pycache__"}
    assert there == {"drawloom.toml", "mine.py", "was-run"}


def test_own_tools_are_run_only_when_asked_for(project: Project, tmp_path: Path) -> None:
    assert not (tmp_path / "was-run").exists()
    assert project.catalogue.find("own.double")(21) == 42
    assert project.catalogue.find("my.plain").effect == "once"
    assert (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("../outside.py", "", "outside the project"),
        ("none.py", None, "there is no file"),
        ("bad.py", "def (", "bad.py:1: SyntaxError"),
        ("bad.py", "import no_such_module_at_all", "bad.py:1: ModuleNotFoundError"),
        ("bad.py", "from drawloom.sdk import tool\n@tool\ndef x(a): 'X.'\nx.input_schema\n",
         "bad.py:4: TypeError"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_run_is_named(
    tmp_path: Path, file: str, text: str | None, message: str
) -> None:
    (tmp_path / "drawloom.toml").write_text(f"tools = ['{file}']\n")
    if text is not None and ".." not in file:
        (tmp_path / file).write_text(text)
    with pytest.raises(ValueInvalid, match=message):
        _ = Project.find(tmp_path).catalogue
    assert "drawloom_project.bad" not in sys.modules


def test_a_slot_is_bound_by_name_by_the_project_or_by_the_caller(project: Project) -> None:
    bound = project.bindings(chain(db="sqlite", reports="sqlite"))
    assert bound.slots == {"db": "db", "reports": "other"}
    assert project.bindings(chain(db="sqlite"), ["db=other"]).slots == {"db": "other"}


def test_a_connection_given_on_the_spot(project: Project) -> None:
    text = "postgresql:host=h,user=me,database=x,password.env=PW"
    bound = project.bindings(chain(pg="postgresql"), [f"pg={text}"])
    assert bound.slots == {"pg": text}
    assert bound.extra[text].settings["password"] == {"env": "PW"}


@pytest.mark.parametrize(
    ("slots", "overrides", "message"),
    [
        ({"mail": "smtp"}, [], "slot 'mail' wants a smtp connection"),
        ({"store": "sqlite"}, [], "--bind store=db"),
        ({"db": "postgresql"}, [], "'db' is of kind 'sqlite'"),
        ({"store": "sqlite"}, ["stor=db"], "no such slot; did you mean 'store'"),
        ({"db": "sqlite"}, ["db"], "write SLOT=NAME"),
        ({"db": "sqlite"}, ["db=a", "db=b"], "given twice"),
        ({"db": "sqlite"}, ["db=sqlite:nonsense"], "key=value"),
        ({"db": "sqlite"}, ["db=sqlite:pth=x"], "given with --bind db"),
        ({"pg": "postgresql"}, ["pg=postgresql:password=hunter2"], "never the secret itself"),
        ({"db": "sqlite"}, ["db=postgresql:host=hunter2"], "of kind 'postgresql'"),
    ],
)
def test_what_cannot_be_bound_says_what_to_do_and_no_secret(
    project: Project, slots: dict[str, str], overrides: list[str], message: str
) -> None:
    with pytest.raises(ConnectionUnusable) as caught:
        project.bindings(chain(**slots), overrides)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_plan_is_only_made_of_a_chain_without_errors(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("chain: c\nsteps: {a: {use: core.tranform}}\n")
    with pytest.raises(ChainInvalid) as caught:
        project.checked_plan(project.load_chain(path))
    assert [finding.code for finding in caught.value.findings] == ["unknown-tool"]
    path.write_text("chain: c\nsteps: {a: {use: own.double, with: {n: 1}}}\n")
    assert project.checked_plan(project.load_chain(path)).steps[0].tool == "own.double"


async def test_an_engine_runs_its_chains(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "chain: c\nsteps: {a: {use: own.double, with: {n: 4}}}\noutput: {n: '${steps.a}'}\n"
    )
    plan = project.checked_plan(project.load_chain(path))
    async with project.engine() as engine:
        assert (await engine.run(plan, {})).output == {"n": 8}
    assert (tmp_path / ".drawloom/state.db").exists()


async def test_a_connection_given_on_the_spot_is_there_again_after_a_crash(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "chain: c\nconnections: {db: sqlite}\n"
        "steps:\n  wait: {use: core.sleep, with: {seconds: 3600}}\n"
        "  q: {use: sqlite.query, on: db, after: {wait: finished}, with: {sql: select 1 as one}}\n"
    )
    plan = project.checked_plan(project.load_chain(path))
    bound = project.bindings(plan, ["db=sqlite:path=spot.sqlite"])
    async with project.engine(extra=bound.extra) as engine:
        run = await engine.start(plan, {}, bindings=bound.slots)
    async with Project.find(tmp_path).engine() as engine:
        assert engine.recovered == (run,)
        await engine.cancel(run)
        result = await engine.wait(run)
    assert result.steps["q"].output["rows"] == [{"one": 1}], "the clean-up used it"
    assert "sqlite:path=spot.sqlite" in engine.connections
