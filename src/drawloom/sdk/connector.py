"""A connector is a named set of tools that share one kind of connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args, overload

from drawloom.dataflow.tracing import TRACER
from drawloom.errors import Failure, FailureKind
from drawloom.policies import Effect
from drawloom.sdk import schemas
from drawloom.sdk.connection import Connection
from drawloom.sdk.narrowing import Narrower
from drawloom.sdk.streams import OUTPUT_SCHEMA, item_of

# What the engine does itself: such a tool is a text with schemas, and is never called.
Construct: TypeAlias = Literal["", "chain", "wait", "approve", "enrich"]
EffectName: TypeAlias = Literal["pure", "read", "idempotent", "keyed", "once"]
# Where a call is made: in the engine's process, or in one of its own with limits. A tool
# that runs author's code says "sandbox": it makes one in its process, and can be switched off.
IsolationName: TypeAlias = Literal["none", "process", "sandbox"]
ToolFunction: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What an exception of a vendor's library means.

    `harmless` where it proves that nothing happened at the service.
    """

    kind: FailureKind
    harmless: bool = False


# The key is the exception's full dotted name, so that the table can be read
# without importing the vendor's library. The nearest class in the exception's
# ancestry wins. A function makes the whole `Failure` itself.
FaultTable: TypeAlias = Mapping[str, FailureKind | Fault | Callable[[Any], Failure]]


