"""`drawloom serve`: the project's API for programs and people."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from drawloom.cli import codes
from drawloom.cli.options import ProjectFolder, StateFolder, project_of
from drawloom.errors import ValueInvalid


def serve(
    *,
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The port; 0 takes a free one.")] = 8484,
    name: Annotated[
        tuple[str, ...], Parameter(help="Another host name by which it is reached.")
    ] = (),
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Serve the project over HTTP, and go on with its runs.

    The first start prints a link, good once, with which the owner is made. Only this
    machine is listened to unless another address is given, which takes an owner.
    While it serves, the state is its own: `drawloom runs cancel` and its sisters hand
    what they want to it.

    For example:
      drawloom serve
      drawloom serve --port 9000 --project examples/seattle
    """
    import asyncio
    import gc

    from drawloom.cli.terminal import say

    try:
        from drawloom.server.serving import Place, serve
    except ModuleNotFoundError as exc:
        told = f"{exc.name} is not installed: pip install 'drawloom[server]'"
        raise ValueInvalid(told) from None

    gc.freeze()  # what is loaded by now stays
    asyncio.run(serve(project_of(project), Place(host, port, name), state, say))
    return codes.OK
