"""What a synthesis worker speaks with: its voices, here and elsewhere, and the lexicon that all follow.

They are opened in the voices' thread, and watched in one of their own as they come and go.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.messages.work import FailOvers, ProviderWork
from gateway.speech import abroad
from gateway.speech.lexicons import GLOBAL, always, at_start
from gateway.speech.shelf import ShelfWatch
from gateway.speech.voice import VoiceSource
from gateway.told import Told
from tts_core import Lexicon, LexiconError

if TYPE_CHECKING:
    from tts_core.remote.opening import Abroad

log = logging.getLogger("voxtrunk.speech")

Offer = Callable[[frozenset[str], bool, tuple[Lexicon, ...] | None], object]
"""Told which voices are others now, whether somebody has asked, and, if so, what the lexicon is now, if it can be
read."""


class Repertoire:
    """Nothing of it is there before ``open`` has returned, but ``together`` and ``print_of`` may be asked."""

    def __init__(self, settings: Told) -> None:
        self._settings = settings
        self._source: VoiceSource | None = None
        self._abroad: Abroad | None = None
        self._shelf: ShelfWatch | None = None

    @property
    def source(self) -> VoiceSource:
        """Where speech comes from."""
        assert self._source is not None, "it is not open"
        return self._source

    def open(self, utilisation: Callable[[], float]) -> VoiceSource:
        """Open the engines, and warm those voices that are to be warm; in the thread that is to speak.

        ``utilisation``: the part of that thread in use, for routes. Raises EngineError, UnknownVoice.
        """
        settings = self._settings
        door, self._abroad = abroad.open_door(settings, utilisation, settings.synthesis_workers)
        self._source = source = VoiceSource(
            door,
            settings.level_dbm0,
            settings.default_voice,
            at_start(settings.lexicons_folder),
            settings.prompt_seconds,
        )
        if self._abroad is not None:
            self._abroad.warm()
        if settings.warm_in_background:
            loading = partial(source.load, settings.warm_voices)
            threading.Thread(target=loading, name="warm", daemon=True).start()
        else:
            source.warm(settings.warm_voices)
        return source

    def watch(self, offer: Offer) -> None:
        """From now on take in voices that are added, let go of those removed, and tell ``offer``, in a thread."""

        def deliver(changed: frozenset[str], asked: bool) -> None:
            offer(changed, asked, self._lexicons() if asked else None)

        self._shelf = ShelfWatch(self._settings.voices_folder, self.source.renew, deliver)

    def look(self) -> None:
        """Look now, and tell."""
        if self._shelf is not None:
            self._shelf.look()

    def watch_no_more(self) -> None:
        """Whoever comes or goes is nobody's concern any more."""
        if self._shelf is not None:
            self._shelf.close()

    def close(self) -> None:
        """Let go of what is asked over the network."""
        if self._abroad is not None:
            self._abroad.close()

    def together(self, voice: str) -> int:
        """How many utterances of the voice are best made together; 1 while that is not known."""
        return self._source.together(voice) if self._source else 1

    def print_of(self, voice: str) -> str | None:
        """See ``VoiceSource.print_of``; None while that is not known."""
        return self._source.print_of(voice) if self._source else None

    def providers(self) -> tuple[ProviderWork, ...]:
        """What was asked of each provider."""
        return abroad.work(self._abroad) if self._abroad else ()

    def fail_overs(self) -> tuple[FailOvers, ...]:
        """Where routes went on without a voice."""
        return abroad.fail_overs(self._abroad) if self._abroad else ()

    def _lexicons(self) -> tuple[Lexicon, ...] | None:
        """The lexicon of every utterance as it is now; None when it cannot be read."""
        try:
            return always(self._settings.lexicons_folder)
        except (LexiconError, OSError) as error:
            log.error("the lexicon %s stays as it was: %s", GLOBAL, error)
            return None
