"""What the product needs is under a licence that Apache-2.0 software may depend on."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GOOD = re.compile(
    r"\b(any-osi|apache|mit|0?bsd|psf|python software|isc|mpl|unlicense|bsd-[23]-clause)\b",
    re.IGNORECASE,
)
BAD = re.compile(r"\bA?GPL|\bLGPL|business|source.available|proprietary", re.IGNORECASE)


def requirements() -> list[str]:
    text = (ROOT / "requirements/run.txt").read_text()
    return sorted(set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)))


@pytest.mark.parametrize("package", requirements())
def test_the_licence_is_permissive(package: str) -> None:
    try:
        about = metadata(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not for this platform")
    said = [about.get("License-Expression") or "", about.get("License") or ""]
    said += [c for c in about.get_all("Classifier") or [] if c.startswith("License")]
    words = " ".join(line[:200] for line in said)
    assert GOOD.search(words), f"{package}: unknown licence {words!r}"
    assert not BAD.search(words), f"{package}: {words!r}"


def test_the_licence_text_is_here() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert (ROOT / "NOTICE").exists()
