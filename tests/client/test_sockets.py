"""Events over connections that break, and a speech socket that asks for a pause: servers follow a script."""

import asyncio
import json
import threading
import time
from http import HTTPStatus
from types import SimpleNamespace

import msgspec
import pytest

from voxtrunk.client import AsyncClient, AsyncLine, Client, Gone, Line, Retry, ServerError, Unreachable
from voxtrunk.client.aio import AsyncSpeech
from voxtrunk.client.sync import Speech
from voxtrunk.client.writing import Accepted, Finished, Paused, Resumed

from .conftest import refusal

QUICK = Retry(attempts=3, first_seconds=0.001)


def event(number, kind="utterance.mark"):
    about = {"seq": number, "type": kind, "time": "2026-01-02T03:04:05Z", "call_id": "c_1"}
    return json.dumps(
        about | {"id": f"e_run_{number}", "utterance_id": None, "client_state": None, "data": {}}
    )


def begins(after):
    return json.dumps({"type": "following", "after": after})


async def of_async(events):
    return [each.seq async for each in events]


async def seqs(url, asynchronous):
    """Of the events of call c_1, by either client."""
    if asynchronous:
        async with AsyncClient(url, retry=QUICK) as client:
            return await of_async(client.events(call_id="c_1"))
    with Client(url, retry=QUICK) as client:
        return [each.seq for each in client.events(call_id="c_1")]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_events_go_on_where_the_connection_broke(sockets, asynchronous):
    paths = []

    def handler(socket):
        paths.append(socket.request.path)
        match len(paths):
            case 1:  # breaks before anything has happened
                socket.send(begins("e_run_3"))
                socket.socket.close()
            case 2:
                for message in (begins("e_run_3"), event(4), event(5)):
                    socket.send(message)
                socket.close(1012)
            case 3:
                socket.send(begins("e_run_5"))
                socket.close(1008)
            case 4:
                for message in (begins("e_run_5"), event(6, "of.a_later_version")):
                    socket.send(message)
                socket.recv(5)
        socket.close()

    with sockets(handler) as url:
        if asynchronous:
            async with AsyncClient(url, retry=QUICK) as client:
                following = client.events()
                told = [(await anext(following)).seq for _ in range(3)]
                await following.aclose()
        else:
            with Client(url, retry=QUICK) as client:
                following = client.events()
                told = [next(following).seq for _ in range(3)]
                following.close()
    assert told == [4, 5, 6]
    assert paths == ["/v1/events"] + [f"/v1/events?after=e_run_{n}" for n in (3, 5, 5)]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_calls_events_do_not_end_with_a_server_or_proxy_that_goes_away(sockets, asynchronous):
    paths = []

    def handler(socket):
        paths.append(socket.request.path)
        first = len(paths) == 1
        socket.send(begins(None if first else "e_run_1"))
        socket.send(event(1) if first else event(2, "call.closed"))
        socket.close(1001 if first else 1000)

    with sockets(handler) as url:
        assert await seqs(url, asynchronous) == [1, 2]
    assert paths == ["/v1/events?call_id=c_1", "/v1/events?call_id=c_1&after=e_run_1"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_calls_events_end_with_it(sockets, asynchronous):
    paths = []

    def handler(socket):
        paths.append(socket.request.path)
        socket.send(begins(None))
        if len(paths) > 1:
            socket.send(event(1))
            socket.send(event(2, "call.closed"))
        socket.close(1000 if len(paths) > 1 else 1011)

    with sockets(handler) as url:
        assert await seqs(url, asynchronous) == [1, 2]
    assert paths == ["/v1/events?call_id=c_1"] * 2


def refuses(*answers):
    """The next of ``answers`` for each connection; None lets one in."""
    script = iter(answers)

    def refuse(connection, request):
        told = next(script)
        if told is None:
            return None
        status, headers, body = told
        answer = connection.respond(HTTPStatus(status), body)
        for name, value in headers.items():
            answer.headers[name] = value
        return answer

    return refuse


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_gateway_that_is_not_back_yet_is_asked_again(sockets, asynchronous):
    script = refuses(
        None, (502, {}, "<html>a proxy's</html>"), None, refusal(503, "draining", retryable=True), None
    )

    def handler(socket):
        after = socket.request.path.partition("after=e_run_")[2]
        number = int(after or 0) + 1
        socket.send(begins(f"e_run_{after}" if after else None))
        socket.send(event(number, "call.closed" if number == 3 else "utterance.mark"))
        socket.close(1000 if number == 3 else 1001)

    with sockets(handler, process_request=script) as url:
        assert await seqs(url, asynchronous) == [1, 2, 3]
    with (
        sockets(handler, process_request=refuses(*[(504, {}, "")] * 3)) as url,
        pytest.raises(ServerError, match="HTTP 504"),
    ):
        await seqs(url, asynchronous)


def test_events_that_are_gone_are_told(sockets):
    with (
        sockets(lambda socket: None, process_request=refuses(refusal(410, "events_gone"))) as url,
        Client(url, retry=QUICK) as client,
        pytest.raises(Gone) as caught,
    ):
        next(client.events(after="e_run_1"))
    assert caught.value.code == "events_gone"
    with Client("http://127.0.0.1:9", retry=QUICK) as client, pytest.raises(Unreachable):
        next(client.events())


END = {"type": "finished", "id": "u", "state": "finished", "cause": "normal", "spoken_text": "ab"}
END |= {"remaining_text": "", "spoken_ms": 40, "heard_ms": None, "duration_ms": 40, "first_audio_ms": 9.5}
END |= {"underruns": 0, "last_word": None, "last_mark": None}


def pauses(wrote, resume):
    """A handler that asks for a pause after the first text, and goes on when told."""

    def handler(socket):
        for message in socket:
            read = json.loads(message)
            wrote.append((read["type"], read.get("text")))
            socket.send(json.dumps({"type": "accepted", "id": "u", "buffered_chars": 1}))
            socket.send(json.dumps({"type": "of a later version", "id": "u"}))
            if read["type"] == "text" and read["text"] == "a":
                socket.send(json.dumps({"type": "paused", "id": "u", "buffered_chars": 9}))
                resume.wait(0.2)
                socket.send(json.dumps({"type": "resumed", "id": "u", "buffered_chars": 1}))
            if read["type"] == "end":
                socket.send(json.dumps(END))
                socket.close(1000)

    return handler


def test_a_writer_pauses_when_asked_to(sockets):
    wrote, never = [], threading.Event()
    with sockets(pauses(wrote, never)) as url, Client(url) as client, client._connect("/x") as socket:
        speech = Speech(socket)
        speech.open("u")
        speech.write("u", "a")
        while not any(isinstance(told, Paused) for told in speech.told()):
            pass
        speech.write("u", "b", mark="here")
        told = list(speech.told())
        assert any(isinstance(each, Resumed) for each in told), "it has waited for that"
        speech.end("u")
        told = list(speech)
    assert [kind for kind, _ in wrote] == ["open", "text", "text", "end"]
    assert [type(each) for each in told] == [Accepted, Accepted, Finished][-len(told) :]
    assert told[-1].spoken_text == "ab"


async def test_an_async_writer_pauses_when_asked_to(sockets):
    wrote, never = [], threading.Event()
    with sockets(pauses(wrote, never)) as url:
        async with AsyncClient(url) as client, client._connect("/x") as socket:
            speech = AsyncSpeech(socket)
            await speech.open("u")
            await speech.write("u", "a")
            async for told in speech:
                if isinstance(told, Paused):
                    break
            await speech.write("u", "b")
            await speech.end("u")
            told = [type(each) async for each in speech]
            await speech.close()
    assert told == [Resumed, Accepted, Accepted, Finished]


ACCEPTED = {"type": "accepted", "id": "u", "buffered_chars": 1}
CUT = END | {"state": "stopped", "cause": "closed", "spoken_text": "a", "remaining_text": "b"}


def cuts(cut, hangs_up):
    """A handler whose caller cuts the first text: all is told at once, then nobody is there to be written to."""

    def handler(socket):
        for message in socket:
            socket.send(json.dumps(ACCEPTED))
            if json.loads(message)["type"] == "text" and not cut.is_set():
                socket.send(json.dumps(CUT))
                cut.set()
                if hangs_up:
                    socket.close(1000)

    return handler


def line_of(kind, client):
    return kind(client, SimpleNamespace(id="c_1"))


@pytest.mark.parametrize("hangs_up", [False, True])
def test_speaking_ends_with_what_was_heard_of_it(sockets, hangs_up):
    cut, asked = threading.Event(), []

    def pieces():
        for piece in "abcd":
            asked.append(piece)
            yield piece
            assert cut.wait(5)
            time.sleep(0.1)

    with sockets(cuts(cut, hangs_up)) as url, Client(url) as client:
        told = [type(each) for each in line_of(Line, client).speak(pieces(), "u")]
    assert told[-1] is Finished
    assert set(told[:-1]) <= {Accepted}
    assert len(asked) <= 2, "nobody listens any more"


@pytest.mark.parametrize("writes_on", [False, True])
@pytest.mark.parametrize("hangs_up", [False, True])
async def test_async_speaking_ends_with_what_was_heard_of_it(sockets, hangs_up, writes_on):
    cut = threading.Event()

    async def pieces():
        yield "a"
        await asyncio.sleep(0.1 if writes_on else 60)
        yield "b"

    with sockets(cuts(cut, hangs_up)) as url:
        async with AsyncClient(url) as client, asyncio.timeout(5):
            told = []
            async for each in line_of(AsyncLine, client).speak(pieces(), "u"):
                told.append(type(each))
                await asyncio.sleep(0.1)
    assert told[-1] is Finished
    assert set(told[:-1]) == {Accepted}


async def test_what_cannot_be_read_is_told_and_hangs_nobody(sockets):
    def handler(socket):
        for message in ('{"type": "word", "id": "u"}', "nonsense", json.dumps(ACCEPTED)):
            socket.send(message)
        for _ in socket:
            pass

    with sockets(handler) as url:
        with Client(url) as client, client._connect("/x") as socket:
            heard = Speech(socket)
            for _ in range(2):
                with pytest.raises(msgspec.MsgspecError):
                    next(heard)
            assert isinstance(next(heard), Accepted)
        async with AsyncClient(url) as client, asyncio.timeout(5), client._connect("/x") as socket:
            speech = AsyncSpeech(socket)
            for _ in range(2):
                with pytest.raises(msgspec.MsgspecError):
                    await anext(speech)
            assert isinstance(await anext(speech), Accepted)
            await speech.close()
