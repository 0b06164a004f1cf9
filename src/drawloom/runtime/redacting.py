"""Take secrets out of failures: a driver's own words may repeat what it was given."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, quote_plus

from drawloom.errors import ConnectionUnusable, Failure
from drawloom.sdk import Connection
from drawloom.sdk.faults import CUT
from drawloom.sdk.secret import secrets_in

MASK: Final = "***"
_SHORTEST: Final = 4  # a shorter one would wipe out ordinary words, and is none


def values_of(settings: Connection) -> list[str]:
    """The values of all secrets of *settings* that can be opened."""
    found = []
    for _, secret in secrets_in(settings):
        try:
            found.append(secret.open_secret())
        except ConnectionUnusable:
            continue
    return found


def redacted(failure: Failure, secrets: Collection[str]) -> Failure:
    """*failure* with every secret in its message and details replaced by `***`."""
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return failure
    longest_first = sorted(forms, key=len, reverse=True)
    message = _text(failure.message, longest_first)
    details = None if failure.details is None else _within(failure.details, longest_first)
    return replace(failure, message=message, details=details)


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as JSON, Python, a URL, a header or bytes would show it."""
    if len(secret) < _SHORTEST:
        return
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    for encoded in (b64encode(raw), urlsafe_b64encode(raw)):
        yield encoded.decode().rstrip("=")


def _within(value: Any, forms: list[str]) -> Any:
    if isinstance(value, str):
        return _text(value, forms)
    if isinstance(value, Mapping):
        return {_text(name, forms): _within(inner, forms) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_within(inner, forms) for inner in value]
    return value


def _text(text: str, forms: list[str]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    if text.endswith(CUT):
        for form in forms:
            text = _without_beginning(text, form)
    return text


def _without_beginning(text: str, form: str) -> str:
    """*text*, which was cut, without the beginning of a secret that it may end with."""
    shown = text.removesuffix(CUT)
    for length in range(min(len(form), len(shown)), _SHORTEST - 1, -1):
        if shown.endswith(form[:length]):
            return f"{shown[:-length]}{MASK}{CUT}"
    return text
