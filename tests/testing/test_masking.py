"""What is masked in a recorded test, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.testing.masking import NAMES, PATTERNS, WORDS, Masking, is_secret

LOOKS: dict[str, str] = {
    "bearer token": "Authorization is Bearer abcdef123456",
    "basic credentials": "Basic dXNlcjpwYXNzd29yZA==",
    "JSON Web Token": "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "AWS access key": "key AKIAIOSFODNN7EXAMPLE here",
    "GitHub token": "ghp_0123456789abcdefghijABCDEFGHIJ",
    "GitLab token": "glpat-0123456789abcdefghij",
    "Slack token": "xoxb-1234567890-abcdef",
    "Google API key": "AIza" + "0" * 35,
    "service key": "sk_live_0123456789abcdef",
    "password in a URL": "postgres://ada:lovelace@db.example/shop",
    "secret in a query": "https://a.example/x?id=1&api_key=123456#top",
}


def test_every_pattern_is_shown() -> None:
    assert LOOKS.keys() == PATTERNS.keys()


@pytest.mark.parametrize("name", LOOKS)
def test_what_looks_like_a_secret_is_masked(name: str) -> None:
    masking = Masking()
    found = masking.mask({"a": [LOOKS[name]]})["a"][0]
    assert "***" in found
    assert masking.masked == ["/a/0"]
    assert masking.mask(found) == found


def test_only_the_secret_is_taken_out() -> None:
    shown = Masking().mask([LOOKS["password in a URL"], LOOKS["secret in a query"]])
    assert shown == ["postgres://***@db.example/shop", "https://a.example/x?id=1&***#top"]


@pytest.mark.parametrize("name", [*NAMES, *WORDS])
def test_every_secret_name_counts_in_any_spelling(name: str) -> None:
    assert is_secret(name)
    assert is_secret(f"My-{name.title()}")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "x"}, {"password": "***"}),
        ({"X-API-Key": "x"}, {"X-API-Key": "***"}),
        ({"card": {"pin": 1234, "ok": True}}, {"card": {"pin": 0, "ok": True}}),
        ({"token": {"a": ["x", None]}}, {"token": {"a": ["***", None]}}),
        ({"token": "sesame-1", "said": "it was sesame-1"}, {"token": "***", "said": "it was ***"}),
    ],
)
def test_fields_with_secret_names(value: Any, masked: Any) -> None:
    assert Masking().mask(value) == masked


@pytest.mark.parametrize(
    "value",
    [
        {"tokens": 3, "tokenizer": "x", "secretary": "ada", "opinion": "well", "spin": 3},
        {"url": "https://example.org/a:b@c", "text": "bearer of news", "mail": "ada@example.org"},
        {"token": "abc", "said": "abc is short"},
    ],
)
def test_what_is_no_secret_stays(value: dict[str, Any]) -> None:
    masking = Masking()
    found = masking.mask(value)
    assert {**found, "token": 0} == {**value, "token": 0}
