"""Several commands at once (MULTI/EXEC), as data: nobody's command comes between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Union,
    get_type_hints,
)

from pydantic import ConfigDict, Field, create_model

from drawloom.connectors.databases.redis.client import good, reading
from drawloom.connectors.databases.redis.commands import BUILDERS, Builder, Command, Word
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.faults import FAULTS
from drawloom.connectors.databases.redis.hashes import count_field
from drawloom.connectors.databases.redis.lists import pop_values, push_values
from drawloom.connectors.databases.redis.notes import committed, note_of
from drawloom.connectors.databases.redis.sorted_sets import add_score
from drawloom.connectors.databases.redis.strings import count_by
from drawloom.connectors.databases.redis.values import EncodingName, encoded
from drawloom.errors import Failure, FailureKind, ToolError, ValueInvalid, invalid
from drawloom.sdk import Context, Json, TypedDict, name_fault
from drawloom.sdk.encoding import read_json, write_json

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.client import Client

# Those of the tools whose reply is small. What may be large is no business of a transaction.
_OF_TOOLS = (
    *("get", "mget", "set", "mset", "delete", "exists", "expire", "expire_at", "persist", "ttl"),
    *("hash_set", "hash_get", "hash_delete", "list_length", "list_trim"),
    *("set_add", "set_remove", "set_contains", "set_size", "set_combine_into"),
    *("sorted_add", "sorted_remove", "sorted_rank", "sorted_scores", "sorted_count"),
    *("sorted_combine_into", "stream_add", "stream_ack", "stream_trim", "stream_length"),
    "publish",
)
OPERATIONS: Final[Mapping[str, Builder]] = {
    **{name: BUILDERS[name] for name in _OF_TOOLS},
    "incr": count_by,
    "hash_incr": count_field,
    "list_push": push_values,
    "list_pop": pop_values,
    "sorted_incr": add_score,
}


def _model(name: str, build: Builder) -> Any:
    """An operation as data: its name, and what the function of that name takes."""
    hints = get_type_hints(build, include_extras=True)
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is Parameter.empty else p.default)
        for p in signature(build).parameters.values()
    }
    fields["do"] = (Literal[name], ...)
    return create_model(f"do_{name}", __config__=ConfigDict(extra="forbid"), **fields)


_MODELS = tuple(_model(name, build) for name, build in OPERATIONS.items())
if TYPE_CHECKING:
    Operation = Any
else:
    Operation = Annotated[Union[_MODELS], Field(discriminator="do")]  # noqa: UP007


class Watched(TypedDict):
    """What must be so, and stay so until it is done: a key is there or not, or has a value."""

    key: str
    exists: NotRequired[bool]
    equals: NotRequired[Json]
    field: NotRequired[str]
    encoding: NotRequired[EncodingName]


class Done(TypedDict):
    """What each operation gave; null where a crash came before that could be noted."""

    results: list[Json] | None


@connector.tool(effect="keyed")
async def transaction(
    client: Client,
    context: Context,
    operations: Annotated[
        list[Operation],
        Field(min_length=1, max_length=1_000, description="`do`, and the tool's own parameters."),
    ],
    watch: Annotated[
        list[Watched],
        Field(max_length=100, description="Conditions; one that does not hold is a conflict."),
    ] = [],  # noqa: B006
) -> Done:
    """Carry out several operations at once, exactly once, if all conditions hold.

    An operation is named as its tool, and takes what the tool takes. No other command comes
    between, and a watched key that changes meanwhile means that nothing is done. But Redis
    undoes nothing: where an operation fails at its key (it holds another type), the others are
    done all the same, and the failure says so.
    """
    note = note_of(context)
    commands = [_command(operation) for operation in operations]
    async with client.line() as line:
        known = await _look(client, line, note, watch)
        if known is None:
            known = await _carry_out(client, line, note, commands)
    return _outcome(known, [operation.do for operation in operations])


def given_to(operation: Any) -> dict[str, Any]:
    """What an operation was given, by name. A field of it may be called `keys`."""
    return {
        name: getattr(operation, name) for name in type(operation).model_fields if name != "do"
    }


def _command(operation: Any) -> Command[Any]:
    return OPERATIONS[operation.do](**given_to(operation))


async def _look(
    client: Client, line: Connection, note: str, watch: Sequence[Watched]
) -> bytes | None:
    """What the note of an earlier call says, if there is one; else check what is watched."""
    asked = [_question(condition, at) for at, condition in enumerate(watch)]
    keys = [condition["key"] for condition in watch]
    _, known, *told = await client.ask(line, [["WATCH", note, *keys], ["GET", note], *asked])
    found: bytes | None = good(known)
    wrong = None if found is not None else _unmet(watch, told)
    if found is not None or wrong is not None:
        await client.ask(line, [["UNWATCH"]])
    if wrong is not None:
        raise ToolError(Failure(FailureKind.CONFLICT, wrong, harmless=True))
    return found


def _question(condition: Watched, at: int) -> list[Word]:
    if ("exists" in condition) == ("equals" in condition):
        raise invalid(f"watch[{at}]: say either exists or equals")
    key, field = condition["key"], condition.get("field")
    if "exists" in condition:
        return ["EXISTS", key] if field is None else ["HEXISTS", key, field]
    return ["GET", key] if field is None else ["HGET", key, field]


def _unmet(watch: Sequence[Watched], told: Sequence[Any]) -> str | None:
    """The first condition that does not hold, in words."""
    for at, (condition, reply) in enumerate(zip(watch, told, strict=True)):
        where = f"watch[{at}]: {condition['key']!r}"
        if "exists" in condition:
            if (good(reply) == 1) != condition["exists"]:
                return f"{where} is {'not ' * condition['exists']}there"
        elif good(reply) != encoded(condition["equals"], condition.get("encoding", "text"), where):
            return f"{where} has another value"
    return None


async def _carry_out(
    client: Client, line: Connection, note: str, commands: Sequence[Command[Any]]
) -> bytes:
    """Do it, and note what came of it. The note is made with the work, its text after it."""
    keep: list[Word] = ["EX", client.settings.note_seconds]
    work = [command.words for command in commands]
    asked: list[Sequence[Word]] = [["MULTI"], ["SET", note, "", *keep], *work, ["EXEC"]]
    _, *replies = committed(await client.ask(line, asked))
    told = [_told(command, reply) for command, reply in zip(commands, replies, strict=True)]
    text = write_json(told).encode()
    await client.ask(line, [["SET", note, text, *keep]])
    return text


def _told(command: Command[Any], reply: Any) -> dict[str, Json]:
    from redis.exceptions import ResponseError

    try:
        return {"result": reading(command, reply)}
    except (ResponseError, ToolError, ValueInvalid) as exc:
        failure = name_fault(FAULTS, exc)
        return {"kind": failure.kind.value, "message": failure.message}


def _outcome(noted: bytes, names: Sequence[str]) -> Done:
    if not noted:
        return Done(results=None)
    told = read_json(noted)
    for at, one in enumerate(told):
        if "kind" in one:
            message = f"operations[{at}] ({names[at]}): {one['message']}; the others were done"
            details = {"operation": at, "operations": told}
            raise ToolError(Failure(FailureKind(one["kind"]), message, details=details))
    return Done(results=[one["result"] for one in told])
