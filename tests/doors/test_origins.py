"""No path, query or link can lead a request away from its origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from drawloom.doors.origins import Base, Origin
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError

BASE = Base.parse("https://api.test:8443/v1/")

ESCAPES = [
    "//evil.test/x",
    "https://evil.test",
    "HTTPS://evil.test/",
    "/..",
    "/../admin",
    "a/../../b",
    "/%2e%2e/admin",
    "/.%2E/admin",
    "/a%2f..%2fadmin",
    "/./x",
    "\\\\evil.test\\x",
    "/\\evil.test",
    "/a\r\nHost: evil.test",
    "/a\nb",
    "/a\tb",
    "/a\x00b",
    "/x?admin=1",
    "/x#fragment",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_paths_that_could_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ToolError) as caught:
        BASE.target(path)
    assert caught.value.failure.kind is FailureKind.INVALID
    assert caught.value.failure.message.startswith("path ")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/v1"),
        ("/", "/v1/"),
        ("orders", "/v1/orders"),
        ("/orders/7", "/v1/orders/7"),
        ("@evil.test", "/v1/@evil.test"),
        ("user:password@evil.test/x", "/v1/user:password@evil.test/x"),
        ("/ä b", "/v1/%C3%A4%20b"),
        ("/100%", "/v1/100%25"),
        ("/a%20b", "/v1/a%20b"),
        ("/a//b", "/v1/a//b"),
        ("/...", "/v1/..."),
    ],
)
def test_paths_stay_below_the_base(path: str, target: str) -> None:
    assert BASE.target(path) == target


def test_query_is_encoded() -> None:
    target = BASE.target("/s", [("q", "a&b=c#d"), ("q", "ü\r\n"), ("/..", "//x")])
    assert target == "/v1/s?q=a%26b%3Dc%23d&q=%C3%BC%0D%0A&%2F..=%2F%2Fx"


def test_a_long_target_is_refused_by_name_of_the_limit() -> None:
    with pytest.raises(ToolError, match="the limit is 8000"):
        BASE.target("/s", [("q", "x" * 8_000)])


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_path_stays_at_the_origin(path: str, value: str) -> None:
    try:
        target = BASE.target(path, [("q", value)])
    except (ToolError, UnicodeEncodeError):
        return
    url = URL(f"{BASE.origin}{target}", encoded=True)
    assert (url.scheme, url.host, url.port) == ("https", "api.test", 8443)
    assert target.startswith("/v1")
    assert target.isascii()
    assert target.isprintable()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/v1/orders?page=2", "/v1/orders?page=2"),
        ("?page=2", "/v1/orders?page=2"),
        ("https://api.test:8443/v2/x", "/v2/x"),
        ("https://API.test:8443", "/"),
        ("../v3", "/v3"),
    ],
)
def test_links_of_the_same_origin_are_followed(link: str, target: str) -> None:
    assert BASE.follow(link, "/v1/orders?page=1") == target


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/x",
        "//evil.test/x",
        "http://api.test:8443/x",
        "https://api.test/x",
        "https://api.test:8443.evil.test/x",
        "https://api.test.evil.test:8443/x",
    ],
)
def test_links_to_another_origin_are_denied(link: str) -> None:
    with pytest.raises(ToolError) as caught:
        BASE.follow(link, "/v1/orders")
    assert caught.value.failure.kind in (FailureKind.DENIED, FailureKind.INVALID)


@pytest.mark.parametrize(
    "link",
    [
        "https://me@api.test:8443/x",
        "https://api.test:8443\\@evil.test/",
        "/a b",
        "/a\r\nb",
        "ftp://api.test/x",
        "file:///etc/passwd",
        "https://api.test:99999/",
        "https://[::1/",
    ],
)
def test_links_that_are_no_urls_are_invalid(link: str) -> None:
    with pytest.raises(ToolError) as caught:
        BASE.follow(link, "/v1/orders")
    assert caught.value.failure.kind is FailureKind.INVALID


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("api.test", "must begin with http"),
        ("ftp://api.test", "must begin with http"),
        ("https://me:secret@api.test", "put the credentials into `auth`"),
        ("https://api.test/?key=1", "no query"),
        ("https://api.test/#x", "no fragment"),
        ("https://api.test/a/../b", "dot segment"),
        ("https://api test/", "space"),
        ("https://bücher.test/", "xn--"),
        ("https://api.test:0x50/", "not a URL"),
        ("https://", "no proper host"),
        ("https://a%2eb/", "no proper host"),
    ],
)
def test_a_base_url_says_what_is_wrong(url: str, problem: str) -> None:
    with pytest.raises(ConnectionUnusable, match=problem) as caught:
        Base.parse(url)
    assert "secret" not in str(caught.value)


def test_origins_compare_by_their_default_ports() -> None:
    assert Base.parse("https://API.test./").origin == Origin("https", "api.test", 443)
    assert str(Base.parse("http://[::1]:80/x").origin) == "http://[::1]"
    assert str(Base.parse("http://[::1]:8080").origin) == "http://[::1]:8080"
