"""What is called instead of a tool while a chain is traced from Python."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

# Called with the tool, and the positional and named arguments of its call.
Tracer: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

TRACER: ContextVar[Tracer | None] = ContextVar("TRACER", default=None)
