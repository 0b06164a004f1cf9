"""What a crash or a retry may do to a tool: the effect table of the design."""

from __future__ import annotations

from enum import StrEnum

from drawloom.errors import Failure, FailureKind


class Effect(StrEnum):
    """What calling a tool does to the world outside."""

    PURE = "pure"  # same input, same output, nothing outside
    READ = "read"  # looks, changes nothing
    IDEMPOTENT = "idempotent"  # repeating it changes nothing more
    KEYED = "keyed"  # repeatable with the same idempotency key
    ONCE = "once"  # anything else

    @property
    def repeatable(self) -> bool:
        """Whether a call with an unknown outcome may simply be made again."""
        return self is not Effect.ONCE

    @property
    def looks_only(self) -> bool:
        """Whether nothing outside changes, so that an answer can be asked for again."""
        return self is Effect.PURE or self is Effect.READ


# No answer came, so the service may or may not have acted. Every other kind is
# an answer: the service (or the tool) said no.
UNCERTAIN = frozenset({FailureKind.TIMEOUT, FailureKind.LOST, FailureKind.TRANSIENT})


def outcome_unknown(effect: Effect, failure: Failure) -> bool:
    """Whether nobody can know if the effect happened, so that a person must say."""
    return not effect.repeatable and failure.kind in UNCERTAIN and not failure.harmless
