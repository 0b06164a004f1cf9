"""The audit: a chain in which an edit is found, lists with filters, and never a secret."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access.people import (
    DAY,
    HERE,
    HOUR,
    NOBODY,
    PASSWORD,
    TERMINAL,
    Clock,
    Counter,
    World,
    refused,
)

from drawloom.access import Action, Origin, Principal, Role, Wanted
from drawloom.access.audit import Audit, Head
from drawloom.access.store import FILE, Store
from drawloom.errors import AccessRefused, StateUnusable


def altered(path: Path, sql: str) -> None:
    """Change rows as somebody would who can write the file."""
    db = apsw.Connection(str(path))
    db.execute("drop trigger if exists audit_is_not_changed")
    db.execute("drop trigger if exists audit_is_not_deleted")
    db.execute(sql)
    assert db.changes() > 0
    db.close()


def filled(folder: Path, count: int = 6) -> Audit:
    store = Store(folder, Clock(), Counter())
    audit = Audit(store)
    for number in range(count):
        audit.append(Principal(name=f"p{number}", origin=HERE), "did", f"what {number}", "main")
    return audit


def test_an_untouched_chain_is_whole(tmp_path: Path) -> None:
    audit = filled(tmp_path, 1200)  # more than are read at once
    checked = audit.verify("default")
    assert checked.broken is None
    assert checked.head == audit.head("default")
    assert checked.head.seq == 1200
    assert audit.verify("nobody").head == Head()


COLUMNS = (
    *("at = at + 1", "who = 'x'", "name = 'x'", "via = 'x'", "did = 'x'", "what = 'x'"),
    *("team = 'x'", "outcome = 'denied'", "address = 'x'", "agent = 'x'", "details = '[]'"),
    *("before = zeroblob(32)", "digest = zeroblob(32)"),
)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [1, 3, 6])
def test_an_edit_of_any_column_is_found(tmp_path: Path, column: str, seq: int) -> None:
    audit = filled(tmp_path)
    if column.startswith("before") and seq == 1:
        column = "before = randomblob(32)"
    altered(tmp_path / FILE, f"update audit set {column} where seq = {seq}")
    assert audit.verify("default").broken == f"entry {seq} was altered"


@pytest.mark.parametrize("seq", range(1, 7))
def test_a_deletion_is_found_the_last_one_too(tmp_path: Path, seq: int) -> None:
    audit = filled(tmp_path)
    altered(tmp_path / FILE, f"delete from audit where seq = {seq}")
    assert str(audit.verify("default").broken).startswith(f"entry {seq} is gone")


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_an_edit_whose_digest_was_made_anew_is_found_in_the_next_entry(
    tmp_path: Path, seq: int
) -> None:
    audit = filled(tmp_path)
    altered(tmp_path / FILE, f"update audit set who = 'x' where seq = {seq}")
    [row] = audit._store.rows("audit_after", "default", seq - 1, seq, 1)
    anew = hashlib.sha256(json.dumps([row[-2].hex(), *row[:-2]]).encode()).hexdigest()
    altered(tmp_path / FILE, f"update audit set digest = x'{anew}' where seq = {seq}")
    assert audit.verify("default").broken == f"entry {seq + 1} was altered"


def test_swapped_added_and_moved_entries_are_found(tmp_path: Path) -> None:
    sqls = (
        "update audit set seq = case seq when 2 then 30 when 3 then 2 else seq end",
        """insert into audit select 'default', 7, at, who, name, via, did, what, team, outcome,
        address, agent, details, before, digest from audit where seq = 6""",
        "update audit_heads set digest = zeroblob(32)",
        "delete from audit_heads",
        "update audit_heads set seq = 5, digest = (select digest from audit where seq = 5)",
    )
    for number, sql in enumerate(sqls):
        audit = filled(tmp_path / str(number))
        altered(tmp_path / str(number) / FILE, sql)
        assert audit.verify("default").broken, sql


def test_a_chain_made_anew_is_found_by_a_head_that_was_noted(tmp_path: Path) -> None:
    audit = filled(tmp_path / "one")
    noted = audit.head("default")
    other = filled(tmp_path / "other", 9)
    assert audit.verify("default", noted).broken is None
    audit.append(NOBODY, "more")
    assert audit.verify("default", noted).broken is None
    assert other.verify("default").broken is None
    longer = Head(noted.seq, "00" * 32)
    assert other.verify("default", longer).broken == "entry 6 is not the one noted"
    assert filled(tmp_path / "short", 3).verify("default", noted).broken


def test_by_the_store_itself_it_is_only_appended_to(tmp_path: Path) -> None:
    filled(tmp_path)
    db = apsw.Connection(str(tmp_path / FILE))
    for sql in ("update audit set who = 'x'", "delete from audit"):
        with pytest.raises(apsw.ConstraintError, match="only appended to"):
            db.execute(sql)
    db.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.text(max_size=8)] * 3), min_size=1, max_size=4, unique=True))
def test_no_two_lists_of_entries_have_one_digest(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, str, str]]
) -> None:
    heads = []
    for shift in (0, 1):
        audit = filled(tmp_path_factory.mktemp("chain"), 0)
        for did, what, team in told:
            # The same characters, with the border between two fields elsewhere.
            joined = did + "x" + what
            border = len(did) + shift
            audit.append(NOBODY, joined[:border], joined[border:], team)
        assert audit.verify("default").broken is None
        heads.append(audit.head("default").digest)
    assert heads[0] != heads[1]


def test_it_is_listed_by_filters_and_pages(world: World, owner: Principal) -> None:
    access, vera = world.access, world.joined(owner, "Vera", Role.AUTHOR)
    begun = world.clock.at
    for number in range(5):
        world.clock.at += HOUR
        access.did(vera, Action.CHAINS_WRITE, "main", f"chain {number}", {"size": number})
    with refused("denied"):
        access.require(vera, Action.SECRETS_WRITE, "main")

    def listed(wanted: Wanted) -> list[str]:
        return [e.what or e.did for e in access.audit(owner, "main", wanted).items]

    chains = [f"chain {number}" for number in (4, 3, 2, 1, 0)]
    assert listed(Wanted(did="chains.write")) == chains
    assert listed(Wanted(what="chain 2", who=vera.user)) == ["chain 2"]
    assert listed(Wanted(outcome="denied")) == ["secrets.write"]
    two = Wanted(did="chains.write", since=begun + 2 * HOUR, until=begun + 4 * HOUR)
    assert listed(two) == ["chain 2", "chain 1"]
    found, cursor = [], None
    while not found or cursor:
        page = access.audit(owner, "main", Wanted(did="chains.write"), cursor, 2)
        found += [(e.what, e.details["size"]) for e in page.items]
        cursor = page.cursor
    assert found == [(f"chain {number}", number) for number in (4, 3, 2, 1, 0)]
    for bad in ("", "x", "-1", "1" * 19, "²"):
        with refused("cursor-unfit"):
            access.audit(owner, "main", cursor=bad)


def test_a_team_sees_its_own_entries_and_the_first_team_what_is_of_none(
    world: World, owner: Principal
) -> None:
    world.login("Olga")
    team = world.access.teams.make(owner, "Looms")
    admin = world.joined(owner, "Theo", Role.ADMIN, team.id)
    assert {e.team for e in world.access.audit(admin, team.id).items} == {team.id}
    assert {e.team for e in world.access.audit(owner, "main").items} == {"main", ""}
    with refused("denied"):
        world.access.audit(admin, "main")
    with refused("denied"):
        world.access.check_audit(admin)


def test_what_another_room_says_is_bounded_and_asked(world: World, owner: Principal) -> None:
    with refused("details-unfit"):
        world.access.did(owner, Action.CHAINS_WRITE, "main", "x", {"text": "x" * 5000})
    viewer = world.joined(owner, "Vera", Role.VIEWER)
    with refused("denied"):
        world.access.did(viewer, Action.CHAINS_WRITE, "main", "x", {"outcome": "done"})
    seq = world.access.did(owner, Action.CHAINS_WRITE, "main", "x", {"outcome": "lie"})
    entry = world.access.audit(owner, "main").items[0]
    assert (entry.seq, entry.outcome, entry.details) == (seq, "done", {"outcome": "lie"})


def test_odd_characters_from_outside_are_written_plainly(world: World, owner: Principal) -> None:
    odd = Principal.nobody(Origin("\ud800::1\n", "a\x00b\x1b[31m\u202e"))
    with refused("login-failed"):
        world.access.logins.login(odd, "\ud800\x00", "\ud800" * 12)
    entry = world.access.audit(owner, "main").items[0]
    assert (entry.address, entry.agent) == ("?::1?", "a?b?[31m?")
    viewer = world.joined(owner, "Vera", Role.VIEWER)
    with refused("denied"):
        world.access.accounts.disable(viewer, "\ud800" + "x" * 5000, 1)
    assert world.access.audit(owner, "main").items[0].what == "?" + "x" * 199 + "…"
    for act in (
        lambda: world.access.accounts.disable(owner, "\ud800", 1),
        lambda: world.access.accounts.listed(owner, "\ud800"),
    ):
        with refused("text-unfit"):
            act()
    assert world.access.check_audit(owner).broken is None


def test_no_secret_is_anywhere(world: World) -> None:
    """Everything that there is, with each secret looked for in reprs, errors, entries, bytes."""
    access, secrets, said = world.access, [PASSWORD, "a wrong canary 1", "new canary word 2"], []

    def kept(shown: object) -> str:
        secrets.append(shown.reveal())  # type: ignore[attr-defined]
        said.append(f"{shown!r} {shown!s} {shown}")
        return str(secrets[-1])

    def fails(act: object, *given: object) -> None:
        with pytest.raises(AccessRefused) as raised:
            act(*given)  # type: ignore[operator]
        error = raised.value
        said.append(f"{error!r} {error} {error.failure!r} {error.__cause__!r} {error.args}")

    link = access.joining.owner_link(TERMINAL)
    fails(access.joining.become_owner, NOBODY, kept(link.secret), "Olga", "new canary word 2"[:9])
    done = access.joining.become_owner(NOBODY, link.secret.reveal(), "Olga", PASSWORD)
    owner = done.principal
    kept(done.session)
    invited = access.joining.invite(owner, "main", "Vera", Role.ADMIN)
    kept(access.joining.join(NOBODY, kept(invited.secret), PASSWORD).session)
    fails(access.joining.join, NOBODY, invited.secret.reveal(), PASSWORD)
    fails(access.logins.login, NOBODY, "Olga", "a wrong canary 1")
    fails(access.logins.login, NOBODY, PASSWORD, "Olga")  # into the wrong field
    again = access.logins.login(NOBODY, "Olga", PASSWORD)
    session = kept(again.session)
    fails(access.logins.change_password, owner, "a wrong canary 1", "new canary word 2")
    kept(access.logins.change_password(owner, PASSWORD, "new canary word 2"))
    fails(access.sessions.authenticate, NOBODY, session)
    made = access.tokens.make(owner, "ci", {Action.CHAINS_READ}, world.clock.at + DAY)
    token = kept(made.token)
    held = access.tokens.authenticate(NOBODY, token)
    fails(access.require, held, Action.SECRETS_WRITE, "main")
    access.tokens.revoke(owner, made.id)
    fails(access.tokens.authenticate, NOBODY, token)
    world.clock.at += 2 * HOUR
    kept(access.sessions.authenticate(NOBODY, secrets[-2]).session)
    said.append(repr((link, done, invited, again, made, held, access.passwords)))
    said.append(repr((access.tokens.listed(owner), access.sessions.listed(owner))))
    said.append(repr(access.audit(owner, "main", limit=200)))
    files = b"".join(path.read_bytes() for path in world.folder.iterdir())
    access.close()
    files += b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert len(set(secrets)) == 11
    for secret in secrets:
        assert secret not in "".join(said)
        assert secret.encode() not in files
        assert secret.removeprefix("drl_").encode() not in files
    assert b"user.joined" in files  # it would have been found
    with pytest.raises(TypeError, match="not copied or pickled"):
        pickle.dumps(link.secret)


def test_its_files_are_its_owners_alone(world: World, owner: Principal) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in world.folder.iterdir()}
    assert modes == dict.fromkeys((FILE, f"{FILE}-wal", f"{FILE}-shm"), 0o600)
    assert world.access._store._opened().pragma("synchronous") == 2  # full
    assert world.access._store._opened().pragma("journal_mode") == "wal"


def test_a_newer_store_is_refused_and_so_is_a_damaged_one(world: World, owner: Principal) -> None:
    world.access.close()
    db = apsw.Connection(str(world.folder / FILE))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(StateUnusable, match="a newer Drawloom"):
        world.access.joining.has_owner(NOBODY)
    for path in world.folder.iterdir():
        path.write_bytes(b"not a database" * 100)
    with pytest.raises(StateUnusable, match=r"access\.db"):
        world.access.joining.has_owner(NOBODY)
