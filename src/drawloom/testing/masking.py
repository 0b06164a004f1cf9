"""Take secrets out of recorded values: by the names of fields, and by what secrets look like.

The values of `Secret`s never come into a journal. This is for what a service
said, or a person typed, in clear. It is a net, not a proof: look at a test
before it is shared. Personal data, such as addresses, are not masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_SHORTEST: Final = 6  # characters of a value that is masked wherever else it stands

#: A field is secret whose name, in small letters and without `-`, `_` and blanks, ends so.
NAMES: Final = (
    *("password", "passwd", "pwd", "passphrase", "passcode"),
    *("secret", "token", "apikey", "accesskey", "secretkey", "privatekey", "signingkey"),
    *("authorization", "cookie", "credential", "credentials", "sessionid", "xapikey"),
    *("connectionstring", "webhookurl"),
)
#: Or whose last word is one of these, which are too short to be the end of a name.
WORDS: Final = ("otp", "pin", "cvv", "cvc")
#: What a secret looks like, wherever it stands in a text.
PATTERNS: Final[Mapping[str, str]] = {
    "bearer token": r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}",
    "basic credentials": r"(?i)\bbasic\s+[A-Za-z0-9+/]{8,}={0,2}",
    "JSON Web Token": r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{16,}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "service key": r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{10,}",
    "password in a URL": r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",
    "secret in a query": r"(?i)(?<=[?&])(?:[a-z_-]*(?:token|password|secret|api_?key|signature))=[^&\s#]+",
}
_EVERY: Final = tuple(re.compile(pattern) for pattern in PATTERNS.values())
_SIGNS: Final = re.compile(r"[-_\s]")


class Masking:
    """Masks the values of one recording. `masked` are the JSON Pointers of what was."""

    def __init__(self) -> None:
        self.masked: list[str] = []
        self._known: set[str] = set()

    def mask(self, value: Any) -> Any:
        """A copy of *value* with every secret as `***` (a secret number as 0).

        A text that was secret under one name is masked wherever else it stands, so
        that what was made of it still fits.
        """
        self._learn(value, secret=False)
        return self._masked(value, "", secret=False)

    def _learn(self, value: Any, *, secret: bool) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                self._learn(inner, secret=secret or is_secret(name))
        elif isinstance(value, list):
            for inner in value:
                self._learn(inner, secret=secret)
        elif secret and isinstance(value, str) and len(value) >= _SHORTEST:
            self._known.add(value)

    def _masked(self, value: Any, at: str, *, secret: bool) -> Any:
        if isinstance(value, Mapping):
            return {
                name: self._masked(inner, f"{at}/{name}", secret=secret or is_secret(name))
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._masked(v, f"{at}/{n}", secret=secret) for n, v in enumerate(value)]
        kept = _whole(value) if secret else self._part(value)
        if kept != value:
            self.masked.append(at)
        return kept

    def _part(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for known in sorted(self._known, key=len, reverse=True):
            value = value.replace(known, MASK)
        for pattern in _EVERY:
            value = pattern.sub(MASK, value)
        return value


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    words = _SIGNS.split(name.lower())
    return words[-1] in WORDS or "".join(words).endswith(NAMES)


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return MASK if isinstance(value, str) else 0
