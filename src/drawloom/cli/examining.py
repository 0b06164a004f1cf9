"""What `drawloom doctor` looks at beside the store: this installation, and this project."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from drawloom.drivers.embedded.doctor import DURABILITY, Check, Grade, examine

if TYPE_CHECKING:
    from drawloom.project import Project
    from drawloom.runtime import Catalogue


def examine_all(project: Project, state: Path) -> Iterator[Check]:
    """Every check, the quick ones first."""
    yield _versions()
    yield _expressions()
    yield _sandbox()
    yield _code_steps(project)
    yield _control_groups(project.settings.cgroup)
    yield from _project(project)
    yield _vault(project)
    yield from _connectors(project.catalogue)
    kind = project.settings.durability
    yield Check("durability", "ok", f"{kind}: {DURABILITY[kind]}")
    yield from examine(state, project.catalogue.find)


def _versions() -> Check:
    found = (
        f"Drawloom {metadata.version('drawloom')}, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()} (Python's own, which is not used: "
        f"{sqlite3.sqlite_version})"
    )
    return Check("versions", "ok", found)


def _expressions() -> Check:
    """The limits of expressions hold: an endless one is stopped, and `$eval` is off."""
    from drawloom.dataflow.expressions import INLINE, Expression, OverBudget
    from drawloom.errors import ExpressionInvalid

    try:
        Expression("($f := function($n) { $f($n + 1) }; $f(0))").evaluate({}, INLINE)
    except OverBudget:
        pass
    except ExpressionInvalid as exc:
        return Check("expressions", "error", f"a limit is not what it should be: {exc}")
    else:
        return Check("expressions", "error", "an endless expression was not stopped")
    try:
        Expression("$eval('1')").evaluate({}, INLINE)
    except ExpressionInvalid:
        return Check("expressions", "ok", "an endless one is stopped; $eval is off")
    return Check("expressions", "error", "$eval is not off")


def _sandbox() -> Check:
    """The process for large expressions starts and answers."""
    import asyncio

    from drawloom.runtime.evaluator import Evaluator

    async def asked() -> Any:
        evaluator = Evaluator()
        try:
            return await evaluator.evaluate("template", "${1 + 1}", {}, 0, 0)
        finally:
            await evaluator.aclose()

    try:
        given = asyncio.run(asked())
    except Exception as exc:  # noqa: BLE001 - whatever keeps it from starting is told
        return Check("expression process", "error", f"{type(exc).__name__}: {exc}")
    if given != 2:
        return Check("expression process", "error", f"1 + 1 gave {given!r}")
    return Check("expression process", "ok", "large expressions have a process of their own")


def _code_steps(project: Project) -> Check:
    """Which sandbox code steps have, tried out where they are on."""
    if not project.settings.code_steps:
        return Check("code steps", "ok", "off; `[code] enabled = true` turns them on")
    from drawloom.connectors.core.sandbox import tried
    from drawloom.errors import ToolError

    try:
        sandbox = tried(project.settings.sandbox)
    except ToolError as exc:
        return Check("code steps", "error", str(exc), "see `Write a step in Python`")
    return Check("code steps", "ok", f"run in a {sandbox.name} sandbox: {sandbox.why}")


def _control_groups(named: str | None) -> Check:
    """Whether isolated calls have control groups of their own, and why not."""
    from drawloom.runtime.isolation.cgroups import CgroupsUnusable, Nest

    name = "control groups"
    try:
        nest = Nest(named)
    except CgroupsUnusable as exc:
        grade: Grade = "ok" if named is None else "warning"
        return Check(name, grade, f"not used for isolated calls: {exc}")
    nest.close()
    if nest.missing:
        found = f"in {nest.home}, without {', '.join(nest.missing)}: not handed down to it"
        return Check(name, "warning", found, "delegate them, and leave no process in it itself")
    return Check(name, "ok", f"isolated calls have their own in {nest.home}")


def _project(project: Project) -> Iterator[Check]:
    from drawloom.errors import ConnectionUnusable

    file = project.file
    where = "no drawloom.toml; all defaults" if file is None else str(file)
    yield Check("project", "ok", where)
    for name, stored in project.connections.items():
        try:
            stored.typed(project.catalogue)
        except ConnectionUnusable as exc:
            yield Check(
                "connection", "error", str(exc), f"drawloom schema connection {stored.kind}"
            )
        else:
            yield Check("connection", "ok", f"{name} ({stored.kind}): its settings are valid")


def _vault(project: Project) -> Check:
    """Whether the root key opens the vault, and each secret that connections use is in it."""
    from drawloom.cli.secret_shapes import used_by
    from drawloom.errors import ValueInvalid, VaultUnusable

    vault, principal = project.vault, project.secrets.principal
    names = [about.name for about in vault.secrets.list(principal)]
    wanted = used_by(project)
    if not names and not wanted:
        return Check("vault", "ok", "no secrets are kept")
    try:
        for name in {*names, *wanted}:
            vault.secrets.get(principal, name)
    except ValueInvalid as exc:
        return Check("vault", "error", str(exc), "set it, or see `Use a connection`")
    except VaultUnusable as exc:
        return Check("vault", "error", str(exc), "restore the root key, or the vault, from a copy")
    return Check("vault", "ok", f"the root key opens all secrets: {len(names)}")


def _connectors(catalogue: Catalogue) -> Iterator[Check]:
    from drawloom.runtime.catalogue import how_to_install

    for name in catalogue.connectors():
        if missing := catalogue.lacking(name):
            yield Check(
                "connector",
                "warning",
                f"{name} cannot be used: {', '.join(missing)} is not installed",
                how_to_install(name, catalogue.about(name)),
            )
        else:
            yield Check("connector", "ok", f"{name} can be used")
