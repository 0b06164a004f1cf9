"""Carry a command line out, and turn whatever goes wrong into one message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from drawloom.cli import codes

if TYPE_CHECKING:
    from cyclopts import CycloptsError

    from drawloom.errors import DrawloomError

DEBUG = "DRAWLOOM_DEBUG"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def execute(arguments: Sequence[str] | None = None) -> int:
    """Carry out *arguments* (of this process, unless given); give the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a text that the terminal cannot show is no error
            reconfigure(errors="backslashreplace")
    try:
        code = _carried_out(words)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _pipe_closed()
    except OSError as exc:
        code = _unwritable(exc)
    return code


def end(code: int) -> NoReturn:
    """End the process now: a tool's thread that never comes back must not hold it."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code)


def _open_what_is_closed() -> None:
    """Where a shell closed stdout or stderr (`>&-`), what is written goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _unwritable(exc: OSError) -> int:
    """The output cannot be written, such as into a file on a full disk. Nothing else is wrong."""
    _into_nothing()
    os.write(2, f"drawloom: the output cannot be written: {exc.strerror}\n".encode())
    return codes.UNWRITABLE


def _carried_out(words: list[str]) -> int:
    from cyclopts import CycloptsError

    from drawloom.cli.commands import app_for
    from drawloom.errors import DrawloomError

    try:
        result = app_for(words)(
            words, exit_on_error=False, print_error=False, result_action="return_value"
        )
        return result if isinstance(result, int) else codes.OK
    except CycloptsError as exc:
        return _refused(words, exc)
    except DrawloomError as exc:
        return _told(words, exc)
    except KeyError as exc:
        if hasattr(exc, "suggestions"):  # an unknown tool or connector
            return _message(words, type(exc).__name__, str(exc), codes.UNUSABLE)
        return _defect(words, exc)
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else codes.OK
    except Exception as exc:
        if _of_the_output(exc):
            raise
        return _damaged(words, exc) if _of_the_store(exc) else _defect(words, exc)


def _of_the_output(exc: Exception) -> bool:
    """Whether it says that nobody reads what is written, or that there is no room for it."""
    return isinstance(exc, BrokenPipeError) or (
        isinstance(exc, OSError) and exc.errno in _NO_ROOM and exc.filename is None
    )


def _told(words: list[str], exc: DrawloomError) -> int:
    from drawloom import errors

    _reraise_for_debugging(exc)
    state = isinstance(exc, (errors.StateUnusable, errors.JournalMismatch, errors.VaultUnusable))
    findings = getattr(exc, "findings", ())
    return _message(
        words, type(exc).__name__, str(exc), codes.STATE if state else codes.UNUSABLE, findings
    )


def _message(
    words: list[str], kind: str, message: str, code: int, findings: Sequence[Any] = ()
) -> int:
    from drawloom.cli.terminal import print_json, say

    if findings:
        from drawloom.chains.report import as_text

        # An error that only says what the first finding says is not said twice.
        head = "" if message.startswith(str(findings[0])) else f"drawloom: {message}\n\n"
        say(f"{head}{as_text(findings)}")
    else:
        say(f"drawloom: {message}")
    if "--json" in words:
        error: dict[str, Any] = {"kind": kind, "message": message.partition("\n")[0]}
        if findings:
            error["findings"] = [finding.as_json() for finding in findings]
        print_json({"error": error})
    return code


def _refused(words: list[str], exc: CycloptsError) -> int:
    """The command line itself is wrong."""
    message = " ".join(str(exc).split())
    command = " ".join(["drawloom", *(exc.command_chain or ())])
    return _message(words, "Usage", f"{message} Try `{command} --help`.", codes.UNUSABLE)


def _of_the_store(exc: Exception) -> bool:
    return type(exc).__module__.partition(".")[0] == "apsw"


def _damaged(words: list[str], exc: Exception) -> int:
    """SQLite found, while reading, that the store is not as it should be."""
    _reraise_for_debugging(exc)
    text = f"the store cannot be read: {exc}; `drawloom doctor` says more"
    return _message(words, "StateUnusable", text, codes.STATE)


def _defect(words: list[str], exc: Exception) -> int:
    _reraise_for_debugging(exc)
    text = (
        f"{type(exc).__name__}: {exc}\nThis is a bug in Drawloom. Set {DEBUG}=1 to see where it "
        "happened, and please report it."
    )
    return _message(words, "Defect", text, codes.DEFECT)


def _reraise_for_debugging(exc: BaseException) -> None:
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(exc)


def _pipe_closed() -> int:
    """Nobody reads what is written: end quietly, as other programs do."""
    _into_nothing()
    return codes.PIPE_CLOSED


def _into_nothing() -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
