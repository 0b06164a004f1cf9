"""Who may what: every route, every role, and nobody."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from tests.server.conftest import PASSWORD, Served

from drawloom.access import Action
from drawloom.access.principal import Role
from drawloom.server.gate import COOKIE, Allowed, somebody
from drawloom.server.routes import ROUTERS
from drawloom.server.serving import terminal

OPEN = {("GET", "/health"), ("POST", "/owner"), ("POST", "/session")}
# In the test's own words: who may at least.
LEAST = {
    ("GET", "/version"): Role.VIEWER,
    ("GET", "/me"): Role.VIEWER,
    ("GET", "/audit"): Role.ADMIN,
    ("GET", "/tools"): Role.VIEWER,
    ("GET", "/tools/{name}"): Role.VIEWER,
    ("GET", "/chains"): Role.VIEWER,
    ("POST", "/chains/check"): Role.VIEWER,
    ("GET", "/chains/{name}"): Role.VIEWER,
    ("POST", "/runs"): Role.RUNNER,
    ("GET", "/runs"): Role.VIEWER,
    ("GET", "/runs/{id}"): Role.VIEWER,
    ("GET", "/runs/{id}/events"): Role.VIEWER,
    ("GET", "/runs/{id}/live"): Role.VIEWER,
    ("POST", "/runs/{id}/cancel"): Role.RUNNER,
    ("POST", "/runs/{id}/signals"): Role.RUNNER,
    ("POST", "/runs/{id}/answers"): Role.RUNNER,
    ("POST", "/runs/{id}/outcomes"): Role.AUTHOR,
}
SESSION_ONLY = {
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("DELETE", "/tokens/{id}"),
    ("DELETE", "/session"),
}
BODIES: dict[str, Any] = {
    "/runs": {"chain": "hello"},
    "/chains/check": {"text": "chain: x"},
    "/runs/{id}/signals": {"name": "x"},
    "/runs/{id}/answers": {"step": "x", "approve": True},
    "/runs/{id}/outcomes": {"call": "x", "outcome": "failed"},
    "/tokens": {"name": "x", "scopes": ["runs.read"]},
}


def routes() -> list[tuple[str, APIRoute]]:
    every = [route for router in ROUTERS for route in router.routes]
    return [(m, r) for r in every if isinstance(r, APIRoute) for m in sorted(r.methods or ())]


def test_each_route_says_who_may() -> None:
    for method, route in routes():
        calls = [dependant.call for dependant in route.dependant.dependencies]
        guards = [call for call in calls if isinstance(call, Allowed) or call is somebody]
        assert len(guards) == ((method, route.path) not in OPEN), (method, route.path)


def test_the_table_is_whole() -> None:
    assert {(m, r.path) for m, r in routes()} == OPEN | SESSION_ONLY | LEAST.keys()


async def test_every_route_for_every_role(served: Served) -> None:
    for method, route in routes():
        place = (method, route.path)
        if place in OPEN:
            continue
        path = route.path.replace("{id}", "nope").replace("{name}", "nope")
        body = {"json": BODIES.get(route.path, {})} if method == "POST" else {}
        for role in (None, *Role):
            got = await served(method, path, role, **body)
            if role is None:
                assert (got.status, got.code) == (401, "not-signed-in"), place
            elif place in SESSION_ONLY:
                assert (got.status, got.code) == (403, "needs-session"), place
            elif role.rank < LEAST[place].rank:
                assert (got.status, got.code) == (403, "denied"), (place, role)
            else:
                assert got.status in (200, 201, 404), (place, role, got.text)


async def test_a_denied_attempt_is_in_the_audit(served: Served) -> None:
    await served.token(Role.OWNER)
    assert (await served("POST", "/runs", Role.VIEWER, json={"chain": "hello"})).status == 403
    [first, *_] = (await served("GET", "/audit?limit=5")).json["entries"]
    assert (first["did"], first["outcome"], first["name"]) == ("runs.start", "denied", "viewer")
    assert first["address"] == "127.0.0.1"


async def test_the_first_owner_signs_in_makes_a_token_and_leaves(served: Served) -> None:
    link = served.access.joining.owner_link(terminal()).secret.reveal()
    given = {"link": link, "name": "Ada", "password": PASSWORD}
    made = await served("POST", "/owner", None, json=given)
    assert (made.status, made.json["roles"]) == (201, {"main": "owner"})
    cookie = made.headers["Set-Cookie"]
    assert all(word in cookie for word in (COOKIE, "HttpOnly", "SameSite=strict"))
    assert PASSWORD not in made.text
    again = await served("POST", "/owner", None, json=given)
    assert again.status in (403, 409), "the link is good once"
    origin = {"Origin": served.url.removesuffix("/api/v1")}
    wanted = {"name": "ci", "scopes": [str(Action.RUNS_READ)]}
    assert (await served("POST", "/tokens", None, json=wanted)).code == "csrf"
    token = await served("POST", "/tokens", None, json=wanted, headers=origin)
    assert token.status == 201, token.text
    bearer = {"Authorization": f"Bearer {token.json['token']}"}
    assert (await served("GET", "/runs", None, headers=bearer)).status == 200
    assert (await served("GET", "/tools", None, headers=bearer)).status == 403
    [listed] = (await served("GET", "/tokens", None)).json["tokens"]
    assert listed["name"] == "ci"
    assert token.json["token"] not in str(listed)
    gone = await served("DELETE", f"/tokens/{token.json['id']}", None, headers=origin)
    assert gone.status == 204
    assert (await served("GET", "/runs", None, headers=bearer)).status == 401
    assert (await served("DELETE", "/session", None, headers=origin)).status == 204
    assert (await served("GET", "/me", None)).status == 401
    wrong = await served("POST", "/session", None, json={"name": "Ada", "password": "no"})
    assert (wrong.status, "Set-Cookie" in wrong.headers) == (403, False)
    right = await served("POST", "/session", None, json={"name": "Ada", "password": PASSWORD})
    assert right.status == 201


@pytest.mark.parametrize("token", ["", "x", "drl_" + "0" * 49, "drl_" * 10_000])
async def test_a_token_that_is_none(served: Served, token: str) -> None:
    got = await served("GET", "/me", None, headers={"Authorization": f"Bearer {token}"})
    assert (got.status, got.headers.get("WWW-Authenticate")) == (401, "Bearer")
