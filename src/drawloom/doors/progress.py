"""How far a request got, so that a failure can say whether anything happened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """`sent` is True once any part of a request was handed to a connection."""

    sent: bool = False
    stage: str = "connecting"

    def head_sent(self) -> None:
        """The head is on its way: from now on the service may act."""
        self.sent = True
        self.stage = "waiting for the answer"

    def head_received(self) -> None:
        """The service has begun to answer."""
        self.stage = "reading the answer"
