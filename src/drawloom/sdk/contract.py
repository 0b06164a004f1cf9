"""The contract that every connector keeps, as tests to inherit.

    from drawloom.sdk.contract import ConnectorContract

    class TestContract(ConnectorContract):
        connector = my_connector

Needs pytest, and nothing that is listening. `call_checked` serves the tests of
single tools: it calls one as a chain would, and checks what goes in and comes out.
"""

from __future__ import annotations

import copy
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin

import jsonschema_rs
import pytest
from pydantic import BaseModel, ValidationError

from drawloom.errors import FailureKind
from drawloom.policies import Effect
from drawloom.sdk.connection import Connection
from drawloom.sdk.connector import Connector, Fault, Tool
from drawloom.sdk.context import Context
from drawloom.sdk.encoding import encode_value, write_json
from drawloom.sdk.secret import Secret
from drawloom.sdk.streams import Stream

_CANARY = "canary-4f1c-never-to-be-seen"
_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|api_?key|private_?key|credential", re.IGNORECASE
)
_LONGEST_SUMMARY = 120
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


async def call_checked(tool: Tool, *client: Any, **arguments: Any) -> Any:
    """Call *tool* as a chain does, and give its output as I-JSON.

    Asserts that the arguments fit the input schema and are left as they were,
    and that the output fits the output schema. *client* is the open client,
    where the tool takes one, and its `Context`, if any, by name in *arguments*.
    """
    context = tool.signature.context_name
    injected = {context: arguments.pop(context)} if context and context in arguments else {}
    jsonschema_rs.validate(tool.input_schema, arguments)
    before = copy.deepcopy(arguments)
    output = tool.function(*client, **_converted(tool, arguments), **injected)
    if tool.is_async:
        output = await output
    assert arguments == before, f"{tool.name} changed its own input"
    written = output if tool.plain_output else tool.adapter.dump_python(output, mode="json")
    write_json(written)
    if tool.encoded:
        _check_encoded(tool, written)
    jsonschema_rs.validate(tool.output_schema, written)
    return written


def _check_encoded(tool: Tool, value: Any) -> None:
    assert encode_value(value) is value, f"{tool.name} gave what is no I-JSON, against its word"


async def read_checked(
    tool: Tool, *client: Any, batch: int, after: Any = None, **arguments: Any
) -> list[list[Any]]:
    """The chunks of a tool that streams, behind the cursor *after*, as a chain reads them.

    The stream is opened anew for each chunk, as after a crash. Asserts that arguments and
    items fit the schemas, that no chunk is empty or too large, and that cursors are I-JSON.
    """
    context = tool.signature.context_name
    assert context is not None, f"{tool.name}: a stream needs its Context, for the cursor"
    jsonschema_rs.validate(tool.input_schema, arguments)
    chunks: list[list[Any]] = []
    while True:
        given = {**_converted(tool, arguments), context: Context(after=after, batch=batch)}
        stream = tool.function(*client, **given)
        chunk = await anext(stream, None)
        await stream.aclose()
        if chunk is None:
            return chunks
        assert 0 < len(chunk.items) <= batch, f"{tool.name}: a chunk of {len(chunk.items)}"
        if tool.encoded:
            _check_encoded(tool, chunk.items)
        for item in chunk.items:
            jsonschema_rs.validate(tool.item_schema, item)
        write_json(chunk.after)
        chunks.append(chunk.items)
        after = chunk.after


