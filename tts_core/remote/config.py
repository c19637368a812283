"""The file of providers and routes, read and checked: TOML in, what is to be opened out.

[providers.elevenlabs]
key_env = "ELEVENLABS_API_KEY"
voices.anna = { own = "21m00Tcm4TlvDq8ikWAM", language = "en-us" }

[routes.support]
language = "en-us"
voices = ["elevenlabs:anna", "espeak:en-us"]
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tts_core.errors import EngineError
from tts_core.remote import azure, cartesia, deepgram, elevenlabs, openai
from tts_core.remote.asking import Expand, Provider, Talking, Timbre
from tts_core.remote.cartesia_talk import CartesiaTalk
from tts_core.remote.deepgram_talk import DeepgramTalk
from tts_core.remote.desk import Limits
from tts_core.remote.elevenlabs_talk import ElevenLabsTalk
from tts_core.remote.wire import Patience

Make = Callable[[str, Expand], Provider]
MakeTalk = Callable[[str], Talking]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of provider: its base URL, "" where each customer has another; what is said over its WebSockets."""

    make: Make
    base_url: str
    make_talk: MakeTalk | None = None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "elevenlabs": Kind(elevenlabs.ElevenLabs, elevenlabs.BASE_URL, ElevenLabsTalk),
        "azure": Kind(azure.Azure, azure.BASE_URL),
        "openai": Kind(openai.OpenAI, openai.BASE_URL),
        "deepgram": Kind(deepgram.Deepgram, deepgram.BASE_URL, DeepgramTalk),
        "cartesia": Kind(cartesia.Cartesia, cartesia.BASE_URL, CartesiaTalk),
    }
)

_TAKEN = frozenset(("espeak", "neural", "piper", "route"))
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.IGNORECASE)
_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")


class BadProviders(EngineError):
    """The file cannot be used as it is; the message says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Peering:
    """A provider as configured."""

    name: str
    kind: str
    base_url: str
    law: str
    key: str = field(repr=False)
    timbres: tuple[Timbre, ...] = ()
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    warm: bool = True
    transport: str = "http"


@dataclass(frozen=True, slots=True)
class Try:
    """One voice of a route, and when it may speak.

    `languages`: in speech of these, () for the route's own; `tiers`: for callers of these, () for all;
    `below_cost`: while the utterance costs less; `below_load`: while the part in use of what it can do is less.
    """

    voice: str
    languages: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    below_cost: float = math.inf
    below_load: float = math.inf


@dataclass(frozen=True, slots=True)
class Route:
    """An ordered list of voices. `hedge_s`: without a sound for so long the next is asked too; None: never."""

    name: str
    language: str
    tries: tuple[Try, ...]
    description: str = ""
    hedge_s: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a file."""

    peerings: tuple[Peering, ...] = ()
    routes: tuple[Route, ...] = ()


def read_plan(path: Path) -> Plan:
    """The file at `path`. Raises BadProviders for whatever is wrong with it or cannot be read."""
    try:
        text = path.read_text("utf-8")
        whole = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadProviders(f"{path}: {error}") from None
    try:
        return _plan(_Table(whole, ""), path.parent)
    except BadProviders as error:
        raise BadProviders(f"{path}: {error}") from None


