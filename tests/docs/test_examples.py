"""Every example in the README, the docs and the docstrings runs.

A page is worked through from top to bottom, in a folder of its own:

* ```` ```yaml ```` is a chain (or only its steps): loaded and checked against the catalogue;
* ```` ```python ```` is run as a program;
* ```` ```console ```` is typed in: what follows each `$` is run, and the lines below it
  must come out, in that order. `…` stands for anything, and times may differ.

A block with `title="path"` is written there first. Blocks in any other language
are only read.
"""

from __future__ import annotations

import ast
import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from _pytest.mark import ParameterSet

from drawloom.chains.check import check_text
from drawloom.project import Project
from drawloom.runtime import Catalogue

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)(`{3,})(\w+)([^\n]*)\n(.*?)^\1\2\s*$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
UNWANTED = shutil.ignore_patterns("__pycache__", ".drawloom", "data", ".pytest_cache")
# An indented block of a docstring that is a whole program.
PROGRAM = re.compile(r"^    import drawloom\n(?:(?:    .*)?\n)*(?:    .*)?", re.MULTILINE)
TIME = re.compile(r"\b[\d.]+ ?(?:s|ms|µs|min)\b")


@dataclass(frozen=True)
class Block:
    """One fenced example: where it stands, what it is, and its text."""

    line: int
    language: str
    title: str | None
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced examples of a Markdown text, without their indentation."""
    found = []
    for match in FENCE.finditer(text):
        indent, _, language, info, body = match.groups()
        title = TITLE.search(info)
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line, language, title and title[1], body))
    return found


def pages() -> list[Path]:
    """Every Markdown file with examples; the tools' pages repeat the connectors' own."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("docs", "examples", "src"):
        found += sorted((ROOT / folder).rglob("*.md"))
    repeated = ROOT / "docs/reference/tools"
    return [page for page in found if repeated not in page.parents]


def docstrings() -> list[tuple[str, str]]:
    """Module path and docstring, for those with an example: fenced, or indented and a program."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        source = path.read_text()
        if "```" not in source and "    import drawloom\n" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ):
                text = ast.get_docstring(node) or ""
                text += "".join(map(page_of, PROGRAM.findall(text)))
                if "```" in text:
                    name = getattr(node, "name", "")
                    found.append((f"{path.relative_to(ROOT)}:{name}", text))
    return found


def page_of(body: str, language: str = "python") -> str:
    """An example as Markdown."""
    return f"\n```{language}\n{dedent(body)}\n```\n"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue(code_steps=True)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the main example, fetched once."""
    folder = tmp_path_factory.mktemp("data")
    command = [sys.executable, ROOT / "tools/example_data.py", "seattle-weather.csv", folder]
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture
def desk(tmp_path: Path, data: Path) -> Path:
    """A folder to work in, with the examples and their data in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=UNWANTED)
    shutil.copytree(data, tmp_path / "examples/seattle/data", dirs_exist_ok=True)
    return tmp_path


def run(command: list[str], desk: Path) -> str:
    """Run *command* in *desk*; its output, errors included. It must succeed."""
    bin_folder = str(Path(sys.executable).parent)
    sources = desk / "src" if (desk / "src").exists() else ROOT / "src"
    done = subprocess.run(
        command,
        cwd=desk,
        env={
            **os.environ,
            "PATH": bin_folder + os.pathsep + os.environ["PATH"],
            "PYTHONPATH": str(sources),
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": "100",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
    return done.stdout


def check_yaml(block: Block, catalogue: Catalogue) -> None:
    """A chain must have no finding; anything else must at least be sound YAML."""
    text = block.text
    if not re.search(r"^chain:", text, re.MULTILINE):
        if not re.search(r"^steps:", text, re.MULTILINE):
            return
        text = f"chain: excerpt\n{text}"
    assert [str(f) for f in check_text(text, catalogue)] == []


def check_console(block: Block, desk: Path) -> None:
    """Each command must succeed and print the lines below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command}\n{more}"
        out = flat(run(["bash", "-c", command], desk))
        pattern = ".*".join(map(loose, expected.splitlines()))
        assert re.search(pattern, out, re.DOTALL), f"$ {command}\n{out}\n--- expected\n{expected}"


def flat(text: str) -> str:
    """Without the differences that do not count: spaces, and how long things took."""
    return "\n".join(
        re.sub(r"\s+", " ", TIME.sub("<time>", line)).strip() for line in text.splitlines()
    )


def loose(line: str) -> str:
    """A pattern for one line of expected output."""
    return re.escape(flat(line)).replace("…", ".*")


def put(desk: Path, title: str, text: str) -> None:
    """Write a titled block; one that belongs to the sources goes into a copy of them."""
    if title.startswith("src/") and not (desk / "src").exists():
        shutil.copytree(ROOT / "src", desk / "src", ignore=UNWANTED)
    path = desk / title
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def work_through(text: str, desk: Path, catalogue: Catalogue) -> None:
    """Do what each example says, in order."""
    for block in blocks(text):
        if block.title:
            put(desk, block.title, block.text)
        try:
            if block.language == "yaml":
                check_yaml(block, catalogue)
            elif block.language == "console":
                check_console(block, desk)
            elif block.language == "python" and not block.title:
                run([sys.executable, "-W", "error", "-c", block.text], desk)
        except AssertionError as exc:
            raise AssertionError(f"the example at line {block.line}:\n{exc}") from None


def parameter(name: str, value: object, text: str) -> ParameterSet:
    """A page or docstring, slow where a process is started for an example of it."""
    starts = any(block.language in ("console", "python") for block in blocks(text))
    return pytest.param(value, marks=pytest.mark.slow if starts else (), id=name)


@pytest.mark.parametrize(
    "page", [parameter(str(p.relative_to(ROOT)), p, p.read_text("utf-8")) for p in pages()]
)
def test_the_examples_of_a_page_run(page: Path, desk: Path, catalogue: Catalogue) -> None:
    work_through(page.read_text(encoding="utf-8"), desk, catalogue)


@pytest.mark.parametrize("text", [parameter(where, text, text) for where, text in docstrings()])
def test_the_examples_of_a_docstring_run(text: str, desk: Path, catalogue: Catalogue) -> None:
    work_through(text, desk, catalogue)


def test_doctests_pass() -> None:
    with_doctests = [p for p in (ROOT / "src").rglob("*.py") if "\n    >>> " in p.read_text()]
    for path in with_doctests:
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        result = doctest.testmod(import_module(module.removesuffix(".__init__")))
        assert result.failed == 0, module


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda p: p.name)
def test_an_example_chain_is_clean(path: Path) -> None:
    project = Project.find(path.parent)
    assert [str(finding) for finding in project.findings_in(path)] == []


# -- the harness itself: what it must refuse -----------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        page_of("assert 1 == 2", "python"),
        page_of("chain: x\nsteps:\n  a: {use: core.no_such_tool}", "yaml"),
        page_of("steps:\n  a: {use: core.transform, wiht: {value: 1}}", "yaml"),
        page_of("$ false", "console"),
        page_of("$ echo one\ntwo", "console"),
        page_of("$ printf 'b\\na\\n'\na\nb", "console"),
    ],
    ids=["python", "tool", "field", "command", "output", "order"],
)
def test_a_broken_example_is_found(page: str, tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(AssertionError, match="the example at line 2"):
        work_through(page, tmp_path, catalogue)
