"""Every strategy against what it promises."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.policies.load_balancing import STRATEGIES, Balancer, Instance

strategies = st.sampled_from(STRATEGIES)
pools = st.lists(
    st.tuples(st.sampled_from(["primary", "replica"]), st.integers(1, 5)), min_size=1, max_size=6
).map(lambda many: [Instance(f"i{n}", role, weight) for n, (role, weight) in enumerate(many)])  # type: ignore[arg-type]


@given(strategies, pools, st.booleans(), st.data())
def test_never_one_that_is_ejected_and_never_a_write_to_a_replica(
    strategy: str, pool: list[Instance], reads: bool, data: st.DataObject
) -> None:
    balancer = Balancer(pool, strategy)  # type: ignore[arg-type]
    names = [instance.name for instance in pool]
    for _ in range(10):
        ejected = data.draw(st.sets(st.sampled_from(names)))
        picked = balancer.pick(
            reads=reads,
            ejected=ejected,
            key=data.draw(st.text(max_size=3)),
            draw=data.draw(st.integers(0, 2**32)),
        )
        well = [i for i in pool if i.name not in ejected]
        replicas = [i for i in well if i.role == "replica"]
        allowed = (reads and replicas) or [i for i in well if i.role == "primary"]
        assert picked in allowed if allowed else picked is None
        if picked is not None:
            balancer.began(picked.name)


THREE = [Instance("a"), Instance("b"), Instance("c")]


def test_round_robin_is_even() -> None:
    balancer = Balancer(THREE, "round_robin")
    names = [picked.name for _ in range(9) if (picked := balancer.pick(reads=True))]
    assert all(Counter(names[n : n + 3]) == Counter("abc") for n in range(7))


@pytest.mark.parametrize("strategy", ["least_outstanding", "two_choices"])
def test_a_slow_instance_gets_less(strategy: str) -> None:
    balancer = Balancer(THREE, strategy)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    for n in range(3_000):
        picked = balancer.pick(reads=True, draw=n * 2654435761 % 2**32)
        assert picked is not None
        counts[picked.name] += 1
        balancer.began(picked.name)
        if picked.name != "a":  # a never answers
            balancer.ended(picked.name)
    assert counts["a"] <= (1 if strategy == "least_outstanding" else 400)
    assert min(counts["b"], counts["c"]) > 1_000


def test_two_choices_draws_every_pair() -> None:
    balancer = Balancer(THREE, "two_choices")
    balancer.outstanding.update(a=0, b=1, c=2)
    counts = Counter(p.name for d in range(600) if (p := balancer.pick(reads=True, draw=d)))
    assert counts == {"a": 400, "b": 200}


def test_weights_are_kept_exactly_and_spread() -> None:
    pool = [Instance("a", weight=5), Instance("b"), Instance("c")]
    balancer = Balancer(pool, "weighted")
    names = "".join(p.name for _ in range(7) if (p := balancer.pick(reads=True)))
    assert names == "aabacaa"  # the example of nginx's own commit


def test_the_primary_is_left_only_while_it_is_ejected() -> None:
    balancer = Balancer(THREE, "primary")
    picked = [
        balancer.pick(reads=False, ejected=ejected) for ejected in ((), {"a"}, {"a", "b"}, ())
    ]
    assert [p.name for p in picked if p] == ["a", "b", "c", "a"]


def test_a_lost_instance_moves_only_its_own_keys() -> None:
    balancer = Balancer(THREE, "sticky")
    keys = [f"customer-{n}" for n in range(300)]

    def placed(ejected: set[str]) -> dict[str, str]:
        return {
            k: p.name for k in keys if (p := balancer.pick(reads=True, ejected=ejected, key=k))
        }

    before, after = placed(set()), placed({"b"})
    assert placed(set()) == before
    assert {k for k in keys if before[k] != after[k]} == {k for k in keys if before[k] == "b"}
    assert min(Counter(before.values()).values()) > 60
