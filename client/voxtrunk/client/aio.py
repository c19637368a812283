"""The asynchronous client: the same methods, awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Concatenate, ParamSpec, Self, TypeVar, Unpack

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from voxtrunk.client import asks, orders, problems, trying, writing
from voxtrunk.client.asks import Ask
from voxtrunk.client.following import Following
from voxtrunk.client.results import Call, Event, Queued, Utterance
from voxtrunk.client.trying import Retry, Trying
from voxtrunk.client.waiting import SECONDS, look_again_after, of_refusal, socket_url

P = ParamSpec("P")
T = TypeVar("T")


def _asking(make: Callable[P, Ask[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """The method that sends what ``make`` makes."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(make(*args, **kwargs))

    method.__doc__ = make.__doc__
    return method


def _of_line(
    make: Callable[Concatenate[str, P], Ask[T]],
) -> Callable[Concatenate[AsyncLine, P], Awaitable[T]]:
    """The same for one call."""

    async def method(self: AsyncLine, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.client.send(make(self.id, *args, **kwargs))

    method.__doc__ = make.__doc__
    return method


class AsyncClient:
    """A gateway at ``url``, asked with ``key``. An async context manager.

    Everything raises ``Problem`` for what the gateway refuses and ``Unreachable`` when it does not answer.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = SECONDS,
        retry: Retry = Retry(),  # noqa: B008  frozen
    ) -> None:
        self.url = url
        self._headers = trying.headers(key)
        self._timeout = timeout
        self._retry = retry
        self._http = httpx.AsyncClient(
            base_url=url, headers=self._headers, timeout=timeout, follow_redirects=True
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Calls go on."""
        await self._http.aclose()

    async def send(self, ask: Ask[T], idempotency_key: str | None = None) -> T:
        """Ask, again where that is safe, and read the answer. A POST that was given no key is given one."""
        attempt = Trying(ask, self._retry, idempotency_key)
        while True:
            try:
                answer = await self._http.request(**attempt.request())
            except httpx.RequestError as error:
                pause = attempt.failed(error)
            else:
                if answer.is_success:
                    return ask.read(answer.content)
                pause = attempt.refused(answer.status_code, answer.headers, answer.content)
            await asyncio.sleep(pause)

    voices = _asking(asks.voices)
    calls = _asking(asks.calls)
    health = _asking(asks.health)
    drain = _asking(asks.drain)
    start_drain = _asking(asks.start_drain)
    stop_drain = _asking(asks.stop_drain)
    log_level = _asking(asks.log_level)
    set_log_level = _asking(asks.set_log_level)
    reload = _asking(asks.reload)
    request = _asking(asks.anything)

    async def open(self, **order: Unpack[orders.OpenCall]) -> AsyncLine:
        """Open a call, which stays until it is hung up."""
        return AsyncLine(self, await self.send(asks.open_call(**order)))

    @contextlib.asynccontextmanager
    async def call(self, **order: Unpack[orders.OpenCall]) -> AsyncIterator[AsyncLine]:
        """Open a call, and hang up at the end of the context, whatever has happened in it."""
        line = await self.open(**order)
        try:
            yield line
        except BaseException:
            with contextlib.suppress(problems.ClientError):  # what went wrong before matters
                await asyncio.shield(line.hang_up())
            raise
        await line.hang_up()

    async def line(self, call_id: str) -> AsyncLine:
        """A call that is there already: one that came in, or of another process."""
        return AsyncLine(self, await self.send(asks.call(call_id)))

    async def events(self, after: str | None = None, *, call_id: str | None = None) -> AsyncIterator[Event]:
        """Events of all calls as they happen, from now or from after the event ``after`` on; or of one call, from
        its first to its last.

        A broken connection is made again and nothing is missed. Raises Gone when the next is no longer kept.
        """
        following = Following(self._retry, call_id, after)
        last: Event | None = None
        while not following.over:
            broke: Exception | None = None
            try:
                async with self._connect(following.path) as socket:
                    async for message in socket:
                        last = following.take(message)
                        if following.over:
                            break
                        if last is not None:
                            yield last
                    else:
                        following.ended(socket.close_code)
                        last = None
            except (ConnectionClosed, problems.ClientError) as error:
                broke = error
            if not following.over:
                await asyncio.sleep(following.lost(broke))
        if last is not None:
            yield last  # with nothing left to close: many stop here

    @contextlib.asynccontextmanager
    async def _connect(self, path: str) -> AsyncIterator[ClientConnection]:
        try:
            socket = await connect(
                socket_url(self.url, path), additional_headers=self._headers, open_timeout=self._timeout
            )
        except InvalidStatus as error:
            raise of_refusal(error) from None
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise trying.unreachable(error) from error
        async with socket:
            yield socket


class AsyncLine:
    """A call, to speak on. ``opened`` is what it was when it was opened, ``closed`` once we have hung up."""

    def __init__(self, client: AsyncClient, opened: Call) -> None:
        self.client = client
        self.id = opened.id
        self.opened = opened
        self.closed: Call | None = None

    now = _of_line(asks.call)
    answer = _of_line(asks.answer)
    reject = _of_line(asks.reject)
    pause = _of_line(asks.pause)
    resume = _of_line(asks.resume)
    dtmf = _of_line(asks.dtmf)
    volume = _of_line(asks.volume)
    background = _of_line(asks.background)
    end_background = _of_line(asks.end_background)
    say = _of_line(asks.say)
    say_rest = _of_line(asks.say_rest)
    utterances = _of_line(asks.utterances)
    utterance = _of_line(asks.utterance)
    stop = _of_line(asks.stop)
    stop_utterance = _of_line(asks.stop_utterance)
    events_after = _of_line(asks.events_after)

    async def hang_up(self) -> Call:
        """Close the call; its statistics are in the answer."""
        self.closed = await self.client.send(asks.hang_up(self.id))
        return self.closed

    def events(self) -> AsyncIterator[Event]:
        """What happens on the call, from its first event to its last."""
        return self.client.events(call_id=self.id)

    async def wait(self, said: Queued | str) -> Utterance:
        """The utterance at its end. ``asyncio.timeout`` bounds it."""
        uid = said if isinstance(said, str) else said.id
        now = await self.utterance(uid)
        while not now.ended:
            await asyncio.sleep(look_again_after(now))
            now = await self.utterance(uid)
        return now

    @contextlib.asynccontextmanager
    async def speech(self) -> AsyncIterator[AsyncSpeech]:
        """A speech socket: text is said while it is written. What is open when it closes is said to its end."""
        async with self.client._connect(asks.speech_path(self.id)) as socket:
            speech = AsyncSpeech(socket)
            try:
                yield speech
            finally:
                await speech.close()

    async def speak(
        self, pieces: AsyncIterable[str], uid: str = "streamed", **manner: Unpack[orders.Manner]
    ) -> AsyncIterator[writing.Told]:
        """Say a text as it comes in pieces, and tell of it meanwhile; ``Finished`` is the last.

        Raises Problem for what is refused, and what ``pieces`` raises.
        """
        async with self.speech() as speech:
            writer = asyncio.create_task(_write(speech, pieces, uid, manner))
            try:
                async for told in speech:
                    if isinstance(told, writing.Finished):
                        break
                    yield told
                else:
                    return
            finally:
                writer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writer
        yield told  # with nothing left to close: many stop here


async def _write(speech: AsyncSpeech, pieces: AsyncIterable[str], uid: str, manner: orders.Manner) -> None:
    """Write it all. That nobody is there to be written to, whoever reads is told, after what came before."""
    await speech.open(uid, **manner)
    try:
        async for piece in pieces:
            with contextlib.suppress(problems.Unreachable):
                await speech.write(uid, piece)
    finally:
        with contextlib.suppress(problems.Unreachable):
            await speech.end(uid)


class AsyncSpeech:
    """A speech socket, as ``AsyncLine.speech`` gives it. It reads by itself: writing waits for nobody to iterate.

    Iterating it waits for what is told; a message that was not carried out raises its Problem there, and the
    socket lives on. It ends with the call.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._writing = writing.Writing()
        self._told: asyncio.Queue[writing.Told | Exception | None] = asyncio.Queue()
        self._news = asyncio.Condition()
        self._over = False
        self._reader = asyncio.create_task(self._read())

    async def open(self, uid: str, **manner: Unpack[orders.Manner]) -> None:
        """Begin an utterance. Several may be open."""
        await self._send(writing.opened(uid, **manner))

    async def write(self, uid: str, text: str, mark: str | None = None) -> None:
        """More text of it; waits while the gateway asks for a pause."""
        async with self._news:
            await self._news.wait_for(lambda: self._over or uid not in self._writing.paused)
        await self._send(writing.more(uid, text, mark))

    async def flush(self, uid: str) -> None:
        """Speak what there is, as if a clause ended here."""
        await self._send(writing.flush(uid))

    async def end(self, uid: str) -> None:
        """Nothing follows."""
        await self._send(writing.end(uid))

    async def clear(self, uid: str | None = None) -> None:
        """Cut it, or all of this socket's, and take back what was not heard."""
        await self._send(writing.clear(uid))

    async def close(self) -> None:
        """Read no more."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> writing.Told:
        told = await self._told.get()
        if told is None:
            self._told.put_nowait(None)  # it stays at its end
            raise StopAsyncIteration
        if isinstance(told, Exception):
            raise told
        return told

    async def _send(self, message: str) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise trying.unreachable(error) from error

    async def _read(self) -> None:
        try:
            while True:
                message = await self._socket.recv()
                told: writing.Told | Exception | None
                try:
                    told = self._writing.take(message)
                except msgspec.MsgspecError as error:  # no message of a gateway's: whoever iterates is told
                    told = error
                if told is not None:
                    self._told.put_nowait(told)
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed as error:
            if error.rcvd is None or error.rcvd.code != writing.CALL_CLOSED:
                self._told.put_nowait(trying.unreachable(error))
            self._told.put_nowait(None)
            self._over = True
            async with self._news:
                self._news.notify_all()
