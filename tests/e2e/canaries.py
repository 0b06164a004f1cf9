"""Twelve secrets of every awkward shape, and every form in which one could come to light."""

from __future__ import annotations

import codecs
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus


def core(number: int) -> str:
    """The part of a canary that is in it whatever its shape, and nowhere else."""
    return f"cAnArY{number:02}Zq9Xw"


SHAPES = (
    "{}",
    'it\'s "{}" `quoted`',
    "pässwörd-€-{}-日本",
    "a/b?c={}&d=%40#e+f@g:h",
    "-----BEGIN KEY-----\n{}\n-----END KEY-----",
    "{}==",
    '{{"password": "{}", "n": 1}}',
    "back\\slash\\{}\\n\\t",
    "--option={}",
    "${{input.{}}} {{{{ env }}}}",
    "\x1b[31m{}\x07",
    "{0}" + "x" * 4000 + "{0}",
)
CANARIES = {f"c{n:02}": shape.format(core(n)) for n, shape in enumerate(SHAPES, 1)}


def forms(number: int) -> Iterator[bytes]:
    """The core in clear, in hexadecimal, in base64 at each offset, in UTF-16, turned and rotated."""
    text = core(number)
    raw = text.encode()
    yield from (raw, raw.hex().encode(), raw[::-1], text.encode("utf-16-le"))
    yield codecs.encode(text, "rot13").encode()
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + raw)
        yield encoded[(4 if offset else 0) : -4]  # what does not depend on what stands around
    whole = CANARIES[f"c{number:02}"]
    yield from (quote(whole, safe="").encode(), quote_plus(whole).encode())
    yield from (json.dumps(whole)[1:-1].encode(), repr(whole)[1:-1].encode())
    yield from (b64encode(whole.encode()), urlsafe_b64encode(whole.encode()))


EVERY = {form: n for n in range(1, len(SHAPES) + 1) for form in forms(n)}


def found_in(content: bytes) -> set[str]:
    """The canaries that *content* holds in any form."""
    return {f"c{number:02}" for form, number in EVERY.items() if form in content}


def found_below(folder: Path) -> dict[str, set[str]]:
    """The canaries in each file below a folder, in its content or its name."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    told = {str(p.relative_to(folder)): found_in(p.read_bytes() + bytes(p)) for p in files}
    return {name: found for name, found in told.items() if found}


def found_in_processes(pid: int) -> dict[str, set[str]]:
    """The canaries in the arguments and the environment of a process and all below it."""
    told: dict[str, set[str]] = {}
    for child in (pid, *below(pid)):
        for part in ("cmdline", "environ"):
            told[f"{child}/{part}"] = found_in(Path(f"/proc/{child}/{part}").read_bytes())
    return {name: found for name, found in told.items() if found}


def below(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *below(int(child))]
    return found
