"""The static check: all that can be known to be wrong with a chain before it runs, at once."""

from __future__ import annotations

from contextlib import suppress

from drawloom.chains.check_conditions import check_conditions
from drawloom.chains.check_constructs import check_constructs
from drawloom.chains.check_desk import Desk, Enough, ToolFinder
from drawloom.chains.check_graph import check_graph, check_inputs
from drawloom.chains.check_references import check_references
from drawloom.chains.check_steps import check_steps
from drawloom.chains.check_tests import check_tests
from drawloom.chains.document import Chain
from drawloom.chains.findings import Finding
from drawloom.chains.loading import read_source, salvage
from drawloom.chains.narrowing import Described
from drawloom.chains.reading import Limits
from drawloom.chains.structure import structural_findings
from drawloom.chains.subchains import FindChain
from drawloom.errors import ChainInvalid


def check(
    chain: Chain,
    catalogue: ToolFinder,
    find_chain: FindChain | None = None,
    described: Described | None = None,
) -> tuple[Finding, ...]:
    """Everything that is wrong with *chain*, in the order of its text.

    *catalogue* gives the tools, *find_chain* the chains that it starts, *described*
    what is known of the services (see `narrowing`). Nothing runs, and nothing is opened.
    """
    structure = structural_findings(chain.document, chain.source) if chain.document else ()
    return _in_order([*structure, *_meaning(chain, catalogue, find_chain, described)])


def check_text(
    text: str | bytes,
    catalogue: ToolFinder,
    *,
    file: str | None = None,
    limits: Limits | None = None,
    find_chain: FindChain | None = None,
    described: Described | None = None,
) -> tuple[Finding, ...]:
    """`check` of YAML or JSON text: what is wrong with the text and with the chain, all at once.

    Of a document with faulty fields the rest is checked as well. Never raises
    `ChainInvalid`.
    """
    try:
        document, source = read_source(text, file=file, limits=limits)
    except ChainInvalid as exc:
        return exc.findings
    chain, findings = salvage(document, source)
    meaning = _meaning(chain, catalogue, find_chain, described) if chain else ()
    return _in_order([*findings, *meaning])


def _meaning(
    chain: Chain,
    catalogue: ToolFinder,
    find_chain: FindChain | None,
    described: Described | None,
) -> list[Finding]:
    desk = Desk(chain, catalogue, find_chain, described)
    with suppress(Enough):
        check_inputs(desk)
        check_constructs(desk)
        check_steps(desk)
        for step in desk.tools:
            desk.output_schema(step)
        check_references(desk)
        check_conditions(desk)
        check_graph(desk)
        if list(chain.tests) == chain.document.get("tests", []):  # else some were left out
            check_tests(desk)
    return desk.findings


def findings_of_tests(
    chain: Chain, catalogue: ToolFinder, find_chain: FindChain | None = None
) -> tuple[Finding, ...]:
    """What is wrong with the tests of *chain* alone."""
    desk = Desk(chain, catalogue, find_chain)
    with suppress(Enough):
        check_tests(desk)
    return _in_order(desk.findings)


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(findings, key=lambda f: (f.line or 0, f.column or 0, f.severity, f.pointer))
    )