class _Table:
    """A TOML table of which every key must be asked for."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise BadProviders(f"{where}: must be a table")
        self._values: dict[str, Any] = dict(values)
        self.where = where

    def names(self) -> list[str]:
        return list(self._values)

    def at(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.pop(name, default)
        if not isinstance(value, str):
            raise BadProviders(
                f"{self.at(name)}: must be a text" + (", and is missing" if value is None else "")
            )
        return value

    def number(self, name: str, default: float, least: float = 0.0) -> float:
        if name not in self._values:
            return default
        value = self._values.pop(name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or value < least:
            raise BadProviders(f"{self.at(name)}: must be a number of at least {least:g}, not {value!r}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise BadProviders(f"{self.at(name)}: must be true or false, not {value!r}")
        return value

    def listed(self, name: str) -> list[Any]:
        value = self._values.pop(name, [])
        if not isinstance(value, list):
            raise BadProviders(f"{self.at(name)}: must be a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.listed(name)
        if not all(isinstance(value, str) for value in values):
            raise BadProviders(f"{self.at(name)}: must be a list of texts")
        return tuple(values)

    def table(self, name: str) -> _Table:
        return _Table(self._values.pop(name, {}), self.at(name))

    def tables(self) -> list[tuple[str, _Table]]:
        names = self.names()
        for name in names:
            if not _NAME.fullmatch(name):
                raise BadProviders(f"{self.at(name)}: a name has letters, digits, '.', '_' and '-'")
        return [(name, self.table(name)) for name in names]

    def rest(self) -> dict[str, Any]:
        rest, self._values = self._values, {}
        return rest

    def end(self) -> None:
        if self._values:
            raise BadProviders(f"{self.at(next(iter(self._values)))}: there is no such setting")


def _plan(table: _Table, folder: Path) -> Plan:
    peerings = tuple(_peering(name, each, folder) for name, each in table.table("providers").tables())
    routes = tuple(_route(name, each) for name, each in table.table("routes").tables())
    table.end()
    return Plan(peerings, routes)


def _peering(name: str, table: _Table, folder: Path) -> Peering:
    if name in _TAKEN:
        raise BadProviders(f"{table.where}: {name} is another engine's name")
    kind = table.text("kind", name if name in KINDS else None)
    if kind not in KINDS:
        raise BadProviders(f"{table.at('kind')}: {kind!r} is none of {', '.join(KINDS)}")
    base_url = table.text("base_url", KINDS[kind].base_url).rstrip("/")
    if not base_url.startswith(("http://", "https://")):
        raise BadProviders(f"{table.at('base_url')}: must begin with https:// (or http://), not {base_url!r}")
    law = table.text("law", "mulaw")
    if law not in ("mulaw", "alaw"):
        raise BadProviders(f"{table.at('law')}: must be mulaw or alaw, not {law!r}")
    transport = table.text("transport", "http")
    if transport not in ("http", "websocket"):
        raise BadProviders(f"{table.at('transport')}: must be http or websocket, not {transport!r}")
    if transport == "websocket" and KINDS[kind].make_talk is None:
        raise BadProviders(f"{table.at('transport')}: {kind} is asked over http only")
    limits = Limits(
        int(table.number("at_once", 0)), table.number("price_per_million", 0), table.number("spend_day", 0)
    )
    if limits.day and not limits.price:
        raise BadProviders(f"{table.at('spend_day')}: needs price_per_million")
    patience = Patience(
        table.number("first_byte_ms", 1500, 1) / 1000, table.number("stall_ms", 500, 1) / 1000
    )
    warm, model = table.flag("warm", True), table.text("model", "")
    timbres = tuple(_timbre(own, each, model) for own, each in table.table("voices").tables())
    if not timbres:
        raise BadProviders(f"{table.at('voices')}: name at least one")
    peering = Peering(
        name, kind, base_url, law, _key(table, folder), timbres, limits, patience, warm, transport
    )
    table.end()
    return peering


def _key(table: _Table, folder: Path) -> str:
    """From the environment or a file, which may be beside this one; never from this file itself."""
    variable, file = table.text("key_env", ""), table.text("key_file", "")
    if variable and file:
        raise BadProviders(f"{table.at('key_file')}: there is a key_env already")
    if variable:
        key = os.environ.get(variable, "").strip()
        if not key:
            raise BadProviders(f"{table.at('key_env')}: the environment has no {variable}")
        return _printable(key, table.at("key_env"))
    if not file:
        return ""
    try:
        return _printable((folder / file).read_text("utf-8").strip(), table.at("key_file"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadProviders(f"{table.at('key_file')}: {error}") from None


def _printable(key: str, where: str) -> str:
    if not key or not key.isascii() or not key.isprintable():
        raise BadProviders(f"{where}: that is no key: one line of ASCII is wanted")
    return key


def _language(table: _Table, tag: str, name: str = "language") -> str:
    tag = tag.lower().replace("_", "-")
    if not _TAG.fullmatch(tag):
        raise BadProviders(f"{table.at(name)}: must be a tag such as en-us, not {tag!r}")
    return tag


def _timbre(name: str, table: _Table, model: str) -> Timbre:
    level = table.number("level_dbov", math.inf, -60)
    gender = table.text("gender", "")
    if gender not in ("", "male", "female"):
        raise BadProviders(f"{table.at('gender')}: must be male or female, not {gender!r}")
    timbre = Timbre(
        name,
        table.text("own", name),
        _language(table, table.text("language")),
        table.text("model", model),
        table.text("description", ""),
        gender,
        None if math.isinf(level) else level,
        table.table("more").rest(),
    )
    table.end()
    return timbre


def _route(name: str, table: _Table) -> Route:
    tries = tuple(_try(each, index, table) for index, each in enumerate(table.listed("voices")))
    if not tries:
        raise BadProviders(f"{table.at('voices')}: name at least one")
    hedge_ms = table.number("hedge_ms", math.inf, 1)
    route = Route(
        name,
        _language(table, table.text("language")),
        tries,
        table.text("description", ""),
        None if math.isinf(hedge_ms) else hedge_ms / 1000,
    )
    table.end()
    return route


def _try(value: object, index: int, table: _Table) -> Try:
    where = f"{table.at('voices')}[{index}]"
    inner = _Table({"voice": value} if isinstance(value, str) else value, where)
    made = Try(
        inner.text("voice"),
        tuple(_language(inner, tag, "languages") for tag in inner.texts("languages")),
        inner.texts("tiers"),
        inner.number("below_cost", math.inf),
        inner.number("below_load", math.inf),
    )
    if any(not _NAME.fullmatch(tier) for tier in made.tiers):
        raise BadProviders(f"{inner.at('tiers')}: a name has letters, digits, '.', '_' and '-'")
    if made.voice.startswith("route:"):
        raise BadProviders(f"{where}: a route names voices, not routes")
    inner.end()
    return made
