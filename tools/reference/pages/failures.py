"""Failure kinds, effects and errors, from `errors.py` and `policies/`."""

from __future__ import annotations

import inspect

from drawloom import errors
from drawloom.errors import DrawloomError, FailureKind
from drawloom.policies import RETRYABLE, Effect
from drawloom.policies.effect import UNCERTAIN
from pages.markdown import code, comments, table

OPENING = """# Failures and errors

A failure is data: it is what a tool, a step and a run carry when they did not
succeed, and what crosses the journal, the wire and the screen. Its kind is one
of nine words, and the kind decides what may be done about it.

"""

FIELDS = """A failure has a `kind`, a `message`, and sometimes `retry_after` (seconds),
`details` (a JSON object) and `harmless`: true where it is proven that the call
had no effect.

"""

EFFECTS = """## Effects

Each tool declares one. [Why](../why/effects.md) has the reasons.

"""

ERRORS = """## Errors in Python

Exceptions stay inside a process. All of them are in `drawloom.errors`, below
`DrawloomError`.

"""


def page() -> str:
    return f"{OPENING}{kinds()}\n{FIELDS}{EFFECTS}{effects()}\n{ERRORS}{exceptions()}"


def kinds() -> str:
    said = comments("errors.py", r'([A-Z]+) = "')
    rows = [
        [
            code(kind.value),
            said[kind.name],
            "yes" if kind in RETRYABLE else "no",
            "no" if kind in UNCERTAIN else "yes",
        ]
        for kind in FailureKind
    ]
    return table(
        ["kind", "what went wrong", "retried unless told otherwise", "outcome known"], rows
    )


def effects() -> str:
    said = comments("policies/effect.py", r'([A-Z]+) = "')
    rows = [
        [code(e.value), said[e.name], "again" if e.repeatable else "stop as `unknown`"]
        for e in Effect
    ]
    return table(["effect", "meaning", "after an unknown outcome"], rows)


def exceptions() -> str:
    found = [
        (name, value)
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, DrawloomError)
    ]
    return table(
        ["error", "when"], [[code(n), (v.__doc__ or "").partition("\n")[0]] for n, v in found]
    )
