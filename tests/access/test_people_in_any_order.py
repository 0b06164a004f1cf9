"""Whatever people do, in any order: there is always an owner, and no right without an entry."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.access.people import DAY, NOBODY, PASSWORD, World

from drawloom.access import Action, Principal, Role
from drawloom.errors import AccessRefused

NUMBERS = st.integers(0, 30)
ROLES = st.sampled_from(Role)
EXPECTED = {
    *("denied", "rank", "not-signed-in", "last-owner", "stale", "missing", "is-member"),
    *("name-taken", "link-unusable", "scope-denied", "has-owner"),
    "needs-session",  # a token may not make a token
}


class People(RuleBasedStateMachine):
    """Real calls on a real file, by people who may or may not be allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.people: list[Principal] = []
        self.teams = ["main"]
        self.links: list[str] = []
        self.checked: tuple[int, set[tuple[str, str, str]]] = (0, set())

    @initialize()
    def begin(self) -> None:
        self.people.append(self.world.owner())

    def who(self, number: int) -> Principal:
        return self.people[number % len(self.people)]

    def team(self, number: int) -> str:
        return self.teams[number % len(self.teams)]

    def tried(self, act: Callable[[], object]) -> None:
        try:
            act()
        except AccessRefused as refused:
            assert refused.code in EXPECTED, refused

    def versions(self, table: str, *where: str) -> int:
        column = "user" if table == "members" else "id"
        team = f" and team = '{where[1]}'" if table == "members" else ""
        rows = self.world.rows(f"select version from {table} where {column} = '{where[0]}'{team}")
        return int(str(rows[0][0])) if rows else 0

    @rule(by=NUMBERS, team=NUMBERS, role=ROLES)
    def invite(self, by: int, team: int, role: Role) -> None:
        def act() -> None:
            joining, name = self.world.access.joining, f"user {len(self.links)}"
            link = joining.invite(self.who(by), self.team(team), name, role)
            self.links.append(link.secret.reveal())

        self.tried(act)

    @precondition(lambda self: self.links)
    @rule(link=NUMBERS)
    def join(self, link: int) -> None:
        def act() -> None:
            secret = self.links[link % len(self.links)]
            done = self.world.access.joining.join(NOBODY, secret, PASSWORD)
            self.people.append(done.principal)

        self.tried(act)

    @rule(number=NUMBERS)
    def login(self, number: int) -> None:
        rows = self.world.rows("select login from users where disabled_at is null order by id")
        self.people.append(self.world.login(str(rows[number % len(rows)][0]))[0])

    @rule(by=NUMBERS, name=NUMBERS)
    def make_team(self, by: int, name: int) -> None:
        def act() -> None:
            made = self.world.access.teams.make(self.who(by), f"team {name}")
            self.teams.append(made.id)

        self.tried(act)

    @rule(by=NUMBERS, team=NUMBERS, user=NUMBERS, role=ROLES, stale=st.booleans())
    def set_role(self, by: int, team: int, user: int, role: Role, stale: bool) -> None:
        place, whom = self.team(team), self.who(user).user
        version = self.versions("members", whom, place) - stale
        teams, me = self.world.access.teams, self.who(by)
        self.tried(lambda: teams.set_role(me, place, whom, role, version))

    @rule(by=NUMBERS, team=NUMBERS, user=NUMBERS, role=ROLES)
    def add(self, by: int, team: int, user: int, role: Role) -> None:
        teams, name = self.world.access.teams, self.who(user).name
        self.tried(lambda: teams.add(self.who(by), self.team(team), name, role))

    @rule(by=NUMBERS, team=NUMBERS, user=NUMBERS)
    def remove_member(self, by: int, team: int, user: int) -> None:
        place, whom = self.team(team), self.who(user).user
        version = self.versions("members", whom, place)
        self.tried(lambda: self.world.access.teams.remove(self.who(by), place, whom, version))

    @rule(by=NUMBERS, team=NUMBERS)
    def adopt(self, by: int, team: int) -> None:
        self.tried(lambda: self.world.access.teams.adopt(self.who(by), self.team(team)))

    @rule(by=NUMBERS, user=NUMBERS, what=st.sampled_from(["disable", "enable", "remove"]))
    def account(self, by: int, user: int, what: str) -> None:
        whom = self.who(user).user
        version = self.versions("users", whom)
        act = getattr(self.world.access.accounts, what)
        self.tried(lambda: act(self.who(by), whom, version))

    @rule(by=NUMBERS, action=st.sampled_from(Action))
    def token(self, by: int, action: Action) -> None:
        def act() -> None:
            made = self.world.access.tokens.make(
                self.who(by), "t", {action}, self.world.clock.at + DAY
            )
            token = self.world.access.tokens.authenticate(NOBODY, made.token.reveal())
            self.people.append(token)

        self.tried(act)

    @rule()
    def another_owner_link(self) -> None:
        terminal = Principal.terminal("weaver")
        self.tried(lambda: self.world.access.joining.owner_link(terminal))

    @invariant()
    def there_is_always_an_owner_who_can_act(self) -> None:
        for team in self.teams if self.people else []:
            rows = self.world.rows(
                f"""select 1 from members m join users u on u.id = m.user
                where m.team = '{team}' and m.role = 'owner' and u.disabled_at is null"""
            )
            assert rows, team

    @invariant()
    def every_right_is_in_the_audit(self) -> None:
        assert self.world.access._audit.verify("default").broken is None
        now = set(self.world.rows("select team, user, role from members"))
        seq, known = self.checked
        for at, did, what, team, details in self.world.rows(
            f"""select seq, did, what, team, details from audit
            where seq > {seq} and outcome = 'done' order by seq"""
        ):
            seq, said = int(str(at)), json.loads(str(details))
            if did in ("user.joined", "member.set"):
                known = {r for r in known if r[:2] != (team, what)}
                known.add((str(team), str(what), said["role"]))
            elif did == "member.removed":
                known = {r for r in known if r[:2] != (team, what)}
            elif did == "user.removed":
                known = {r for r in known if r[1] != what}
        self.checked = seq, known
        assert known == now

    @invariant()
    def a_token_has_nothing_that_its_owner_has_not(self) -> None:
        for person in self.people:
            if person.scopes is None:
                continue
            try:
                token = self.world.access._guard.fresh(person)
            except AccessRefused:
                continue
            rows = self.world.rows(f"select team, role from members where user='{person.user}'")
            assert {(t, str(r)) for t, r in token.roles.items()} == set(rows)
            assert token.scopes == person.scopes

    def teardown(self) -> None:
        self.world.access.close()
        shutil.rmtree(self.folder)


People.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestPeople = People.TestCase
