"""`drawloom completion`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from drawloom.cli.options import AsJson


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"] | None,
        Parameter(name="SHELL", help="The shell; else the one in use."),
    ] = None,
    /,
    *,
    show: Annotated[
        bool, Parameter(negative="", help="Print the script; install nothing.")
    ] = False,
    json: AsJson = False,
) -> int:
    """Install the completion of commands for your shell.

    For example:
      drawloom completion bash
      drawloom completion zsh --show > _drawloom
    """
    from cyclopts.completion.detect import ShellDetectionError

    from drawloom.cli.commands import app_for
    from drawloom.cli.terminal import print_json, print_lines
    from drawloom.errors import ValueInvalid

    app = app_for()
    try:
        if show:
            print_lines(app.generate_completion(shell=shell))
        else:
            path = app.install_completion(shell=shell)
            if json:
                print_json({"installed": str(path)})
            else:
                print_lines(f"Installed in {path}; open a new shell to use it.")
    except ShellDetectionError:
        raise ValueInvalid("cannot tell which shell this is; name it: bash, zsh or fish") from None
    except OSError as exc:
        raise ValueInvalid(f"cannot write {exc.filename}: {exc.strerror}; use --show") from None
    return 0
