"""What messages of both kinds of worker share."""

from __future__ import annotations

from typing import Literal

import msgspec

Law = Literal["PCMU", "PCMA"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base: immutable, tagged by the type's name on the wire."""


class SetLogLevel(Message, frozen=True):
    """From now on log what is at least so severe. Said to workers of either kind."""

    level: str
