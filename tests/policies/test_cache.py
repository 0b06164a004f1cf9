"""The cache against a model without a bound, for any order of use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from drawloom.policies.cache import Cache, Entry, cache_key

ROOM = 1_500
keys = st.sampled_from("abcdefgh")


class Answers(RuleBasedStateMachine):
    """The model keeps entries in the order of their last use."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(ROOM)
        self.now = 0.0
        self.model: dict[str, Entry] = {}

    @rule(seconds=st.floats(0.1, 5))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        key=keys,
        size=st.integers(0, 1_600),
        ttl=st.floats(0.1, 5),
        stale=st.floats(0, 5),
        tag=st.sampled_from("xy"),
    )
    def put(self, key: str, size: int, ttl: float, stale: float, tag: str) -> None:
        until = self.now + ttl
        entry = Entry(key, f"t.{key}", b"x" * size, until, until + stale, (tag,))
        gone = self.cache.put(entry)
        self.model.pop(key, None)
        if entry.bytes > ROOM:
            assert gone == (key,)
            return
        self.model[key] = entry
        expected = []
        while sum(e.bytes for e in self.model.values()) > ROOM:
            expected.append(next(iter(self.model)))
            del self.model[expected[-1]]
        assert gone == tuple(expected)

    @rule(key=keys)
    def get(self, key: str) -> None:
        found = self.cache.get(key, self.now)
        entry = self.model.pop(key, None)
        if entry is None or self.now >= entry.stale_until:
            assert found is None
            return
        self.model[key] = entry
        assert found == (entry, "fresh" if self.now < entry.fresh_until else "stale")

    @rule(tag=st.sampled_from("xy"), key=st.none() | keys)
    def drop(self, tag: str, key: str | None) -> None:
        hit = [k for k, e in self.model.items() if tag in e.tags and key in (None, k)]
        assert set(self.cache.drop(tag=tag, key=key)) == set(hit)
        for k in hit:
            del self.model[k]

    @rule(key=keys)
    def drop_a_tool(self, key: str) -> None:
        self.cache.drop(tool=f"t.{key}")
        self.model.pop(key, None)

    @rule()
    def sweep(self) -> None:
        gone = {k for k, e in self.model.items() if self.now >= e.stale_until}
        assert set(self.cache.expired(self.now)) == gone
        for k in gone:
            del self.model[k]

    @invariant()
    def the_bytes_are_counted_and_bounded(self) -> None:
        assert self.cache.used == sum(e.bytes for e in self.model.values()) <= ROOM
        assert len(self.cache) == len(self.model)


TestAnswers = Answers.TestCase

parts = st.tuples(
    st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.binary(max_size=4)
)


@given(parts, parts)
def test_two_questions_never_share_a_name(
    one: tuple[str, str, str, bytes], other: tuple[str, str, str, bytes]
) -> None:
    assert (cache_key(*one) == cache_key(*other)) == (one == other)


def test_where_one_part_ends_is_part_of_the_name() -> None:
    assert cache_key("ab", "c", "", b"") != cache_key("a", "bc", "", b"")
