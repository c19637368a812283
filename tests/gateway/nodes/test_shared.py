"""Speech in Redis: under which name, and that nothing else found there is taken for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from gateway.messages.synthesis import MarkAt, Resume, Word
from gateway.settings import Settings
from gateway.speech.recipe import Recipe
from gateway.speech.shared import Kept, SharedSpeech
from gateway.speech.track import Stretch, Track
from gateway.told import Told

RECIPE = Recipe("text", "Hello.", None, "v", 1.0, 0.0, "PCMU", 20)
PRINTS = {"v": "as it sounds here", "w": "another"}


@pytest.fixture
async def shared(redis_server):
    made = SharedSpeech(Told.of(Settings(redis_url=redis_server.url, redis_speech_ms=1000)), PRINTS.get)
    yield made
    await made.close()


async def until_stored(shared, count):
    for _ in range(2000):
        if shared.statistics().stored >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(shared.statistics())


def complete(recipe, octets=320):
    track = Track(recipe, kept=True)
    track.grow(Stretch(b"\x01" * 160, (Word(0, 5, 0, 2),)))
    track.grow(Stretch(b"\x02" * (octets - 160), (), (MarkAt("m", 3),), last=True))
    return track


async def test_what_is_stored_is_found_whole(shared):
    recipe = replace(RECIPE, source="Whole.")
    key = shared.key(recipe)
    assert await shared.fetch(recipe, key) is None
    shared.keep(complete(recipe))
    await until_stored(shared, 1)
    assert await shared.fetch(recipe, key) == Stretch(
        b"\x01" * 160 + b"\x02" * 160, (Word(0, 5, 0, 2),), (MarkAt("m", 3),), last=True
    )
    told = shared.statistics()
    assert (told.up, told.hits, told.misses, told.stored, told.dropped) == (True, 1, 1, 1, 0)


async def test_all_that_changes_the_audio_is_in_the_name(shared, redis_server):
    others = [
        replace(RECIPE, source="hello."), replace(RECIPE, kind="ssml"), replace(RECIPE, voice="w"),
        replace(RECIPE, rate=1.1), replace(RECIPE, gain_db=-1.0), replace(RECIPE, law="PCMA"),
        replace(RECIPE, ptime_ms=30), replace(RECIPE, reading=RECIPE.reading + 1),
    ]  # fmt: skip
    keys = {shared.key(recipe) for recipe in (RECIPE, *others)}
    for settings, prints in (
        (Settings(redis_url=redis_server.url, level_dbm0=-18), PRINTS),
        (Settings(redis_url=redis_server.url, redis_prefix="apart"), PRINTS),
        (Settings(redis_url=redis_server.url), PRINTS | {"v": "as it sounds there"}),
    ):
        other = SharedSpeech(Told.of(settings), prints.get)
        keys.add(other.key(RECIPE))
        await other.close()
    assert len(keys) == len(others) + 4
    assert not any("ello" in key for key in keys), "no text lies there"


async def test_what_is_not_shared(shared):
    assert shared.key(replace(RECIPE, kind="prompt", source="/a.wav", voice="")) is None
    assert shared.key(replace(RECIPE, resume=Resume(1, None, 80, 0))) is None
    assert shared.key(replace(RECIPE, voice="never heard")) is None
    assert shared.key(replace(RECIPE, lexicons=(("/a.pls", (1, 2)),))) is None
    for ssml in ("<speak><voice name='w'>a</voice></speak>", "<speak xml:lang='de'>a</speak>"):
        assert shared.key(replace(RECIPE, kind="ssml", source=ssml)) is None
    assert shared.key(replace(RECIPE, kind="ssml", source="<speak>a</speak>")) is not None
    long = replace(RECIPE, source="Long.")
    shared.keep(complete(long, 80 * 13_108))
    assert shared.statistics().dropped == 1


@pytest.mark.parametrize(
    "found", [b"", b"\xc1", b"\x93\x01\x02\x03", msgspec.msgpack.encode(Kept(b"\x00" * 100, (), ()))]
)
async def test_what_is_no_speech_is_made_anew(shared, found):
    key = shared.key(RECIPE)
    await shared._store.ask(lambda redis: redis.set(key, found), 1)
    assert await shared.fetch(RECIPE, key) is None
    assert shared.statistics().misses == 1
