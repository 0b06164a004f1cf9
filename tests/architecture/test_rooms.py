"""Each room says what it is; a connector folder has all its parts."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/drawloom"
ROOMS = sorted(p.parent for p in SOURCE.glob("*/__init__.py"))
CONNECTORS = sorted(p.parent for p in SOURCE.glob("connectors/**/connector.toml"))


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_room_says_what_it_is(room: Path) -> None:
    module = ast.parse((room / "__init__.py").read_text())
    words = ast.get_docstring(module) or ""
    assert words, f"{room.name}/__init__.py has no docstring"
    assert words.partition("\n")[0].endswith("."), "the first line is a sentence"


def exported(module: ast.Module) -> list[str]:
    """What `__all__` names, or nothing."""
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


# A dozen names at most, but for these, each with its reason.
MORE = {
    "sdk": 20,  # a connector author's whole world
    "kernel": 20,  # every event and every command is a name
    "doors": 16,  # four ways out, each with its settings
    "facts": 16,  # every kind of fact is a name
}


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_room_exports_few_names(room: Path) -> None:
    names = exported(ast.parse((room / "__init__.py").read_text()))
    assert len(names) <= MORE.get(room.name, 12), names


def test_no_folder_without_a_room_in_it() -> None:
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == {room.name for room in ROOMS}


BANNED = {"utils", "util", "helpers", "helper", "managers", "manager", "base", "impl", "common"}


def test_no_module_is_named_after_nothing() -> None:
    assert [name_of(p) for p in SOURCE.rglob("*.py") if p.stem in BANNED] == []


@pytest.mark.parametrize("folder", CONNECTORS, ids=name_of)
def test_a_connector_folder_has_its_parts(folder: Path) -> None:
    for part in ("__init__.py", "connector.toml", "README.md", "examples", "tests"):
        assert (folder / part).exists(), f"{name_of(folder)} has no {part}"
    about = tomllib.loads((folder / "connector.toml").read_text())
    assert {"title", "category", "icon", "requires"} <= about.keys()


@pytest.mark.parametrize("folder", CONNECTORS, ids=name_of)
def test_a_connectors_packages_are_in_its_extra(folder: Path) -> None:
    about = tomllib.loads((folder / "connector.toml").read_text())
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    known = set(project["dependencies"]) | set(extras.get(about.get("extra", ""), []))
    assert set(about["requires"]) <= known, "pyproject.toml and connector.toml disagree"


@pytest.mark.parametrize("folder", CONNECTORS, ids=name_of)
def test_tools_leave_exceptions_to_the_fault_table(folder: Path) -> None:
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_tool(node):
                caught = [n for n in ast.walk(node) if isinstance(n, ast.Try) and n.handlers]
                assert not caught, f"{path.name}: {node.name} catches; use the fault table"


def _is_tool(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(d).partition("(")[0].endswith(".tool") for d in node.decorator_list)
