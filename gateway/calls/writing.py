"""The utterances of a call that are being written: each one's draft joined to its place in the queue."""

from __future__ import annotations

from typing import Final

from gateway.calls.actions import Glance, Outbox
from gateway.calls.draft import Draft
from gateway.calls.life import Cause
from gateway.calls.playlist import Playlist
from gateway.calls.utterance import Utterance
from gateway.errors import Refusal
from gateway.messages.synthesis import Part

_LEAD_NS: Final = 300_000_000
"""An unfinished clause is begun when less than this is left to be heard, so that it follows without a gap."""


class Writing:
    """Text comes in by ``write``; what may be spoken goes to the playlist at once, or when ``hurry`` is due."""

    def __init__(self, playlist: Playlist, outbox: Outbox) -> None:
        self._playlist = playlist
        self._outbox = outbox
        self._open: dict[str, tuple[Utterance, Draft]] = {}

    def __len__(self) -> int:
        """How many are being written; those that have ended meanwhile are forgotten."""
        self._open = {uid: entry for uid, entry in self._open.items() if entry[0].survives}
        return len(self._open)

    def open(self, utterance: Utterance) -> None:
        """From now on this one is being written."""
        if utterance.say.draft is not None:
            self._open[utterance.id] = utterance, utterance.say.draft

    def write(self, utterance: Utterance, text: str, mark: str | None, glance: Glance) -> None:
        """Take in more text, and a mark behind it. Refusals ``wrong_state``, ``text_too_long``."""
        draft = self._draft(utterance)
        if len(draft.text) + len(text) > draft.bounds.limit:
            detail = f"text may have {draft.bounds.limit} characters in all (VOXTRUNK_TEXT_LIMIT)"
            raise Refusal("text_too_long", detail, field="text")
        part = draft.write(text, mark, glance.now_ns)
        utterance.text = draft.text
        if part is not None:
            self._release(utterance, draft, part, glance)
        if draft.swells(utterance.buffered_chars):
            self._outbox.tell(utterance, "paused", {"buffered_chars": utterance.buffered_chars})

    def flush(self, utterance: Utterance, glance: Glance) -> None:
        """Speak all there is. Refusal ``wrong_state``."""
        draft = self._draft(utterance)
        part = draft.flush(glance.now_ns)
        if part is not None:
            self._release(utterance, draft, part, glance)

    def end(self, utterance: Utterance, glance: Glance, finish: Cause = "normal") -> None:
        """Nothing follows. ``finish``: the cause once it is said to its end. Refusal ``wrong_state``."""
        draft = self._draft(utterance)
        del self._open[utterance.id]
        utterance.finish = finish
        self._release(utterance, draft, draft.end(glance.now_ns), glance)

    def hurry_at(self, glance: Glance) -> int | None:
        """When ``hurry`` is to be called next, on CLOCK_MONOTONIC; None while nothing waits."""
        due = (self._due(utterance, draft, glance) for utterance, draft in self._open.values())
        return min((at for at in due if at is not None), default=None)

    def hurry(self, glance: Glance) -> None:
        """Begin unfinished clauses where the caller would hear nothing for too long."""
        for utterance, draft in tuple(self._open.values()):
            at = self._due(utterance, draft, glance)
            if at is not None and at <= glance.now_ns:
                part = draft.hurry(glance.now_ns)
                if part is not None:
                    self._release(utterance, draft, part, glance)

    def _due(self, utterance: Utterance, draft: Draft, glance: Glance) -> int | None:
        since = draft.waits_since_ns
        if since is None or not utterance.survives:
            return None
        silent = self._playlist.falls_silent(utterance, glance)
        return None if silent is None else max(since + draft.bounds.wait_ns, silent - _LEAD_NS)

    def _draft(self, utterance: Utterance) -> Draft:
        found = self._open.get(utterance.id)
        if found is None or not utterance.survives:
            raise Refusal(
                "wrong_state", f"Utterance {utterance.id} takes no more text: it has ended, or was whole"
            )
        return found[1]

    def _release(self, utterance: Utterance, draft: Draft, part: Part | None, glance: Glance) -> None:
        if part is not None and not utterance.parts:
            utterance.requested_ns = glance.now_ns  # from here on somebody waits for its first word
        self._playlist.add(utterance, part, last=draft.ended)
