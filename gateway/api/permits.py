"""What a key may speak with: its ``voices``, wherever a voice is named, SSML included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Refusal
from tts_core import Say, Script
from tts_core.voices import chosen

if TYPE_CHECKING:
    from gateway.api.keyring import Key
    from gateway.calls.switchboard import Switchboard


def check_voice(key: Key, voice: str) -> None:
    """Refusal ``not_permitted``."""
    if not key.may_speak_with(voice):
        raise Refusal(
            "not_permitted",
            f"{key.name} may not speak with {voice[:128]} (`voices` in VOXTRUNK_API_KEYS_FILE)",
            field="voice",
        )


def check_script(key: Key, switchboard: Switchboard, voice: str, script: Script | None) -> None:
    """The same for all the voices that ``script`` asks for when ``voice`` says it. Refusal ``not_permitted``."""
    check_voice(key, voice)
    if not key.voices or script is None:
        return
    offered = {each.name: each for each in switchboard.workers.voices()}
    for manner in {piece.manner for piece in script.pieces if isinstance(piece, Say)}:
        if voice in offered:
            check_voice(key, chosen(offered, manner, voice) or voice)
