"""Code steps: what they can do, and the ways out of the sandbox that are shut."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from drawloom.doors import Doors
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies import Resources
from drawloom.runtime import Catalogue, Clients, Hands, Measured
from drawloom.runtime.isolation.usage import census, family
from drawloom.sdk import Context

pytestmark = pytest.mark.usefixtures("bubblewrap")
MB = 1_000_000


@pytest.fixture
async def hands() -> AsyncIterator[Hands]:
    made = Hands(Clients(Catalogue(code_steps=True), {}, Doors()))
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
    prepared = hands.prepared(Catalogue(code_steps=True).find("core.python"))
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


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1", "assigned nothing to `output`"),
        ("output = 'a'", "what the code gave"),
        ("output = {1, 2}", "TypeError"),
        ("output = float('nan')", "ValueError"),
        ("x = 1\noutput = 1 / 0", "ZeroDivisionError (line 2)"),
        ("output = (", "SyntaxError (line 1)"),
        ("import os; os._exit(3)", "status 3"),
    ],
)
async def test_what_is_wrong_with_it_is_said(hands: Hands, code: str, said: str) -> None:
    assert said in (await failed(hands, code, output={"type": "integer"})).message


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
        ("x = bytearray(300_000_000)", Resources(memory=160 * MB), "memory"),
        ("while True: pass", Resources(cpu=1.0), "cpu"),
        ("output = 'x' * 70_000_000", Resources(), "output"),
        ("while True: print('x' * 1000)", Resources(), "output"),
        ("open('/tmp/x', 'wb').write(bytes(9_000_000))", Resources(disk=MB), "disk"),
        (
            "for n in range(9): open(f'/tmp/{n}', 'wb').write(bytes(900_000))",
            Resources(disk=MB),
            "disk",
        ),
        ("import os, time\nfor _ in range(9): os.fork()\ntime.sleep(60)", Resources(), "processes"),
    ],
)  # fmt: skip
async def test_a_bomb_ends_alone_with_the_name_of_its_limit(
    hands: Hands, code: str, limits: Resources, limit: str
) -> None:
    failure = await failed(hands, code, limits=limits)
    assert failure.kind is FailureKind.INVALID
    assert failure.details is not None and failure.details["limit"] == limit
    assert await run(hands, "output = 1") == 1


@pytest.mark.parametrize(
    ("last", "said"),
    [("output = 'x' * 70_000_000", "gave or printed"), ("import os; os._exit(3)", "status 3")],
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
