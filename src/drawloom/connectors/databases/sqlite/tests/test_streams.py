"""A table as a stream: each row once, in its order, from any cursor on."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.connectors.databases.sqlite import connector
from drawloom.connectors.databases.sqlite.tests.conftest import Client
from drawloom.errors import FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import read_checked

TOOL = connector.tools["sqlite.stream"]


async def read(db: Client, batch: int, **given: Any) -> list[list[Any]]:
    return await read_checked(TOOL, db.database, batch=batch, **given)


@pytest.mark.parametrize("column", ["x", "_rowid_", "rowid", "oid"])
async def test_each_row_comes_once_whatever_its_columns_are_called(
    db: Client, column: str
) -> None:
    await db("execute", sql=f'CREATE TABLE t ("{column}" INTEGER, n INTEGER)')
    for n in range(5):
        await db("execute", sql="INSERT INTO t VALUES (1, ?)", args=[n])
    chunks = await read(db, 2, table="t")
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert [row for chunk in chunks for row in chunk] == [{column: 1, "n": n} for n in range(5)]


async def test_a_table_that_hides_its_order_is_refused(db: Client) -> None:
    await db("execute", sql="CREATE TABLE t (rowid INTEGER, _rowid_ INTEGER, oid INTEGER)")
    with pytest.raises(Exception) as raised:
        await read(db, 2, table="t")
    assert name_fault(connector.faults, raised.value).kind is FailureKind.INVALID


async def test_columns_are_chosen_and_missing_ones_named(db: Client) -> None:
    await db("execute", sql="CREATE TABLE t (a INTEGER, b INTEGER)")
    await db("execute", sql="INSERT INTO t VALUES (1, 2)")
    assert await read(db, 2, table="t", columns=["b"]) == [[{"b": 2}]]
    with pytest.raises(Exception, match="no column 'c'; it has a, b"):
        await read(db, 2, table="t", columns=["c"])
    with pytest.raises(Exception, match="no table"):
        await read(db, 2, table="nix")
