"""`make services`: every server that tests and developers need, until it is interrupted.

`python -m tests.servers [--own] [NAME ...]` takes only those of the names. A server that
runs here already is used, unless *own* ones are wanted; the others are started on free
ports, with no data, and end with this process. One that cannot be had is said loudly;
the others run nevertheless, and the exit code is 1 at the end.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Final, NoReturn, Protocol, TypeAlias

import pytest
from tests.servers.mongodb import reach_mongodb, start_mongodb
from tests.servers.mysql import reach_mysql, start_mysql
from tests.servers.openbao import start_openbao
from tests.servers.postgresql import reach_postgresql, start_postgresql
from tests.servers.redis import reach_redis, start_redis


class Server(Protocol):
    """What all of them tell of themselves. One without a process of ours was found."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...


Reached: TypeAlias = Callable[[], AbstractContextManager[Server]]

#: How each is found or started, and how one of its own is started.
SERVERS: Final[Mapping[str, tuple[Reached, Reached]]] = {
    "postgresql": (reach_postgresql, start_postgresql),
    "mariadb": (reach_mysql, start_mysql),
    "redis": (reach_redis, start_redis),
    "mongodb": (reach_mongodb, start_mongodb),
    "openbao": (start_openbao, start_openbao),  # of another, nobody knows the token
}

_ROW: Final = "{:<10}  {:<21}  {:<39}  {}"


class Interrupted(BaseException):
    """Somebody wants this to end."""


def main() -> int:
    """Run them until SIGINT, SIGTERM or SIGHUP; the exit code."""
    given = _arguments()
    wait = _interruptible()
    started: list[str] = []
    lacking: dict[str, str] = {}
    with suppress(Interrupted), ExitStack() as running:
        say(_ROW.format("SERVER", "ADDRESS", "USER", "IT WAS"))
        for name in given.names or SERVERS:
            try:
                server = running.enter_context(SERVERS[name][given.own]())
            except _UNUSABLE as exc:
                lacking[name] = str(exc)
                say(_ROW.format(name, "-", "-", "MISSING"))
                continue
            started += [name] if server.process else []
            say(row(name, server))
        _tell(lacking, given.names or SERVERS)
        if len(lacking) < len(given.names or SERVERS):
            wait()
    say(f"Stopped what was started: {', '.join(started) or 'nothing'}.")
    return 1 if lacking else 0


# What pytest makes of a missing program, and what a program does that is broken.
_UNUSABLE: Final = (
    *(pytest.skip.Exception, pytest.fail.Exception),
    *(AssertionError, OSError, subprocess.SubprocessError),
)


def row(name: str, server: Server) -> str:
    """A server's line of the table."""
    token = getattr(server, "token", None)
    user = f"token {token}" if token else getattr(server, "user", None) or "-"
    how = "started" if server.process else "found"
    return _ROW.format(name, f"{server.host}:{server.port}", user, how)


def say(text: str) -> None:
    """Print a line at once, though nobody may read it any more."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def _tell(lacking: Mapping[str, str], wanted: Iterable[str]) -> None:
    for why in lacking.values():
        print(f"\n*** {why}", file=sys.stderr, flush=True)
    if len(lacking) < len(list(wanted)):
        say("\nNone asks for a password. Ctrl-C stops those that were started; their data goes.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.servers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SERVERS))
    parser.add_argument("--own", action="store_true", help="start them, though others run")
    given = parser.parse_args()
    if unknown := sorted({*given.names} - {*SERVERS}):
        parser.error(f"there is no server {unknown[0]!r}; there are {', '.join(SERVERS)}")
    return given


def _interruptible() -> Callable[[], None]:
    """Have signals raise `Interrupted`, wherever we are; what waits for one is returned."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: object) -> NoReturn:
        for one in signals:  # a second one would interrupt the stopping
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted

    near, far = socket.socketpair()
    far.setblocking(False)
    signal.set_wakeup_fd(far.fileno())  # one that comes just before the waiting ends it, too
    for one in signals:
        signal.signal(one, interrupt)

    def wait() -> None:
        with far, near:
            near.recv(1)

    return wait


if __name__ == "__main__":
    sys.exit(main())