class Tool:
    """One operation: a function with schemas, an effect and a text.

    Calling it calls the function, so a tool stays a plain function in Python.
    `inline` is the author's word that a call is quick and never waits: such a
    tool may be a plain `def`, and is called on the event loop. Any other `def`
    runs in a thread. `readonly_input` is the word that it never changes the lists
    and objects that it is given: they are then handed over without a copy. `encoded` is
    the word that what it gives is I-JSON to the last part, at most 200 deep: it is then
    not walked again. The contract suite holds a tool to both.
    `isolation` "process" has each call made in a process of its own, with limits on
    what it takes of the machine; such a tool needs no connection and is never inline.
    """

    def __init__(
        self,
        name: str,
        function: ToolFunction,
        *,
        effect: Effect,
        connection: str | None,
        timeout: float | None = None,
        inline: bool = False,
        readonly_input: bool = False,
        encoded: bool = False,
        faults: FaultTable | None = None,
        construct: Construct = "",
        isolation: IsolationName = "none",
    ) -> None:
        self.name = name
        self.encoded = encoded
        self.isolation = isolation
        self.barred = ""  # why it is switched off here
        self.construct = construct
        self.planner: ToolFunction | None = None
        self.narrower: Narrower | None = None
        self.function = function
        self.readonly_input = readonly_input
        self.effect = effect
        self.connection = connection
        self.timeout = timeout
        self.is_async = inspect.iscoroutinefunction(function)
        self.streams = inspect.isasyncgenfunction(function)
        if self.streams and not effect.looks_only:
            raise TypeError(f"{name}: a tool that streams only looks: its effect is pure or read")
        self.inline = inline
        self.faults: FaultTable = faults or {}
        self.doc = inspect.getdoc(function) or ""
        self.summary = self.doc.partition("\n")[0]
        if not self.summary:
            raise TypeError(
                f"{name}: a tool needs a docstring; its first line is the palette text"
            )
        if isolation != "none":
            _check_isolation(self)
        self.__doc__ = self.doc
        self.__name__ = function.__name__
        self.__wrapped__ = function

    def plan(self, planner: ToolFunction) -> ToolFunction:
        """Register what tells, with nothing done, what a call would touch; see `sdk.planning`."""
        self.planner = planner
        return planner

    def narrow(self, narrower: Narrower) -> Narrower:
        """Register what tells the type of a call's output better; see `sdk.narrowing`."""
        self.narrower = narrower
        return narrower

    @cached_property
    def signature(self) -> schemas.Signature:
        return schemas.Signature(self.function, self.connection is not None)

    @cached_property
    def model(self) -> Any:
        """The pydantic model of the input."""
        return schemas.input_model(self.name, self.signature)

    @cached_property
    def adapter(self) -> Any:
        """The pydantic adapter of the output."""
        from pydantic import ConfigDict, PydanticUserError, TypeAdapter

        kept = self.item_type if self.streams else self.signature.returns
        config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
        try:
            return TypeAdapter(kept, config=config)
        except PydanticUserError:  # a model or dataclass brings its own configuration
            return TypeAdapter(kept)

    @cached_property
    def item_type(self) -> Any:
        """Of a tool that streams: the type of an item, from `AsyncIterator[Chunk[Row]]`."""
        chunk = get_args(self.signature.returns)
        item = get_args(chunk[0]) if chunk else ()
        if not item:
            raise TypeError(f"{self.name}: annotate the return as AsyncIterator[Chunk[…]]")
        return item[0]

    @cached_property
    def item_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of an item of a tool that streams."""
        return schemas.output_schema(self.adapter)

    @cached_property
    def stream_inputs(self) -> Mapping[str, Any]:
        """The parameters that take streams, and the type of the items of each."""
        hints = self.signature.hints
        items = {p.name: item_of(hints[p.name]) for p in self.signature.parameters}
        found = {name: item for name, item in items.items() if item is not None}
        if found and (not self.is_async or self.isolation != "none"):
            raise TypeError(
                f"{self.name}: a tool that takes a stream is `async def`, and in this process"
            )
        return found

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the input: an object."""
        return schemas.input_schema(self.model)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the output."""
        if self.streams:
            return dict(OUTPUT_SCHEMA)
        return schemas.output_schema(self.adapter)

    @cached_property
    def plain_input(self) -> bool:
        """Whether JSON arguments can be passed on as they are."""
        hints = self.signature.hints
        return all(schemas.is_plain(hints[p.name]) for p in self.signature.parameters)

    @cached_property
    def plain_output(self) -> bool:
        """Whether what the function returns already is JSON."""
        return schemas.is_plain(self.item_type if self.streams else self.signature.returns)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if trace := TRACER.get():  # a chain is traced: add a step instead of doing the work
            return trace(self, args, kwargs)
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.name} ({self.effect})>"


def _check_isolation(made: Tool) -> None:
    if made.isolation not in ("process", "sandbox"):
        known = "'none', 'process' or 'sandbox'"
        raise TypeError(f"{made.name}: isolation is {known}, not {made.isolation!r}")
    if made.connection is not None:
        raise TypeError(
            f"{made.name}: isolation='process' cannot have a client: an open connection does not "
            "pass to another process. Register it with client=False, and open what it needs inside"
        )
    if made.inline or made.construct:
        what = "inline=True" if made.inline else "a construct"
        raise TypeError(f"{made.name}: isolation='process' and {what} exclude each other")


@dataclass(slots=True)
class Connector:
    """A set of tools. `connection` is None where the tools need no client."""

    name: str
    connection: type[Connection] | None = None
    faults: FaultTable = field(default_factory=dict)
    tools: dict[str, Tool] = field(default_factory=dict)

    def tool(
        self,
        *,
        effect: EffectName,
        name: str | None = None,
        timeout: float | None = None,
        inline: bool = False,
        client: bool | None = None,
        encoded: bool = False,
        construct: Construct = "",
        isolation: IsolationName = "none",
    ) -> Callable[[ToolFunction], Tool]:
        """Register a function as the tool `<connector>.<function name>`.

        *timeout* is the default deadline of one call in seconds. *client* False
        is for a tool of a connector with connections that needs none itself.
        *encoded*: it gives I-JSON by its own making; see `Tool`.
        *construct* is for what the engine does itself: the function is not called.
        *isolation* "process" is for what must not harm the engine; see `Tool`.
        """

        def register(function: ToolFunction) -> Tool:
            full = f"{self.name}.{name or function.__name__.rstrip('_')}"
            if full in self.tools:
                raise TypeError(f"{full}: there is already a tool of that name")
            with_client = self.connection is not None and client is not False
            made = Tool(
                full,
                function,
                effect=Effect(effect),
                connection=self.name if with_client else None,
                timeout=timeout,
                inline=inline,
                readonly_input=True,  # the contract suite holds connectors to it
                encoded=encoded,
                faults=self.faults,
                construct=construct,
                isolation=isolation,
            )
            self.tools[full] = made
            return made

        return register


@overload
def tool(function: ToolFunction, /) -> Tool: ...
@overload
def tool(
    *,
    effect: EffectName = ...,
    name: str | None = ...,
    timeout: float | None = ...,
    inline: bool = ...,
    readonly_input: bool = ...,
    faults: FaultTable | None = ...,
    isolation: IsolationName = ...,
) -> Callable[[ToolFunction], Tool]: ...
def tool(
    function: ToolFunction | None = None,
    /,
    *,
    effect: EffectName = "once",
    name: str | None = None,
    timeout: float | None = None,
    inline: bool = False,
    readonly_input: bool = False,
    faults: FaultTable | None = None,
    isolation: IsolationName = "none",
) -> Tool | Callable[[ToolFunction], Tool]:
    """Make a function a tool of your own, named `my.<function name>` unless you say.

    The effect is `once` unless declared: the one that is never repeated unasked.
    Lists and objects come as copies, which you may change; with *readonly_input*
    you promise not to, and large ones cost nothing. With *isolation* "process" each
    call is made in a process of its own, with limits on memory, time and files.
    """

    def make(function: ToolFunction) -> Tool:
        full = name or f"my.{function.__name__.rstrip('_')}"
        return Tool(
            full,
            function,
            effect=Effect(effect),
            connection=None,
            timeout=timeout,
            inline=inline,
            readonly_input=readonly_input,
            faults=faults,
            isolation=isolation,
        )

    return make if function is None else make(function)
