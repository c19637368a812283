"""A plan's providers and routes, open: engines for the door, and what is told of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tts_core.engine import Engine
from tts_core.remote.asking import Expand, Line, Provider, Way
from tts_core.remote.config import KINDS, Peering, Plan
from tts_core.remote.desk import Account, Desk, Limits
from tts_core.remote.engine import RemoteEngine
from tts_core.remote.route import Door, RouteEngine
from tts_core.remote.wire import Peer, Wire


@dataclass(frozen=True, slots=True)
class Abroad:
    """All that speaks elsewhere, in one process."""

    wire: Wire
    remotes: tuple[RemoteEngine, ...]
    routes: RouteEngine | None

    @property
    def engines(self) -> Sequence[Engine]:
        """For the door, which `open` is told of."""
        return (*self.remotes, *([] if self.routes is None else [self.routes]))

    def open(self, door: Door) -> None:
        """The door that routes find their voices behind."""
        if self.routes is not None:
            self.routes.door = door

    def warm(self) -> None:
        """Warm up what is to be warm, in the background."""
        for remote in self.remotes:
            if remote.warm_first:
                remote.warm()

    def accounts(self) -> tuple[Account, ...]:
        """Every provider's totals."""
        return tuple(remote.peer.desk.account() for remote in self.remotes)

    def fail_overs(self) -> dict[tuple[str, str, str], int]:
        """See RouteEngine."""
        return {} if self.routes is None else dict(self.routes.fail_overs)

    def close(self) -> None:
        """End the wire."""
        self.wire.close()


def open_plan(
    plan: Plan, expand: Expand, local_load: Callable[[], float] = lambda: 0.0, share: int = 1
) -> Abroad:
    """Open it. `expand` decodes G.711; the providers' limits are for `share` processes like this one together."""
    wire = Wire()
    remotes = tuple(_remote(peering, wire, expand, share) for peering in plan.peerings)
    desks = {remote.name: remote.peer.desk for remote in remotes}
    routes = RouteEngine(plan.routes, desks, wire, local_load) if plan.routes else None
    return Abroad(wire, remotes, routes)


def _remote(peering: Peering, wire: Wire, expand: Expand, share: int) -> RemoteEngine:
    provider = KINDS[peering.kind].make(peering.law, expand)
    desk = Desk(peering.name, _part(peering.limits, share))
    at_once = desk.limits.at_once
    room = asyncio.Semaphore(at_once) if at_once else contextlib.nullcontext()
    peer = Peer(provider, desk, wire.take(_way(peering, provider, desk, expand)), peering.patience, room)
    return RemoteEngine(peering.name, peering.timbres, peer, wire, warm_first=peering.warm)


def _way(peering: Peering, provider: Provider, desk: Desk, expand: Expand) -> Way:
    make_talk = KINDS[peering.kind].make_talk
    if peering.transport == "http" or make_talk is None:
        from tts_core.remote.posts import Posts  # brings httpx, as the other does websockets: 5 MB for nobody

        return Posts(peering.base_url, provider, peering.key)
    from tts_core.remote.sockets import Sockets

    talking = make_talk(peering.law)
    home = {talking.address(Line(""), timbre) for timbre in peering.timbres} if peering.warm else set()

    def well() -> bool:
        return not desk.obstacle(0, waits=True)

    return Sockets(peering.base_url, talking, peering.key, expand, desk.limits.at_once, home, well)


def _part(limits: Limits, share: int) -> Limits:
    """What one of `share` processes may do; one request at once at least."""
    at_once = max(1, limits.at_once // share) if limits.at_once else 0
    return replace(limits, at_once=at_once, day=limits.day / share)
