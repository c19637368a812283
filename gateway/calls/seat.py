"""Where legs have their rows: a ring, and whoever reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.calls.actions import Glance
from gateway.calls.rows import Rows
from gateway.calls.watch import Watch
from gateway.messages.media import ToMedia
from gateway.ring import RingBlock

if TYPE_CHECKING:
    from gateway.calls.leg import Leg, Opening


@dataclass(eq=False)
class LegSeat(ABC):
    """A ring and the legs in it. ``index``: its number among all rings."""

    index: int
    ring: RingBlock
    rows: Rows
    watch: Watch
    legs: dict[int, Leg] = field(default_factory=dict, kw_only=True)
    openings: dict[int, Opening] = field(default_factory=dict, kw_only=True)

    @abstractmethod
    def send(self, message: ToMedia) -> None:
        """Tell whoever reads the ring."""

    def glance(self, row: int, now_ns: int) -> Glance:
        """What the ring says of a leg now."""
        return self.watch.glance(row, now_ns)

    @abstractmethod
    def explained(self, row: int, position: int) -> None:
        """All that lies, or will lie, below ring position ``position`` has been told of; what is there may be
        taken."""
