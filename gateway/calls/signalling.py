"""What a SIP peer does to a call, told by whoever holds its dialog; without effect on one that is closed."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.calls.leg import Leg
from gateway.calls.legs import wall_time
from gateway.calls.registry import Registry
from gateway.calls.requests import Media
from gateway.calls.targets import check_target
from gateway.settings import Settings


class Signalling:
    """Of all calls that are SIP's."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry

    def ringing(self, call_id: str, code: int) -> None:
        """The peer is being called."""
        self._tell(call_id, lambda leg: leg.call.ringing(code, leg.glance(time.monotonic_ns())))

    def early(self, call_id: str) -> None:
        """Speech may go out although the call is not answered."""
        self._tell(call_id, lambda leg: leg.call.early(leg.glance(time.monotonic_ns())))

    def answered(self, call_id: str, media: Media) -> None:
        """The call is answered: speech begins. Refusals ``invalid``, ``target_not_allowed``."""
        self._check_media(call_id, media)

        def answer(leg: Leg) -> None:
            now_ns = time.monotonic_ns()
            leg.call.answered(media, wall_time(now_ns), leg.glance(now_ns))
            self._registry.limit(leg)

        self._tell(call_id, answer)

    def change(self, call_id: str, media: Media) -> None:
        """The peer wants its audio elsewhere or otherwise. Refusals ``invalid``, ``target_not_allowed``."""
        self._check_media(call_id, media)
        self._tell(call_id, lambda leg: leg.call.change(media, leg.glance(time.monotonic_ns())))

    def digit(self, call_id: str, digit: str, duration_ms: int | None) -> None:
        """A key that the peer told of by other means than RTP."""
        self._tell(call_id, lambda leg: leg.call.digit(digit, duration_ms, leg.glance(time.monotonic_ns())))

    def _tell(self, call_id: str, tell: Callable[[Leg], None]) -> None:
        leg = self._registry.open.get(call_id)
        if leg is not None and not leg.call.closing:
            tell(leg)
            self._registry.legs.act(leg)

    def _check_media(self, call_id: str, media: Media) -> None:
        if media.address is not None:
            leg = self._registry.open.get(call_id)
            allow = leg.call.request.owner_allow if leg is not None else ()
            check_target(self._settings, media.address, media.port, media.rtcp_port, owner_allow=allow)