def _converted(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    streams = {n: Stream.of(arguments[n]) for n in tool.stream_inputs if n in arguments}
    given = {**arguments, **streams}
    if tool.plain_input:
        return given
    rest = {name: value for name, value in arguments.items() if name not in streams}
    model = tool.model.model_validate({**copy.deepcopy(rest), **streams})
    return {name: getattr(model, name) for name in arguments}


class ConnectorContract:
    """Inherit as `Test…` and set `connector`; pytest finds the rest.

    The folder of the connector is that of the package which defines its tools.
    """

    connector: ClassVar[Connector]

    @cached_property
    def package(self) -> str:
        """The dotted name of the connector's package."""
        module = next(iter(self.connector.tools.values())).function.__module__
        found = sys.modules[module]
        return module if hasattr(found, "__path__") else module.rpartition(".")[0]

    @cached_property
    def folder(self) -> Path:
        return Path(str(sys.modules[self.package].__file__)).parent

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "connector.toml").read_text("utf-8"))

    @cached_property
    def vendor_modules(self) -> set[str]:
        """The top-level modules of what connector.toml requires."""
        names = {_normal(re.split(r"[^\w.-]", r)[0]) for r in self.metadata["requires"]}
        owners = importlib.metadata.packages_distributions().items()
        found = {module for module, dists in owners if names & {_normal(d) for d in dists}}
        known = {_normal(d) for module, dists in owners if module in found for d in dists}
        return found | {name.replace("-", "_") for name in names - known}

    def test_package_exports_the_connector(self) -> None:
        package = import_module(self.package)
        assert package.connector is self.connector, f"{self.package} exports no `connector`"
        assert (package.__doc__ or "").strip(), f"{self.package}: the docstring is palette text"

    def test_tools_are_documented(self) -> None:
        assert self.connector.tools, f"{self.connector.name} has no tools"
        for tool in self.connector.tools.values():
            assert tool.name.startswith(f"{self.connector.name}."), tool.name
            length = len(tool.summary)
            assert length <= _LONGEST_SUMMARY, f"{tool.name}: the first line has {length} marks"

    def test_signatures_are_annotated(self) -> None:
        for tool in self.connector.tools.values():
            assert tool.signature.returns is not None, f"{tool.name}: annotate the return"

    def test_schemas_are_valid(self) -> None:
        for tool in self.connector.tools.values():
            for schema in (tool.input_schema, tool.output_schema):
                _check_schema(tool, schema)
            assert tool.input_schema["type"] == "object", f"{tool.name}: the input is an object"
            closed = tool.input_schema.get("additionalProperties")
            assert closed is False, f"{tool.name}: unknown fields must be refused"

    def test_effects_are_declared(self) -> None:
        for tool in self.connector.tools.values():
            assert isinstance(tool.effect, Effect), f"{tool.name}: {tool.effect!r} is no effect"

    def test_imports_without_the_vendor_library(self) -> None:
        """Listing, checking and documenting must work where the library is not installed."""
        done = subprocess.run(
            [sys.executable, "-c", _BLOCKED, self.package, *sorted(self.vendor_modules)],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"import vendor libraries inside functions:\n{done.stderr}"

    def test_metadata_is_complete(self) -> None:
        for key in ("title", "category", "icon"):
            text = self.metadata.get(key)
            assert isinstance(text, str), f"connector.toml: {key} is missing"
            assert text.strip(), f"connector.toml: {key} is empty"
        requires = self.metadata.get("requires")
        assert isinstance(requires, list), "connector.toml: requires must be a list ([] for none)"

    def test_readme_names_every_tool(self) -> None:
        text = (self.folder / "README.md").read_text("utf-8")
        assert text.startswith("# "), "README.md opens with a title"
        missing = [n for n in self.connector.tools if not re.search(rf"{re.escape(n)}\b", text)]
        assert not missing, f"README.md does not name {missing}"

    def test_faults_are_named_by_dotted_name(self) -> None:
        for name, meaning in self.connector.faults.items():
            assert re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name), (
                f"{name!r}: no dotted name"
            )
            fits = isinstance(meaning, FailureKind | Fault) or callable(meaning)
            assert fits, f"{name}: {meaning!r} is no kind, Fault or function"

    def test_faults_are_there(self) -> None:
        """A name that the library does not know would never be hit."""
        for name in self.connector.faults:
            found = _exception(name)
            if found is None:
                pytest.skip(f"{name.partition('.')[0]} is not installed: its names go unchecked")
            assert issubclass(found, BaseException), f"{name} is no exception"
            own = f"{found.__module__}.{found.__qualname__}"
            assert own == name, f"{name} is never hit: the exception calls itself {own}"

    def test_settings_keep_secrets_by_reference(self) -> None:
        if self.connector.connection is None:
            return
        schema = self.connector.connection.model_json_schema()
        plain = [n for n, s in _properties(schema) if _SECRET_NAME.search(n) and _may_be_text(s)]
        assert not plain, f"{plain}: annotate them `Secret`, not str"

    def test_secrets_are_never_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for field in _secret_fields(self.connector.connection):
            model: Any = self.connector.connection
            monkeypatch.setenv("DRAWLOOM_CONTRACT", _CANARY)
            made = model.model_construct(**{field: Secret(env="DRAWLOOM_CONTRACT")})
            assert getattr(made, field).open_secret() == _CANARY
            for shown in (repr(made), str(made), repr(made.model_dump(include={field}))):
                assert _CANARY not in shown, f"{field} is shown"
            assert _CANARY not in made.model_dump_json(include={field}), f"{field} is in JSON"
            with pytest.raises(ValidationError) as refused:
                model.model_validate({field: _CANARY})
            assert _CANARY not in str(refused.value), f"{field}: the error repeats the value"

    def test_connection_can_be_opened(self) -> None:
        kind = self.connector.connection
        if kind is not None:
            assert kind.open is not Connection.open, f"{kind.__name__} does not say how to open"

    def test_examples_name_known_tools(self) -> None:
        known = self.connector.tools
        for path, document in _examples(self.folder):
            assert {"chain", "steps"} <= document.keys(), f"{path.name} is no chain"
            used = {step["use"] for step in document["steps"].values()}
            strange = {u for u in used if u not in known and not u.startswith("core.")}
            assert not strange, f"{path.name} uses {strange}: only this connector and core"


_BLOCKED = """
import importlib, sys
package, *blocked = sys.argv[1:]
sys.modules.update(dict.fromkeys(blocked))
connector = importlib.import_module(package).connector
for tool in connector.tools.values():
    tool.input_schema, tool.output_schema
if connector.connection is not None:
    connector.connection.model_json_schema()
"""


def _check_schema(tool: Tool, schema: dict[str, Any]) -> None:
    try:
        jsonschema_rs.meta.validate({"$schema": _DIALECT, **schema})
    except jsonschema_rs.ValidationError as exc:
        raise AssertionError(f"{tool.name}: its JSON Schema is wrong: {exc.message}") from None


def _normal(name: str) -> str:
    """A distribution's name as the packaging standards compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _exception(name: str) -> Any:
    """The class of that dotted name, None where its library is not installed."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            assert hasattr(found, part), f"there is no {name}"
            found = getattr(found, part)
        return found
    return None


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every property of *schema*, those of inner models too."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for inner in schema.values():
            yield from _properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _properties(inner)


def _may_be_text(schema: Any) -> bool:
    choices = schema.get("anyOf", [schema])
    return any(
        choice.get("type", "string") == "string" for choice in choices if "$ref" not in choice
    )


def _secret_fields(connection: type[BaseModel] | None) -> list[str]:
    if connection is None:
        return []
    fields = connection.model_fields.items()
    return [n for n, f in fields if Secret in (f.annotation, *_choices(f.annotation))]


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; a secret in a list or mapping is the connector's own to test."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return get_args(annotation) if is_union else ()


def _examples(folder: Path) -> Iterator[tuple[Path, Any]]:
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    for path in sorted((folder / "examples").glob("*.yaml")):
        yield path, reader.load(path.read_text("utf-8"))
