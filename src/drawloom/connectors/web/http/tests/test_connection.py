"""Connections: who asks, how far they reach, and whether the service is there."""

from __future__ import annotations

import ssl
import subprocess
from base64 import b64encode
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from drawloom.connectors.web.http import HttpConnection
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError
from drawloom.sdk.doors import Doors


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello", headers={"Server": "loom"})


async def no_head(request: web.Request) -> web.Response:
    return web.Response(status=405 if request.method == "HEAD" else 200)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "none"}, "Authorization", None),
        ({"type": "bearer", "token": {"env": "TOKEN"}}, "Authorization", "Bearer s3cret"),
        (
            {"type": "basic", "user": "jürgen", "password": {"env": "TOKEN"}},
            "Authorization",
            "Basic " + b64encode("jürgen:s3cret".encode()).decode(),
        ),
        ({"type": "api_key", "key": {"env": "TOKEN"}}, "X-API-Key", "s3cret"),
        ({"type": "api_key", "key": {"env": "TOKEN"}, "name": "X-Key"}, "X-Key", "s3cret"),
    ],
)
async def test_credentials_are_sent(
    lab: Any, monkeypatch: pytest.MonkeyPatch, auth: Any, header: str, value: str | None
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    service = await lab.service(hello)
    client = await lab.client(service.url, auth=auth)
    await client.send("GET", "/")
    assert service.last.headers.get(header) == value


async def test_a_key_in_the_query_stays_out_of_the_answer(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret&x")
    service = await lab.service(hello)
    auth = {"type": "api_key", "key": {"env": "TOKEN"}, "in": "query", "name": "key"}
    client = await lab.client(service.url, auth=auth)
    answer = await client.send("GET", "/x?a=1")
    assert dict(service.last.query) == {"a": "1", "key": "s3cret&x"}
    assert answer.url == f"{service.url}/x?a=1"


async def test_headers_may_be_secret(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    service = await lab.service(hello)
    client = await lab.client(service.url, headers={"X-A": "plain", "X-B": {"env": "TOKEN"}})
    await client.send("GET", "/")
    assert (service.last.headers["X-A"], service.last.headers["X-B"]) == ("plain", "s3cret")
    assert client.redact("plain s3cret") == "plain ***"


async def test_a_missing_secret_is_named(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with pytest.raises(ConnectionUnusable, match="NO_SUCH_TOKEN"):
        await lab.client(
            "http://x.test", auth={"type": "bearer", "token": {"env": "NO_SUCH_TOKEN"}}
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": {"type": "bearer", "token": "typed-in-clear"}},
        {"auth": {"type": "digest"}},
        {"auth": {"type": "basic", "user": "a:b", "password": {"env": "X"}}},
        {"auth": {"type": "bearer", "token": {"env": "X"}, "extra": 1}},
        {"network": "everything"},
        {"timeout": 0},
        {"max_bytes": -1},
        {"no_such_setting": 1},
    ],
)
def test_settings_are_checked(settings: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpConnection.model_validate({"base_url": "https://x.test", **settings})
    assert "typed-in-clear" not in str(caught.value)


def test_settings_show_references_only() -> None:
    made = HttpConnection.model_validate(
        {"base_url": "https://x.test", "auth": {"type": "bearer", "token": {"env": "TOKEN"}}}
    )
    assert made.model_dump(mode="json")["auth"] == {"type": "bearer", "token": {"env": "TOKEN"}}


async def test_the_public_internet_is_the_default(lab: Any) -> None:
    service = await lab.service(hello)
    client = await lab.client(service.url, network="public")
    with pytest.raises(ToolError, match="network: private") as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind is FailureKind.DENIED


async def test_limits_are_those_of_the_connection(lab: Any) -> None:
    client = await lab.client("http://x.test", timeout=1.5, max_bytes=7, redirects=2)
    limits = client.limits
    assert (limits.timeout, limits.max_bytes, limits.max_redirects) == (1.5, 7, 2)


@pytest.mark.parametrize("answer", [hello, no_head])
async def test_a_check_says_how_the_service_is(lab: Any, answer: Any) -> None:
    service = await lab.service(answer)
    connection = HttpConnection(base_url=f"{service.url}/v1", network="private")  # type: ignore[arg-type]
    async with connection.open(Doors()) as client:
        found = await connection.check(client)
    assert found["status"] == 200
    assert found["tls"] is None
    assert found["milliseconds"] > 0
    assert service.last.path == "/v1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, and its key, in one file."""
    if which("openssl") is None:
        pytest.skip("no `openssl` to make a certificate with: install it to test TLS")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", str(path.with_name("key.pem")), "-out", str(path.with_name("cert.pem")),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(
        path.with_name("key.pem").read_bytes() + path.with_name("cert.pem").read_bytes()
    )
    return path


async def secure(lab: Any, certificate: Path) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return await lab.service(hello, context)


async def test_an_untrusted_certificate_is_denied(lab: Any, certificate: Path) -> None:
    service = await secure(lab, certificate)
    client = await lab.client(f"https://localhost:{service.port}")
    with pytest.raises(ToolError, match="certificate is not trusted") as caught:
        await client.send("POST", "/")
    assert caught.value.failure.kind is FailureKind.DENIED
    assert caught.value.failure.harmless
    assert service.requests == []


async def test_a_ca_file_is_trusted_for_its_name_alone(lab: Any, certificate: Path) -> None:
    service = await secure(lab, certificate)
    settings = {"ca_file": str(certificate.with_name("cert.pem"))}
    client = await lab.client(f"https://localhost:{service.port}", **settings)
    answer = await client.send("GET", "/")
    assert answer.tls in ("TLSv1.2", "TLSv1.3")
    client = await lab.client(f"https://127.0.0.1:{service.port}", **settings)
    with pytest.raises(ToolError, match="certificate is not trusted"):
        await client.send("GET", "/")


async def test_verification_can_be_switched_off(lab: Any, certificate: Path) -> None:
    service = await secure(lab, certificate)
    client = await lab.client(f"https://127.0.0.1:{service.port}", verify_tls=False)
    assert (await client.send("GET", "/")).status == 200


async def test_plain_http_to_a_tls_port_is_transient(lab: Any, certificate: Path) -> None:
    service = await lab.service(hello)
    client = await lab.client(f"https://localhost:{service.port}")
    with pytest.raises(ToolError, match=r"no TLS connection|connection was lost") as caught:
        await client.send("POST", "/")
    assert caught.value.failure.kind is FailureKind.TRANSIENT
    assert caught.value.failure.harmless
