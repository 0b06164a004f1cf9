"""What a database holds, and what the static check makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import ValueInvalid
from drawloom.project import Project
from drawloom.project.described import read_described

TABLES = """
CREATE SCHEMA shop;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN day AS date NOT NULL;
CREATE TABLE shop.customers (id int8 PRIMARY KEY, email text UNIQUE);
CREATE TABLE orders (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int8 REFERENCES shop.customers,
    total numeric(10, 2) NOT NULL DEFAULT 0, due day, how mood, notes text[]
);
CREATE INDEX by_due ON orders (due, (id + 1));
CREATE VIEW late AS SELECT id, due FROM orders;
COMMENT ON COLUMN orders.total IS 'with tax';
"""


@pytest.fixture
async def shop(db: Any, postgresql_server: Any) -> Any:
    connection = await postgresql_server.connect(db.client.settings.database)
    await connection.execute(TABLES)
    await connection.close()
    return db


async def test_schemas_and_tables(shop):
    assert [one["name"] for one in (await shop("schemas"))["schemas"]] == ["public", "shop"]
    found = (await shop("tables"))["tables"]
    assert [(one["schema"], one["name"], one["kind"]) for one in found] == [
        ("public", "late", "view"),
        ("public", "orders", "table"),
        ("shop", "customers", "table"),
    ]
    assert len((await shop("tables", schema="shop"))["tables"]) == 1


async def test_columns(shop):
    found = {one["name"]: one for one in (await shop("columns", table="orders"))["columns"]}
    assert list(found) == ["id", "customer", "total", "due", "how", "notes"]
    assert found["id"]["generated"]
    assert not found["id"]["nullable"]
    total = found["total"]
    assert (total["type"], total["base"]) == ("numeric(10,2)", "numeric")
    assert (total["nullable"], total["default"], total["comment"]) == (False, "0", "with tax")
    due = found["due"]
    assert (due["type"], due["base"], due["nullable"]) == ("day", "date", False)
    assert (found["how"]["nullable"], found["notes"]["base"]) == (True, "text[]")


async def test_keys_indexes_and_enums(shop):
    keys = {one["name"]: one for one in (await shop("keys"))["keys"]}
    foreign = keys["orders_customer_fkey"]
    assert (foreign["kind"], foreign["columns"]) == ("foreign", ["customer"])
    assert (foreign["references"], foreign["referenced"]) == ("shop.customers", ["id"])
    assert keys["customers_email_key"]["kind"] == "unique"
    indexes = {one["name"]: one for one in (await shop("indexes", table="orders"))["indexes"]}
    assert indexes["by_due"]["columns"] == ["due", None]
    assert (indexes["by_due"]["unique"], indexes["orders_pkey"]["unique"]) == (False, True)
    assert (await shop("enums"))["enums"] == [
        {"schema": "public", "name": "mood", "labels": ["sad", "happy"]}
    ]


CHAIN = """
chain: c
connections: {db: postgresql}
steps:
  read: {use: postgresql.select, on: db, with: {table: orders, WITH}}
  wait: {use: core.sleep, with: {seconds: "${READ}"}}
"""


@pytest.fixture
async def checked(shop: Any, tmp_path: Path) -> Any:
    saved = tmp_path / "catalogue.json"
    saved.write_text(json.dumps(await shop("catalogue")))
    project = Project(tmp_path)

    def check(with_: str = "limit: 1", read: str = "steps.read.rows[0].id", slot: str = "") -> Any:
        chain = tmp_path / "chain.yaml"
        chain.write_text(CHAIN.replace("WITH", with_).replace("READ", read))
        described = read_described([f"{slot}{saved}"], project.catalogue)
        found = project.findings_in(chain, described)
        return [(one.code, one.pointer) for one in found if one.severity == "error"]

    return check


@pytest.mark.parametrize("slot", ["", "db="])
async def test_a_column_that_is_not_there_is_a_finding(checked, slot):
    assert checked(slot=slot) == []
    missing = ("unknown-output-field", "/steps/wait/with/seconds")
    assert checked(read="steps.read.rows[0].ids", slot=slot) == [missing]
    assert checked("columns: [due]", slot=slot) == [missing]


async def test_types_are_those_of_the_columns(checked):
    assert checked(read="steps.read.rows[0].total") != [], "a numeric is a text"
    assert checked("columns: [id], shape: column", "steps.read.rows[0]") == []
    assert checked("shape: keyed, key: id", "steps.read.rows.one.id") == []
    assert checked("shape: keyed, key: id", "steps.read.rows.one.total") != []


@pytest.mark.parametrize(
    ("with_", "pointer"),
    [
        ("columns: [id, totl]", "/steps/read/with/columns/1"),
        ("order: [{column: nope}]", "/steps/read/with/order/0/column"),
        (
            "where: {and: [{column: id, op: not_null}, {column: gone, op: is_null}]}",
            "/steps/read/with/where/and/1/column",
        ),
        ("schema: shop", "/steps/read/with/table"),
    ],
)
async def test_a_name_that_is_not_there_is_a_finding_at_its_place(checked, with_, pointer):
    assert ("not-in-catalogue", pointer) in checked(with_)


async def test_a_file_that_is_no_catalogue_is_refused(tmp_path):
    saved = tmp_path / "x.json"
    tools = Project(tmp_path).catalogue
    for text in ("[]", '{"connector": "nope"}', '{"connector": "postgresql"}'):
        saved.write_text(text)
        with pytest.raises(ValueInvalid, match=r"x\.json"):
            read_described([str(saved)], tools)
    with pytest.raises(ValueInvalid, match="No such file"):
        read_described(["db=nowhere.json"], tools)
