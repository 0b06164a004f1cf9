"""Findings as SARIF 2.1.0 (OASIS), the form that code review tools read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from drawloom.chains.findings import Finding
from drawloom.chains.rules import RULES


def as_sarif(findings: Iterable[Finding], *, version: str = "") -> str:
    """One SARIF log with one run. *version* is that of the program that checked."""
    listed = list(findings)
    codes = sorted({finding.code for finding in listed})
    driver: dict[str, Any] = {
        "name": "drawloom",
        "rules": [_rule(code) for code in codes],
    }
    if version:
        driver["version"] = version
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                # Columns count Unicode characters, as they do in findings (SARIF 3.14.17).
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, codes.index(finding.code)) for finding in listed],
            }
        ],
    }
    return json.dumps(log, ensure_ascii=False, indent=2)


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, "shortDescription": {"text": RULES.get(code, code)}}


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    text = finding.message
    if finding.suggestion:
        text = f"{text}. {finding.suggestion[0].upper()}{finding.suggestion[1:]}"
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": text},
        "locations": [_location(finding)],
    }
    if finding.witness:
        result["properties"] = {"witness": finding.witness}
    return result


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": finding.pointer or "/"}]
    }
    if finding.line is not None:
        place: dict[str, Any] = {
            "artifactLocation": {"uri": quote(finding.file or "chain.yaml")},
            "region": {"startLine": finding.line, "startColumn": finding.column},
        }
        if finding.excerpt:
            place["contextRegion"] = {
                "startLine": finding.line,
                "snippet": {"text": finding.excerpt},
            }
        location["physicalLocation"] = place
    return location
