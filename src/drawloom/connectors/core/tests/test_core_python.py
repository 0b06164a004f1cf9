"""Code steps: what they can do, and the ways out of each sandbox that are shut."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.core import bubblewrap, monty
from drawloom.connectors.core.sandbox import chosen
from drawloom.doors import Doors
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies import Resources
from drawloom.runtime import Catalogue, Clients, Hands, Measured
from drawloom.runtime.isolation.usage import census, family
from drawloom.sdk import Context

MB = 1_000_000
CATALOGUE = Catalogue(code_steps=True)


@pytest.fixture(params=["bubblewrap", "monty"])
def sandbox(request: pytest.FixtureRequest) -> str:
    if request.param == "bubblewrap":
        request.getfixturevalue("bubblewrap")
    return str(request.param)


# For code that needs the whole of Python.
only_bubblewrap = pytest.mark.parametrize("sandbox", ["bubblewrap"], indirect=True)
only_monty = pytest.mark.parametrize("sandbox", ["monty"], indirect=True)


@pytest.fixture
async def hands(sandbox: str) -> AsyncIterator[Hands]:
    made = Hands(Clients(Catalogue(code_steps=True, sandbox=sandbox), {}, Doors()))
    before = {each.pid for each in census()}
    descriptors = len(os.listdir("/proc/self/fd"))
    yield made
    await made.aclose()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    left = [each for each in census() if each.pid not in before and each.parent == os.getpid()]
    assert left == []


async def run(
    hands: Hands,
    code: str,
    input: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    limits: Resources | None = None,
    said: list[str] | None = None,
) -> Any:
    def say(message: str, data: dict[str, Any]) -> None:
        assert said is not None
        said.append(message)

    args = {"code": code, "input": input or {}, "output": output}
    prepared = hands.prepared(CATALOGUE.find("core.python"))
    context = Context("run", "step", "step#1", "run/step", 1, say)
    return await hands.call(prepared, None, args, context, Measured(), limits)


async def failed(hands: Hands, code: str, **options: Any) -> Failure:
    with pytest.raises(ToolError) as caught:
        await run(hands, code, **options)
    return caught.value.failure


async def test_what_it_assigns_is_given_and_what_it_prints_is_logged(hands: Hands) -> None:
    said: list[str] = []
    code = "import math\nprint('a')\nprint('b')\noutput = {'root': math.sqrt(input['n'])}"
    assert await run(hands, code, {"n": 9}, said=said) == {"root": 3.0}
    assert said == ["a", "b"]


WRONG = [
    ("x = 1", "assigned nothing to `output`"),
    ("output = 'a'", "what the code gave"),
    ("output = {1, 2}", "TypeError"),
    ("output = float('nan')", "ValueError"),
    ("x = 1\noutput = 1 / 0", "ZeroDivisionError (line 2)"),
    ("output = (", "SyntaxError (line 1)"),
    ("def f():\n    return f()\noutput = f()", "RecursionError (line 2)"),
    ("a = []\na.append(a)\noutput = a", "ValueError"),
    ("a = []\nfor _ in range(100_000): a = [a]\noutput = a", "RecursionError"),
    ("output = {(1, 2): 3}", "TypeError"),
    ("import nothing_of_that_name", "ModuleNotFoundError (line 1)"),
    ("assert False, 'so it is'", "AssertionError (line 1): so it is"),
]


async def test_what_is_wrong_with_it_is_said(hands: Hands) -> None:
    for code, said in WRONG:
        failure = await failed(hands, code, output={"type": "integer"})
        assert said in failure.message, code


async def test_a_step_gives_json_as_the_sandbox_reads_it(hands: Hands) -> None:
    value = {'é"': [1, 2.5, True, None, 10**15, {}], "deep": [[[[]]]]}
    assert await run(hands, "output = input", value) == value
    assert await run(hands, "output = (1, {2: 'a'})") == [1, {"2": "a"}]


async def test_nothing_of_a_call_is_seen_by_the_next(hands: Hands) -> None:
    assert await run(hands, "kept = 1\noutput = kept") == 1
    assert "NameError" in (await failed(hands, "output = kept")).message


@only_bubblewrap
async def test_a_process_that_leaves_is_told(hands: Hands) -> None:
    assert "status 3" in (await failed(hands, "import os; os._exit(3)")).message


@only_monty
@pytest.mark.parametrize(
    "code",
    ["import statistics", "class A(Exception): pass", "def f():\n    yield 1\noutput = list(f())"],
)
async def test_what_monty_does_not_know_says_so(hands: Hands, code: str) -> None:
    assert "bubblewrap runs all of it" in (await failed(hands, code)).message


HOSTILE = [
    "import socket; socket.create_connection(('127.0.0.1', 9), 2)",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
    "output = open('/etc/passwd').read()",
    "open('/x', 'w').write('')",
    "import os; output = os.listdir('/root/.ssh')",
    "import os; output = os.environ['PATH']",
    "import subprocess; subprocess.run(['/sbin/halt'], check=True)",
    "import os; os.kill(HOST, 9)",
    "import pathlib; output = pathlib.Path('/etc/passwd').read_text()",
    "import ctypes; output = ctypes.CDLL('libc.so.7').getpid()",
    "output = ().__class__.__base__.__subclasses__()[0].nothing",
    "output = __import__('os').open('/etc/passwd', 0)",
]


async def test_hostile_code_gets_nowhere(hands: Hands) -> None:
    for code in HOSTILE:
        failure = await failed(hands, code.replace("HOST", str(os.getpid())))
        assert failure.kind is FailureKind.DEFECT, code
        assert failure.details is not None and failure.details["exception"], code


@only_bubblewrap
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9), 2)", "OSError"),
        ("import socket; socket.create_connection(('1.1.1.1', 53), 2)", "OSError"),
        ("output = open('/etc/passwd').read()", "FileNotFoundError"),
        ("import os; output = os.listdir('/root/.ssh')", "FileNotFoundError"),
        ("open('/usr/x', 'w')", "OSError"),
        ("open('/x', 'w')", "OSError"),
        ("import os; os.kill(HOST, 9)", "ProcessLookupError"),
        ("output = open('/proc/HOST/environ').read()", "FileNotFoundError"),
        ("open('/dev/shm/x', 'w')", "OSError"),
    ],
)
async def test_a_way_out_is_shut(hands: Hands, code: str, error: str) -> None:
    failure = await failed(hands, code.replace("HOST", str(os.getpid())))
    assert failure.kind is FailureKind.DEFECT
    assert failure.details is not None
    wrong = getattr(__builtins__, "get", lambda name: getattr(__builtins__, name))(error)
    raised = str(failure.details["exception"])
    known = getattr(__builtins__, "get", lambda name: getattr(__builtins__, name))(raised)
    assert issubclass(known, wrong), failure.message


@only_bubblewrap
async def test_it_sees_no_environment_and_no_process_of_others(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAWLOOM_CANARY", "a secret")
    code = (
        "import os\n"
        "seen = [open(f'/proc/{p}/environ', 'rb').read() for p in os.listdir('/proc') "
        "if p.isdecimal()]\n"
        "output = {'own': dict(os.environ), 'others': b''.join(seen).decode(), "
        "'many': len(seen)}"
    )
    found = await run(hands, code)
    assert found["own"].keys() <= {"LC_CTYPE", "PWD"}
    assert "CANARY" not in found["others"] and "PATH=" not in found["others"]
    assert found["many"] <= 2


@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("x = 'x' * 300_000_000", Resources(memory=160 * MB), "memory"),
        ("x = []\nwhile True: x.append('x' * 1_000 + str(len(x)))", Resources(), "memory"),
        ("while True: pass", Resources(cpu=0.3), "cpu"),
        ("output = 'x' * 70_000_000", Resources(), "output"),
        ("while True: print('x' * 1000)", Resources(), "output"),
    ],
)
async def test_a_bomb_ends_alone_with_the_name_of_its_limit(
    hands: Hands, code: str, limits: Resources, limit: str
) -> None:
    await _bombed(hands, code, limits, limit)


@only_bubblewrap
@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("open('/tmp/x', 'wb').write(bytes(9_000_000))", Resources(disk=MB), "disk"),
        (
            "for n in range(9): open(f'/tmp/{n}', 'wb').write(bytes(900_000))",
            Resources(disk=MB),
            "disk",
        ),
        ("import os, time\nfor _ in range(9): os.fork()\ntime.sleep(60)", Resources(), "processes"),
    ],
)  # fmt: skip
async def test_a_bomb_of_files_or_processes_ends_alone(
    hands: Hands, code: str, limits: Resources, limit: str
) -> None:
    await _bombed(hands, code, limits, limit)


async def _bombed(hands: Hands, code: str, limits: Resources, limit: str) -> None:
    failure = await failed(hands, code, limits=limits)
    assert failure.kind is FailureKind.INVALID, failure
    assert failure.details is not None and failure.details["limit"] == limit
    assert await run(hands, "output = 1") == 1


@pytest.mark.parametrize(
    ("last", "said"),
    [("output = 'x' * 70_000_000", "gave or printed"), ("output = 1 / 0", "ZeroDivisionError")],
)
async def test_nothing_of_it_is_left_when_it_has_answered(
    hands: Hands, last: str, said: str
) -> None:
    """Memory takes a while to be given back, and the next call must not pay for it."""
    others = _below_us()
    assert await run(hands, "output = 1") == 1
    (worker,) = _below_us() - others
    assert said in (await failed(hands, f"held = b'x' * 100_000_000\n{last}")).message
    assert {each.pid for each in family(worker, census(dead=True))} == {worker}
    assert _below_us() - others == {worker}


def _below_us() -> set[int]:
    return {each.pid for each in census() if each.parent == os.getpid()}


async def test_it_is_off_unless_turned_on() -> None:
    tool = Catalogue().find("core.python")
    with pytest.raises(ToolError, match=r"\[code\] enabled = true") as caught:
        tool(code="output = 1")
    assert caught.value.failure.kind is FailureKind.DENIED


@pytest.fixture
def anew() -> Iterator[None]:
    """What is chosen is chosen anew."""
    chosen.cache_clear()
    yield
    chosen.cache_clear()


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    ("bwrap", "monty_there", "wanted", "name"),
    [
        (True, True, "auto", "bubblewrap"),
        (True, True, "monty", "monty"),
        (False, True, "auto", "monty"),
        (False, True, "bubblewrap", "install the package `bubblewrap`"),
        (True, False, "monty", r"pip install 'drawloom\[monty\]'"),
        (
            False,
            False,
            "auto",
            r"not installed: .*bubblewrap.* or pip install 'drawloom\[monty\]'",
        ),
    ],
)
def test_the_sandbox_is_the_one_that_is_wanted_and_there(
    monkeypatch: pytest.MonkeyPatch, bwrap: bool, monty_there: bool, wanted: str, name: str
) -> None:
    monkeypatch.setattr(bubblewrap, "lacking", lambda: "" if bwrap else "it is not installed")
    monkeypatch.setattr(monty, "installed", lambda: monty_there)
    if len(name) < 12:
        assert chosen(wanted).name == name
    else:
        with pytest.raises(ToolError, match=name) as caught:
            chosen(wanted)
        assert caught.value.failure.kind is FailureKind.DENIED


def test_a_bubblewrap_that_cannot_make_namespaces_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: No permissions to create namespace >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "_PATHS", str(tmp_path))
    assert "No permissions to create namespace" in bubblewrap.lacking()
    monkeypatch.setattr(bubblewrap, "_PATHS", str(tmp_path / "nowhere"))
    assert bubblewrap.lacking() == "bubblewrap is not installed"
