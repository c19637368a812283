"""What a request says: its text as a script, templates filled, and the whole as calls take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.api.context import Context
from gateway.api.requests import SLOT, Manner, PromptSlot
from gateway.calls import requests
from gateway.errors import Refusal
from gateway.messages.synthesis import Piece
from tts_core import Say, Script, ScriptError
from tts_core.script import PLAIN
from tts_core.voices import chosen

_CLOSING: Final = ".,;:!?…)\"'”’"


async def say_of(here: Context, manner: Manner, requested_ns: int, **said: Any) -> requests.Say:
    """``said`` (see ``requests.Say``) in the manner that is asked for. Refusals as ``Lexicons.find``."""
    return requests.Say(
        requested_ns=requested_ns,
        id=manner.id,
        voice=manner.voice,
        rate=manner.rate,
        volume_db=manner.volume_db,
        mode=manner.mode,
        interruptible=manner.interruptible,
        barge_in=manner.barge_in.meant() if manner.barge_in else None,
        client_state=manner.client_state,
        lexicons=await here.lexicon_paths(manner.lexicons),
        **said,
    )


def fill(
    template: str, slots: Mapping[str, str | PromptSlot], paths: Mapping[str, str]
) -> tuple[str, tuple[Piece, ...]]:
    """The whole text, and its pieces. What ends a clause right behind a slot is said with what fills it."""
    texts: list[tuple[str, str | None]] = []
    for index, part in enumerate(SLOT.split(template)):
        if index % 2:
            slot = slots[part]
            texts.append((slot, None) if isinstance(slot, str) else ("", paths[part]))
            continue
        closing = len(part) - len(part.lstrip(_CLOSING))
        if closing and texts and texts[-1][1] is None:
            texts[-1] = (texts[-1][0] + part[:closing], None)
            part = part[closing:]
        texts.append((part, None))
    whole, pieces = "", []
    for text, path in texts:
        if path is not None or any(char.isalnum() for char in text):
            pieces.append(Piece(len(whole), text, path))
        whole += text
    return whole, tuple(pieces)


def unspoken(script: Script, here: Context, voice: str) -> list[str]:
    """What the voices that there are cannot do of what SSML asks for."""
    manners = {piece.manner for piece in script.pieces if isinstance(piece, Say) and piece.manner != PLAIN}
    if not manners:
        return []
    offered = {each.name: each for each in here.switchboard.workers.voices()}
    said = set()
    for manner in manners:
        speaker = chosen(offered, manner, voice) if voice in offered else voice
        if speaker is None:
            wanted = (
                f"no voice is named {manner.voice[:64]!r}"
                if manner.voice
                else f"no voice speaks {manner.language!r}"
            )
            said.add(f"{wanted}: {voice} says it")
        if manner.pitch != 1 and (speaker or voice).startswith("piper:"):
            said.add(f"pitch has no effect on {speaker or voice}")
    return sorted(said)


def script_of(
    source: str | None, field: str, text_limit: int, missing: Callable[[str], str] | None = None
) -> Script | None:
    """What text or SSML says; None for a prompt. ``missing``: why a recording cannot be had.

    Refusals ``text_too_long``, ``bad_ssml``.
    """
    if source is None:
        return None
    if len(source) > text_limit:
        raise Refusal(
            "text_too_long",
            f"{field} may have {text_limit} characters (VOXTRUNK_TEXT_LIMIT), has {len(source)}",
            field=field,
        )
    if field != "ssml":
        return Script.from_text(source)
    try:
        return Script.from_ssml(source, missing)
    except ScriptError as error:
        raise Refusal("bad_ssml", f"ssml: {error}", field="ssml") from None
