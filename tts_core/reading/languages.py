"""Which languages can be read. A new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from tts_core.reading.language import Language
from tts_core.reading.scan import Reader

_MODULES = {
    "bn": "bangla",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
}


def known() -> tuple[str, ...]:
    """The tags of the languages that are read."""
    return tuple(_MODULES)


def language_of(tag: str) -> Reader | None:
    """The reader of a BCP 47 tag, in its country's way where there is one; None for a language not read."""
    return _reader(tag.lower().replace("_", "-"))


@cache
def _reader(tag: str) -> Reader | None:
    module = _MODULES.get(tag.partition("-")[0])
    if module is None:
        return None
    of: Callable[[str], Language] = import_module(f"tts_core.reading.{module}").of
    return Reader(of(tag))
