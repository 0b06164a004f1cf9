"""Outcomes as JUnit XML, in the form that Jenkins, GitLab and GitHub's reporters read.

The elements are those of the Apache Ant JUnit task: `testsuites`, `testsuite`,
`testcase`, and in a case `failure` (the chain is not as expected) or `error`
(the test itself is wrong).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from drawloom.testing.running import Outcome

# What XML 1.0 (section 2.2) does not allow as a character.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS: Final = {"failed": "failure", "wrong": "error"}


@dataclass(frozen=True, slots=True)
class Group:
    """The outcomes of one file. `chain` is the name of the chain that was tested."""

    file: str
    chain: str
    outcomes: tuple[Outcome, ...]


def as_junit(groups: Iterable[Group]) -> str:
    """The whole report, as XML text."""
    listed = list(groups)
    every = [outcome for group in listed for outcome in group.outcomes]
    root = ET.Element("testsuites", {"name": "drawloom", **_counts(every)})
    for group in listed:
        suite = ET.SubElement(
            root, "testsuite", {"name": _xml(group.file), **_counts(group.outcomes)}
        )
        for outcome in group.outcomes:
            _case(suite, group, outcome)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _case(suite: ET.Element, group: Group, outcome: Outcome) -> None:
    name = {"name": _xml(outcome.name), "classname": _xml(group.chain or group.file)}
    case = ET.SubElement(
        suite, "testcase", {**name, "file": _xml(group.file), "time": f"{outcome.seconds:.6f}"}
    )
    if outcome.verdict != "passed":
        message = _xml(outcome.lines[0])
        kind = "TestWrong" if outcome.verdict == "wrong" else "NotAsExpected"
        element = ET.SubElement(
            case, _ELEMENTS[outcome.verdict], {"message": message, "type": kind}
        )
        element.text = _xml("\n".join(outcome.lines))


def _counts(outcomes: Iterable[Outcome]) -> dict[str, str]:
    listed = list(outcomes)
    return {
        "tests": str(len(listed)),
        "failures": str(sum(one.verdict == "failed" for one in listed)),
        "errors": str(sum(one.verdict == "wrong" for one in listed)),
        "skipped": "0",
        "time": f"{sum(one.seconds for one in listed):.6f}",
    }


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
