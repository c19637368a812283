"""What a call sounds like beside its speech: how loud it is, what plays behind it, the digits that it sends."""

from __future__ import annotations

from pathlib import Path

from gateway.calls.beds import Beds
from gateway.calls.call import Call
from gateway.calls.registry import Registry
from gateway.calls.requests import Background
from gateway.errors import Refusal
from gateway.messages.media import SendDigits


class Sound:
    """Of all calls."""

    def __init__(self, registry: Registry, beds: Beds) -> None:
        self._registry = registry
        self._beds = beds

    async def set_volume(self, call_id: str, volume_db: float) -> Call:
        """Change the level of all that is said on a call. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self._registry.live(call_id)
        leg.call.set_volume(volume_db)
        self._registry.legs.act(leg)
        return leg.call

    async def set_background(
        self, call_id: str, prompt: str, path: Path, volume_db: float, duck_db: float
    ) -> Call:
        """Repeat an audio file behind a call's speech.

        Refusals ``unknown_call``, ``wrong_state``, ``bad_prompt``.
        """
        self._registry.live(call_id)
        bed = await self._beds.take(path)
        try:
            leg = self._registry.live(call_id)
            leg.call.set_background(Background(prompt, volume_db, duck_db, bed.number, bed.memory))
        except Refusal:
            self._beds.let_go(bed)
            raise
        old, leg.bed = leg.bed, bed
        self._registry.legs.act(leg)
        self._beds.let_go(old)
        return leg.call

    async def clear_background(self, call_id: str) -> Call:
        """Play nothing behind a call's speech. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self._registry.live(call_id)
        leg.call.set_background(None)
        self._registry.legs.act(leg)
        self._beds.let_go(leg.bed)
        leg.bed = None
        return leg.call

    async def send_dtmf(self, call_id: str, digits: str, duration_ms: int) -> None:
        """Send RFC 4733 events now. Refusal ``wrong_state`` when the call has no telephone-event."""
        leg = self._registry.live(call_id)
        if leg.call.closing:
            raise Refusal("wrong_state", f"Call {call_id} is closed")
        if leg.call.dtmf_payload_type is None:
            raise Refusal("wrong_state", f"Call {call_id} has no telephone-event (dtmf_payload_type null)")
        if leg.call.state == "ringing" or leg.call.held:
            raise Refusal(
                "wrong_state", f"Call {call_id} is {'on hold' if leg.call.held else 'not answered'}"
            )
        leg.media.send(SendDigits(leg.row, digits, duration_ms))
