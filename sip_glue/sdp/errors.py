"""What can be wrong with a peer's session description, by whose turn it is to change something."""

from __future__ import annotations


class SdpError(ValueError):
    """A body that cannot be read or that breaks the rules of offer/answer: the peer's fault, a SIP 400.

    ``line`` counts from 1; 0 stands for the body as a whole.
    """

    def __init__(self, reason: str, line: int = 0, text: str = "") -> None:
        where = f"line {line} ({text[:80]!r}): " if text else f"line {line}: " if line else ""
        super().__init__(where + reason)
        self.reason = reason
        self.line = line


class NotAcceptable(Exception):
    """A body that is right and holds no audio that we speak: a SIP 488. ``reasons`` has one a line refused."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
