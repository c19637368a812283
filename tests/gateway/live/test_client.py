"""The Python client against a real gateway, and the page that tells of it."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from voxtrunk.client import (
    AsyncClient,
    Busy,
    Client,
    Conflict,
    Finished,
    Gone,
    Heard,
    Mark,
    NotFound,
    NotPermitted,
    WordSaid,
    Wrong,
)

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()
SYNC, ASYNC = (block.split("```")[0] for block in PAGE.split("```python\n")[1:])


def target(listening, **more):
    return {"rtp": {"address": "127.0.0.1", "port": listening.port}, "silence": "suppress"} | more


def test_the_pages_example_is_heard(gateway, ear, capsys):
    listening = ear()
    example: dict = {}
    exec(SYNC, example)
    packets = example["announce"](gateway.url, listening.port)
    assert capsys.readouterr().out == "Your table is ready.\n"
    said, _ = listening.hear()
    assert set(said["payload_type"]) == {8}
    assert len(said) >= int(packets.split()[0]) > 70


async def test_the_pages_async_example_is_heard(gateway, ear, capsys):
    listening = ear()
    example: dict = {}
    exec(ASYNC, example)

    async def tokens():
        for token in ("Hel", "lo ", "there", "."):
            yield token
            await asyncio.sleep(0.01)

    end = await example["answer"](gateway.url, listening.port, tokens())
    assert (end.state, end.spoken_text) == ("finished", "Hello there.")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["Hello", "there"]


def test_what_is_refused_is_raised_by_its_kind(gateway, ear):
    listening = ear()
    with Client(gateway.url) as client:
        with pytest.raises(Wrong, match="voice") as wrong:
            client.open(**target(listening, voice="espeak:nobody"))
        assert (wrong.value.code, wrong.value.errors[0].field) == ("unknown_voice", "voice")
        with pytest.raises(NotPermitted, match="VOXTRUNK_RTP_ALLOW"):
            client.open(rtp={"address": "192.0.2.1", "port": 4000})
        for missing in (lambda: client.line("c_nobody"), lambda: next(client.events(call_id="c_nobody"))):
            with pytest.raises(NotFound) as refused:
                missing()
            assert refused.value.code == "unknown_call"
        with pytest.raises(Gone):
            next(client.events(after="e_another_1"))
        with client.call(**target(listening)) as line:
            with pytest.raises(Conflict):
                line.resume()
            with line.speech() as speech:
                speech.write("nobody", "x")
                with pytest.raises(NotFound) as refused:
                    next(speech)
                assert (refused.value.code, refused.value.utterance_id) == ("unknown_utterance", "nobody")
                line.hang_up()
                assert list(speech) == []


def test_a_speech_socket_tells_what_was_heard(gateway, ear):
    listening = ear()
    with Client(gateway.url) as client, client.call(**target(listening)) as line:
        with line.speech() as speech:
            speech.open("cut", rate=1.5)
            speech.write("cut", "One two three. ", mark="here")
            speech.write("cut", "Four five six seven eight nine ten eleven twelve.")
            speech.end("cut")
            told = []
            for each in speech:
                told.append(each)
                if isinstance(each, WordSaid) and each.word == "five":
                    speech.clear()
                if isinstance(each, Finished):
                    break
        assert [mark.name for mark in told if isinstance(mark, Mark)] == ["here"]
        (heard,) = [each for each in told if isinstance(each, Heard)]
        end = told[-1]
        assert (end.state, end.cause, end.spoken_text) == ("stopped", "cleared", heard.spoken_text)
        assert heard.last_word.word in heard.spoken_text
        rest = line.wait(line.say_rest("cut", id="rest"), 20)
        assert (rest.state, rest.text) == ("finished", heard.remaining_text)
        assert [each.id for each in line.utterances().utterances] == ["cut", "rest"]
    assert line.closed.statistics.packets > 0


async def test_a_calls_events_are_told_from_the_first_to_the_last(gateway, ear):
    listening = ear()
    async with AsyncClient(gateway.url) as client:
        told, first = [], asyncio.Event()

        async def all_calls():
            async with contextlib.aclosing(client.events()) as every:
                async for event in every:
                    first.set()
                    told.append(event)
                    if event.type == "call.closed" and event.client_state == "mine":
                        break

        following = asyncio.create_task(all_calls())
        async with client.call(**target(listening)) as other:
            while not first.is_set():
                await other.dtmf("1")
                await asyncio.sleep(0.05)
        async with client.call(**target(listening, client_state="mine")) as line:
            await line.wait(await line.say("Hello."))
        mine = [event async for event in line.events()]
        assert [event.seq for event in mine] == list(range(1, len(mine) + 1))
        assert mine[0].type == "call.opened"
        assert [event.type for event in mine[-3:]] == [
            "utterance.started",
            "utterance.finished",
            "call.closed",
        ]
        assert {event.client_state for event in mine} == {"mine"}
        await following
        assert [event for event in told if event.call_id == line.id] == mine
        again = [event async for event in client.events(mine[1].id, call_id=line.id)]
        assert again == mine[2:]
        assert [event async for event in client.events(mine[-1].id, call_id=line.id)] == []


def test_what_the_gateway_tells_of_itself(gateway, ear):
    listening = ear()
    with Client(gateway.url) as client:
        voices = client.voices()
        assert voices.default in {voice.name for voice in voices.voices}
        assert client.health().checks["media_workers"].ok
        with client.call(**target(listening)) as line:
            assert line.id in [call.id for call in client.calls(state="open", limit=1000).calls]
            assert client.start_drain().draining
            with pytest.raises(Busy) as full:
                client.open(**target(listening))
            assert (full.value.code, full.value.retryable) == ("draining", True)
            assert not client.stop_drain().draining
            assert line.volume(-3.0).volume_db == -3.0
            assert line.now().paused is False
