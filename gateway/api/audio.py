"""What SSML's <audio> may play: prompts, and files below the URLs that the settings list; nothing else.

A file from the network is fetched before the utterance is queued, whole and bounded, without following redirects,
and kept for a while. So a server that is slow or gone keeps nobody waiting but who named it.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gateway.api.prompts import Prompts, is_name
from gateway.errors import Refusal
from gateway.settings import Settings
from gateway.speech.lexicons import Stamp, stamp
from telephony_codecs import MediaFileError, read_audio
from tts_core import ScriptError
from tts_core.ssml import recordings

if TYPE_CHECKING:
    import httpx

PROMPT: Final = "prompt:"
MOST: Final = 32
"""Recordings of one document."""
LONGEST_SECONDS: Final = 60.0
"""Of one: it is read between the speech of others, who would fall silent if that took long."""
LARGEST: Final = 16 * 1024 * 1024
"""Octets of a file that is fetched."""
_KEPT_OCTETS: Final = 256 * 1024 * 1024
_FRESH_SECONDS: Final = 300.0
_AWAY_SECONDS: Final = 5.0
"""How long what could not be fetched is not asked for again."""


@dataclass(frozen=True, slots=True)
class Found:
    """What of a document's recordings can be had: src and path; and why others cannot, by src."""

    files: tuple[tuple[str, str], ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def missing(self, src: str) -> str:
        """Why ``src`` cannot be had; empty when it can."""
        return self.reasons.get(src, "")


NOTHING: Final = Found()


class _Missing(Exception):
    """A recording cannot be had; the message says why."""


class Audio:
    """Finds the recordings of SSML documents."""

    def __init__(self, prompts: Prompts, settings: Settings) -> None:
        self._prompts = prompts
        self._prefixes = tuple(map(_url, settings.audio_urls))
        self._seconds = settings.audio_fetch_seconds
        self._longest = min(settings.prompt_seconds, LONGEST_SECONDS)
        self._limit = settings.text_limit
        self._client: httpx.AsyncClient | None = None
        self._folder: Path | None = None
        self._known: dict[str, tuple[float, Path | None, str]] = {}  # by URL: until when, the file or why not
        self._kept: OrderedDict[Path, int] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Path]] = {}

    async def find(self, ssml: str) -> Found:
        """What a document's <audio> elements name. Refusals ``audio_not_allowed``, ``bad_ssml`` for too many.

        A document that cannot be read has nothing here: who reads it says what is wrong.
        """
        if "<audio" not in ssml or len(ssml) > self._limit:
            return NOTHING
        try:
            asked = recordings(ssml)
        except ScriptError:
            return NOTHING
        if len(asked) > MOST:
            raise Refusal("bad_ssml", f"ssml names {len(asked)} recordings, {MOST} are allowed", field="ssml")
        for src in asked:
            self._check(src)
        files: list[tuple[str, str]] = []
        reasons: dict[str, str] = {}
        for src, found in zip(asked, await asyncio.gather(*map(self._find, asked)), strict=True):
            if isinstance(found, Path):
                files.append((src, str(found)))
            else:
                reasons[src] = found
        return Found(tuple(files), reasons)

    async def close(self) -> None:
        """Fetch no more, keep nothing."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        if self._client is not None:
            await self._client.aclose()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _check(self, src: str) -> None:
        """Raise Refusal unless it may be asked for."""
        if src.startswith(PROMPT):
            allowed = is_name(src.removeprefix(PROMPT))
        else:
            allowed = any(_is_below(prefix, src) for prefix in self._prefixes)
        if not allowed:
            raise Refusal(
                "audio_not_allowed",
                f"audio src={src[:200]!r}: name a prompt, like prompt:greetings/hello, or a file below one of "
                "the URLs in VOXTRUNK_AUDIO_URLS",
                field="ssml",
            )

    async def _find(self, src: str) -> Path | str:
        """Its file, or why there is none."""
        try:
            if src.startswith(PROMPT):
                path = await asyncio.to_thread(self._prompts.find, src.removeprefix(PROMPT))
            else:
                path = await self._fetched(src)
            return await asyncio.to_thread(self._readable, path)
        except Refusal as refusal:
            return refusal.detail
        except _Missing as missing:
            return str(missing)

    def _readable(self, path: Path) -> Path:
        try:
            why = _unreadable(path, stamp(str(path)), self._longest)
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            raise _Missing(why)
        return path

    # -- from the network ---------------------------------------------------------------------------------

    async def _fetched(self, url: str) -> Path:
        until, path, why = self._known.get(url, (0.0, None, ""))
        if time.monotonic() < until:
            if path is None:
                raise _Missing(why)
            if path in self._kept:
                self._kept.move_to_end(path)
                return path
        task = self._under_way.get(url)
        if task is None:  # who asks for the same meanwhile waits for the same
            task = self._under_way[url] = asyncio.create_task(self._fetch(url), name="fetch audio")
            task.add_done_callback(lambda done: self._fetched_or_not(url, done))
        return await asyncio.shield(task)

    def _fetched_or_not(self, url: str, task: asyncio.Task[Path]) -> None:
        del self._under_way[url]
        if not task.cancelled():
            task.exception()  # who asked may have gone

    async def _fetch(self, url: str) -> Path:
        import httpx

        now = time.monotonic()
        self._known = {each: known for each, known in self._known.items() if known[0] > now}
        try:
            async with asyncio.timeout(self._seconds):
                path = await self._download(url)
        except TimeoutError:
            why = f"it was not there within {self._seconds:g} s (VOXTRUNK_AUDIO_FETCH_SECONDS)"
        except httpx.HTTPError as error:
            why = f"it cannot be fetched: {error or type(error).__name__}"
        except _Missing as missing:
            why = str(missing)
        except OSError as error:
            why = f"it cannot be stored: {error.strerror or error}"
        else:
            self._known[url] = time.monotonic() + _FRESH_SECONDS, path, ""
            return path
        self._known[url] = time.monotonic() + _AWAY_SECONDS, None, why
        raise _Missing(why)

    async def _download(self, url: str) -> Path:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self._seconds)
        body = bytearray()
        plain = {"accept-encoding": "identity"}  # as raw as it comes: nothing small becomes large here
        async with self._client.stream("GET", url, headers=plain) as answer:
            if answer.status_code != 200:
                raise _Missing(f"the server answered {answer.status_code}")
            async for octets in answer.aiter_raw(65_536):
                body += octets
                if len(body) > LARGEST:
                    raise _Missing(f"it has more than {LARGEST} octets")
        return await asyncio.to_thread(self._keep, bytes(body))

    def _keep(self, body: bytes) -> Path:
        """Store it by what it is, so that the same file keeps its name; the oldest go when there are too many."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="voxtrunk-audio-"))
        path = self._folder / hashlib.sha256(body).hexdigest()
        if path not in self._kept:
            path.write_bytes(body)
        self._kept[path] = len(body)
        self._kept.move_to_end(path)
        while sum(self._kept.values()) > _KEPT_OCTETS:
            self._kept.popitem(last=False)[0].unlink(missing_ok=True)
        return path


@lru_cache(maxsize=4096)
def _unreadable(path: Path, _: Stamp, longest_seconds: float) -> str:
    """Why a file cannot be played, found out once as long as it does not change; empty when it can."""
    try:
        read_audio(path, max_seconds=longest_seconds)
    except MediaFileError as error:
        return str(error)
    return ""


def _url(text: str) -> httpx.URL:
    import httpx  # 5 MB: only who names URLs loads it

    return httpx.URL(text)


def _is_below(prefix: httpx.URL, src: str) -> bool:
    """Whether ``src`` is a URL of the prefix's server whose path is below the prefix's, however it is written."""
    import httpx

    try:
        url = httpx.URL(src)
    except httpx.InvalidURL:
        return False
    written = unquote(src)
    if url.userinfo or "\\" in written or ".." in written.split("?")[0].split("/"):
        return False
    same = (url.scheme, url.host, url.port) == (prefix.scheme, prefix.host, prefix.port)
    return same and url.path.startswith(prefix.path)
