"""The chains of the folder are checked, and run against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.project import Project

FOLDER = Path(__file__).parents[1]
README = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
SETTINGS = """
[connections.db]
kind = "postgresql"
host = "{host}"
port = {port}
user = "{user}"
database = "{database}"
folder = "."
[connections.data]
kind = "files"
folder = "."
"""


@pytest.fixture
def project(tmp_path: Path, postgresql: dict[str, Any]) -> Project:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**postgresql))
    return Project.find(tmp_path)


async def run(project: Project, text: str) -> Any:
    chain = load(text)
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), {})
    assert result.status == "succeeded", result.failure
    return result.output


async def test_late_orders(project: Project) -> None:
    text = (FOLDER / "examples/late_orders.yaml").read_text("utf-8")
    for _ in range(2):
        assert await run(project, text) == {
            "late": [
                {"id": 1, "email": "ada@example.org", "total": "19.90"},
                {"id": 2, "email": "grace@example.org", "total": "1250.00"},
            ],
            "total": "1269.90",
        }


async def test_a_stream(project: Project) -> None:
    text = (FOLDER / "examples/stream.yaml").read_text("utf-8")
    for _ in range(2):
        assert await run(project, text) == {"batches": 3, "readings": 2_500, "warmest": 39}


@pytest.mark.parametrize("due", ["2020-01-01", "9999-01-01"])
async def test_the_chain_of_the_readme(
    project: Project, postgresql_server, postgresql, due
) -> None:
    await orders(postgresql_server, postgresql, f"INSERT INTO orders VALUES (1, 'a', '{due}')")
    text = README[0]
    late = int(due < "2026")
    assert await run(project, text) == {"late": late, "marked": late}


async def test_the_stream_of_the_readme(
    project: Project, tmp_path: Path, postgresql_server, postgresql
) -> None:
    more = "INSERT INTO orders SELECT n, 'a', '2020-01-01' FROM generate_series(1, 1500) AS n"
    await orders(postgresql_server, postgresql, more)
    text = README[3]
    assert await run(project, text) == {"batches": 2}
    lines = (tmp_path / "orders.jsonl").read_text().splitlines()
    assert lines[-1] == '{"id":1500,"email":"a","total":null}'


async def test_the_tables_of_the_readme(project: Project, postgresql_server, postgresql) -> None:
    connection = await postgresql_server.connect(postgresql["database"])
    await connection.execute(
        "CREATE TABLE invoices (id int8, email text, due date, paid bool, reminded bool);"
        " INSERT INTO invoices VALUES (1, 'a', '2020-01-01', false), (2, 'b', '2020-01-01', true)"
    )
    await connection.close()
    assert await run(project, README[1]) == {"reminded": [{"id": 1}]}


async def test_the_transaction_of_the_readme(
    project: Project, postgresql_server, postgresql
) -> None:
    connection = await postgresql_server.connect(postgresql["database"])
    await connection.execute(
        "CREATE TABLE stock (place text, n int); CREATE TABLE moves (id int PRIMARY KEY, n int);"
        " INSERT INTO stock VALUES ('here', 3), ('there', 0); INSERT INTO moves VALUES (7, 1)"
    )
    assert await run(project, README[2]) == {"changes": 2, "noted": False}
    assert await connection.fetchval("SELECT n FROM stock WHERE place = 'there'") == 3
    await connection.close()


async def test_the_file_of_the_readme(
    project: Project, tmp_path: Path, postgresql_server, postgresql
) -> None:
    (tmp_path / "orders.csv").write_text("id,email,total\n1,a,1.50\n2,b,2.00\n")
    await orders(postgresql_server, postgresql, "")
    assert await run(project, README[4]) == {"loaded": 2}


async def test_the_files_of_the_readme(
    project: Project, tmp_path: Path, postgresql_server, postgresql
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/orders.csv").write_text("total,id,email\n99.50,1,a\n200.00,2,b\n")
    await orders(postgresql_server, postgresql, "")
    assert await run(project, README[5]) == {"loaded": 2, "bytes": 13}
    assert (tmp_path / "out/large.csv").read_text() == "id,email\n2,b\n"


async def orders(postgresql_server, postgresql, sql: str) -> None:
    connection = await postgresql_server.connect(postgresql["database"])
    await connection.execute(
        "CREATE TABLE orders (id int8, email text, due date, late bool, total numeric);" + sql
    )
    await connection.close()
