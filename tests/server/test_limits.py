"""What never comes to a route, and what goes out with every answer."""

from __future__ import annotations

import asyncio
import io

import pytest
from tests.server.conftest import Served

from drawloom.access.principal import Role


async def test_another_name_for_this_server_is_refused(served: Served) -> None:
    got = await served("GET", "/health", None, headers={"Host": "evil.example"})
    assert (got.status, got.code) == (421, "host")


async def test_a_page_of_another_origin_changes_nothing(served: Served) -> None:
    headers = {"Origin": "https://evil.example"}
    got = await served("POST", "/runs", json={"chain": "hello"}, headers=headers)
    assert (got.status, got.code) == (403, "origin")
    assert (await served("GET", "/runs")).json["runs"] == []


@pytest.mark.parametrize("told", [True, False])
async def test_a_body_has_an_end(served: Served, told: bool) -> None:
    async def much() -> object:
        for _ in range(10):
            yield b"x" * (1 << 20)

    data = io.BytesIO(b"x" * (9 << 20)) if told else much()
    headers = {"Content-Type": "application/json"}
    got = await served("POST", "/runs", data=data, headers=headers)
    assert (got.status, got.code) == (413, "too-large")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("{", ""),
        ("[]", ""),
        ('{"chain": 1}', "/chain"),
        ('{"chain": "hello", "more": 1}', "/more"),
        ('{"chain": "hello", "input": {"a": NaN}}', None),
        ('{"chain": "' + "x" * 200 + '"}', "/chain"),
    ],
)
async def test_a_malformed_body_is_named(served: Served, body: str, pointer: str | None) -> None:
    got = await served("POST", "/runs", data=body, headers={"Content-Type": "application/json"})
    assert got.status == 422, got.text
    assert got.code in ("malformed", "invalid")
    if pointer:
        assert got.json["pointer"] == pointer


async def test_what_is_not_there_is_a_problem(served: Served) -> None:
    assert (await served("GET", "/nope")).code == "missing"
    assert (await served("PUT", "/runs")).code == "method"
    assert (await served("GET", "/runs?limit=1000")).code == "malformed"


async def test_every_answer_is_guarded(served: Served) -> None:
    for path in ("/health", "/nope"):
        got = await served("GET", path, None)
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert got.headers["Cache-Control"] == "no-store"


async def test_a_fault_of_ours_shows_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(served.studio.project.catalogue, "tools", broken)
    got = await served("GET", "/tools")
    assert (got.status, got.code, "canary" in got.text) == (500, "defect", False)


async def test_chains_and_tools_are_shown(served: Served) -> None:
    chains = (await served("GET", "/chains", Role.VIEWER)).json["chains"]
    assert [one["chain"] for one in chains] == ["hello", "slow", "waiting"]
    hello = await served("GET", "/chains/hello")
    assert hello.json["text"].startswith("# Which products")
    assert len(hello.headers["ETag"]) == 34
    draft = {"text": hello.json["text"].replace("my.greeting", "my.greting")}
    [finding] = (await served("POST", "/chains/check", json=draft)).json["findings"]
    assert finding["suggestion"] or "greeting" in finding["message"]
    tools = (await served("GET", "/tools?text=greeting")).json["tools"]
    assert [one["tool"] for one in tools] == ["my.greeting"]
    shown = (await served("GET", "/tools/my.greeting")).json
    assert shown["input"]["required"] == ["product", "total"]


async def test_many_at_once(served: Served) -> None:
    answers = await asyncio.gather(*(served("GET", "/me") for _ in range(100)))
    assert {answer.status for answer in answers} == {200}
