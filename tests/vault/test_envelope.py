"""The envelope and the ring: whatever is altered, moved or cut is refused with a typed error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.errors import VaultUnusable
from drawloom.vault.envelope import belonging, new_key, seal, unseal
from drawloom.vault.keyring import Ring, Wrapped, new_wrapped, open_ring
from drawloom.vault.root_key import name_of

KEY = new_key()
ROOT = new_key()
parts = st.lists(st.text() | st.integers(), min_size=1, max_size=5)


@given(st.binary(max_size=300), parts)
def test_what_is_sealed_is_given_back(plain: bytes, where: list[str | int]) -> None:
    assert unseal(KEY, seal(KEY, plain, belonging(*where)), belonging(*where)) == plain


@given(st.binary(max_size=64), st.data())
def test_any_bit_that_differs_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, plain, b"here"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VaultUnusable):
        unseal(KEY, bytes(sealed), b"here")


@given(st.binary(max_size=64), st.data())
def test_what_is_cut_or_grown_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = seal(KEY, plain, b"here")
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for other in (cut, sealed + data.draw(st.binary(min_size=1, max_size=9))):
        with pytest.raises(VaultUnusable):
            unseal(KEY, other, b"here")


@given(parts, parts)
def test_what_belongs_elsewhere_is_noticed(here: list[str | int], there: list[str | int]) -> None:
    told = [[str(part) for part in parts] for parts in (here, there)]
    assert (belonging(*here) == belonging(*there)) is (told[0] == told[1])
    if told[0] != told[1]:
        with pytest.raises(VaultUnusable):
            unseal(KEY, seal(KEY, b"x", belonging(*here)), belonging(*there))


def test_parts_do_not_run_into_each_other() -> None:
    assert belonging("ab", "c") != belonging("a", "bc") != belonging("abc")


@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_another_key_opens_nothing(other: bytes) -> None:
    with pytest.raises(VaultUnusable):
        unseal(other, seal(KEY, b"x", b""), b"")


def test_sealing_twice_gives_two_texts() -> None:
    assert len({seal(KEY, b"x", b"") for _ in range(200)}) == 200


@given(st.integers(1, 6), st.data())
def test_an_older_key_opens_what_it_sealed_and_only_there(count: int, data: st.DataObject) -> None:
    kept = [new_wrapped(ROOT, name_of(ROOT)) for _ in range(count)]
    kept = [Wrapped(w.id, w.root, w.wrapped, w is kept[-1]) for w in kept]
    ring = open_ring(kept, ROOT, name_of)
    assert ring.primary == kept[-1].id
    old = data.draw(st.sampled_from(kept)).id
    _, sealed = Ring(ring.keys, old).seal(b"x", "default", "a", 1)
    assert ring.unseal(old, sealed, "default", "a", 1) == b"x"
    for other in [("other", "a", 1), ("default", "b", 1), ("default", "a", 2)]:
        with pytest.raises(VaultUnusable):
            ring.unseal(old, sealed, *other)
    for key in [*(ring.keys.keys() - {old}), "none"]:
        with pytest.raises(VaultUnusable):
            ring.unseal(key, sealed, "default", "a", 1)


def test_another_root_key_is_named_and_an_altered_ring_is_told_apart() -> None:
    kept = new_wrapped(ROOT, name_of(ROOT))
    other = new_key()
    with pytest.raises(VaultUnusable, match="another root key") as raised:
        open_ring([kept], other, name_of)
    assert name_of(other) in str(raised.value)
    assert other.hex() not in str(raised.value)
    altered = Wrapped(kept.id, kept.root, kept.wrapped[:-1] + b"\0\0", True)
    with pytest.raises(VaultUnusable, match=f"the key {kept.id} of the ring"):
        open_ring([altered], ROOT, name_of)
    with pytest.raises(VaultUnusable, match="no primary"):
        open_ring([Wrapped(kept.id, kept.root, kept.wrapped)], ROOT, name_of)


def test_keys_are_not_shown() -> None:
    ring = open_ring([new_wrapped(ROOT, name_of(ROOT))], ROOT, name_of)
    [key] = ring.keys.values()
    assert repr(key) not in repr(ring)
    assert "wrapped=" not in repr(new_wrapped(ROOT, name_of(ROOT)))
