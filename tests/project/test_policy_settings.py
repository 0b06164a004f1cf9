"""Policies are read strictly; an impossible number is refused with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom.errors import ValueInvalid
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Instance
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.project import Project, Settings, read_settings
from drawloom.project.policy_settings import __doc__ as shown
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule


def read(folder: Path, text: str) -> Settings:
    path = folder / "drawloom.toml"
    path.write_text(text)
    return read_settings(path)


def test_what_the_docs_show_is_read(tmp_path: Path) -> None:
    text = (
        (shown or "").partition("\n\n")[2].rpartition("\n\n")[0].replace("\n    ", "\n").lstrip()
    )
    found = read(tmp_path, f'[connections.api]\nkind = "http"\nbase_url = "http://x"\n{text}')
    assert found.policies == Policies(
        chain_concurrency=500,
        tools={"http.request": 20},
        connections={"api": ConnectionLimits(RateRule(5.0, 10), 8)},
        pools={
            "api": PoolRule(
                (Instance("api#1"), Instance("api#2", "replica", 3)),
                "two_choices",
                {
                    "api#1": {"base_url": "https://a.example.org"},
                    "api#2": {"base_url": "https://b.example.org"},
                },
                HealthRule(10.0, 2.0),
            )
        },
    )
    assert found.connections["api"].settings == {"base_url": "http://x"}


def test_every_number_is_taken(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "[policies]\nconcurrency = 7\nconnection_concurrency = 6\nqueue = 0\n"
        "[policies.breaker]\nfailure_rate = 1\nminimum_calls = 2\ncalls = 3\nwindow = 4\n"
        'open_for = "500ms"\nopen_at_most = "2m"\nprobes = 1\n'
        '[policies.retry_budget]\nratio = 0.2\nreserve = 0\nwindow = "1m"\n',
    )
    rule = BreakerRule(1.0, 2, 3, 4.0, 0.5, 120.0, 1)
    budget = BudgetRule(0.2, 0, 60.0)
    assert found.policies == Policies(7, None, 6, 0, rule, budget)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policies = 1", r"policies: must be a table"),
        ("[policies]\nconcurency = 1", r"policies\.concurency: .*did you mean 'concurrency'"),
        ("[policies]\nconcurrency = 0", r"policies\.concurrency: must be a whole number from 1"),
        ("[policies]\nqueue = true", r"policies\.queue: must be a whole number from 0"),
        ("[policies.breaker]\nfailure_rate = 1.5", r"breaker\.failure_rate: .* from 0\.01 to 1"),
        ("[policies.breaker]\nfailure_rate = nan", r"breaker\.failure_rate: "),
        ("[policies.breaker]\nminimum_calls = 200", r"minimum_calls: 200 can never be reached"),
        ('[policies.breaker]\nopen_for = "2m"', r"open_for: must not be longer"),
        ('[policies.breaker]\nwindow = "soon"', r"policies\.breaker\.window: "),
        ("[policies.breaker]\nwindow = 0", r"window: must be from 1 ms"),
        (
            "[policies.retry_budget]\nratio = 2",
            r"retry_budget\.ratio: must be a number from 0 to 1",
        ),
        ('[policies.tools."a.b"]', r'policies\.tools\."a\.b": concurrency is missing'),
        ("[policies]\ntools = 1", r"policies\.tools: must be tables"),
        ('[connections.a]\nkind = "http"\n[connections.a.limits]\nburst = 2', r"limits\.burst: "),
        (
            '[connections.a]\nkind = "http"\n[connections.a.limits]\nper_second = 0',
            r"connections\.a\.limits\.per_second: must be a number from 0\.0001",
        ),
        ('[connections.a]\nkind = "http"\ninstances = []', r"a\.instances: must be tables"),
        (
            '[connections.a]\nkind = "http"\n[[connections.a.instances]]\nrole = "replica"',
            r"a\.instances: one of them must be a primary",
        ),
        (
            '[connections.a]\nkind = "http"\n[[connections.a.instances]]\nrole = "x"',
            r"a\.instances\.1\.role: must be primary or replica",
        ),
        (
            '[connections.a]\nkind = "http"\n[[connections.a.instances]]\nweight = 0',
            r"a\.instances\.1\.weight: must be a whole number from 1",
        ),
        (
            '[connections.a]\nkind = "http"\nbalance = {strategy = "wieghted"}\ninstances = [{}]',
            r"a\.balance\.strategy: .*did you mean 'weighted'",
        ),
        (
            '[connections.a]\nkind = "http"\nbalance = {strategy = "weighted"}',
            r"a\.balance: has no effect without instances",
        ),
        (
            '[connections.a]\nkind = "http"\nhealth_check = {every = "10s"}',
            r"a\.health_check: has no effect without instances",
        ),
        (
            '[connections.a]\nkind = "http"\ninstances = [{}]\nhealth_check.timeout = "20s"',
            r"a\.health_check\.timeout: must not be longer than every",
        ),
        (
            '[connections.a]\nkind = "http"\ninstances = [{}]\nhealth_check = {evry = "1s"}',
            r"a\.health_check\.evry: there is no such key; did you mean 'every'",
        ),
        (
            '[connections.a]\nkind = "http"\n[connections.a.limits]\nrate = 1',
            r"connections\.a\.limits\.rate: there is no such key",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueInvalid, match=message):
        read(tmp_path, text)


async def test_the_engine_of_a_project_goes_by_them(tmp_path: Path) -> None:
    (tmp_path / "drawloom.toml").write_text("[policies]\nconcurrency = 7\n")
    async with Project.find(tmp_path).engine(durability="memory") as engine:
        assert engine._pump.hands.guards.policies.concurrency == 7
