"""What a step says of the machine, as the limits of its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from drawloom.chains.document import Step
from drawloom.chains.sizes import bytes_of
from drawloom.dataflow.durations import seconds
from drawloom.policies import DEFAULT_RESOURCES, Resources

_READ: dict[str, Callable[[Any], Any]] = {"memory": bytes_of, "disk": bytes_of, "cpu": seconds}


def resources_of(written: Mapping[str, Any]) -> Resources:
    """The limits that `resources` means. Raises `ValueError` naming the field."""
    limits = DEFAULT_RESOURCES
    for name, value in written.items():
        read = _READ.get(name, int)
        try:
            limits = replace(limits, **{name: read(value)})
        except ValueError as exc:
            raise ValueError(f"{name}: {exc}") from None
    return limits


def limits_of(step: Step, spec: object) -> Resources | None:
    """The limits of a step's calls; None where its tool has no process of its own.

    Raises `ValueError` where `resources` would be ignored.
    """
    if getattr(spec, "isolation", "none") != "none":
        return resources_of(step.resources)
    if step.resources and not getattr(spec, "barred", ""):
        raise ValueError("resources need a tool with isolation='process'")
    return None
