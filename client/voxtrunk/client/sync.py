"""The synchronous client. What is asked is in ``asks``, what is tried again in ``trying``: here it waits."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Concatenate, ParamSpec, Self, TypeVar, Unpack

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from voxtrunk.client import asks, orders, problems, trying, writing
from voxtrunk.client.asks import Ask
from voxtrunk.client.following import Following
from voxtrunk.client.results import Call, Event, Queued, Utterance
from voxtrunk.client.trying import Retry, Trying
from voxtrunk.client.waiting import SECONDS, look_again_after, of_refusal, socket_url

P = ParamSpec("P")
T = TypeVar("T")


def _asking(make: Callable[P, Ask[T]]) -> Callable[Concatenate[Client, P], T]:
    """The method that sends what ``make`` makes."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(make(*args, **kwargs))

    method.__doc__ = make.__doc__
    return method


def _of_line(make: Callable[Concatenate[str, P], Ask[T]]) -> Callable[Concatenate[Line, P], T]:
    """The same for one call."""

    def method(self: Line, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.client.send(make(self.id, *args, **kwargs))

    method.__doc__ = make.__doc__
    return method


class Client:
    """A gateway at ``url``, asked with ``key``. A context manager. For one thread at a time.

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
        self._http = httpx.Client(base_url=url, headers=self._headers, timeout=timeout, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Calls go on."""
        self._http.close()

    def send(self, ask: Ask[T], idempotency_key: str | None = None) -> T:
        """Ask, again where that is safe, and read the answer. A POST that was given no key is given one."""
        attempt = Trying(ask, self._retry, idempotency_key)
        while True:
            try:
                answer = self._http.request(**attempt.request())
            except httpx.RequestError as error:
                pause = attempt.failed(error)
            else:
                if answer.is_success:
                    return ask.read(answer.content)
                pause = attempt.refused(answer.status_code, answer.headers, answer.content)
            time.sleep(pause)

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

    def open(self, **order: Unpack[orders.OpenCall]) -> Line:
        """Open a call, which stays until it is hung up."""
        return Line(self, self.send(asks.open_call(**order)))

    @contextlib.contextmanager
    def call(self, **order: Unpack[orders.OpenCall]) -> Iterator[Line]:
        """Open a call, and hang up at the end of the context, whatever has happened in it."""
        line = self.open(**order)
        try:
            yield line
        except BaseException:
            with contextlib.suppress(problems.ClientError):  # what went wrong before matters
                line.hang_up()
            raise
        line.hang_up()

    def line(self, call_id: str) -> Line:
        """A call that is there already: one that came in, or of another process."""
        return Line(self, self.send(asks.call(call_id)))

    def events(self, after: str | None = None, *, call_id: str | None = None) -> Iterator[Event]:
        """Events of all calls as they happen, from now or from after the event ``after`` on; or of one call, from
        its first to its last.

        A broken connection is made again and nothing is missed. Raises Gone when the next is no longer kept.
        """
        following = Following(self._retry, call_id, after)
        last: Event | None = None
        while not following.over:
            broke: Exception | None = None
            try:
                with self._connect(following.path) as socket:
                    for message in socket:
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
                time.sleep(following.lost(broke))
        if last is not None:
            yield last  # with nothing left to close: many stop here

    @contextlib.contextmanager
    def _connect(self, path: str) -> Iterator[ClientConnection]:
        try:
            socket = connect(
                socket_url(self.url, path), additional_headers=self._headers, open_timeout=self._timeout
            )
        except InvalidStatus as error:
            raise of_refusal(error) from None
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise trying.unreachable(error) from error
        with socket:
            yield socket


class Line:
    """A call, to speak on. ``opened`` is what it was when it was opened, ``closed`` once we have hung up."""

    def __init__(self, client: Client, opened: Call) -> None:
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

    def hang_up(self) -> Call:
        """Close the call; its statistics are in the answer."""
        self.closed = self.client.send(asks.hang_up(self.id))
        return self.closed

    def events(self) -> Iterator[Event]:
        """What happens on the call, from its first event to its last."""
        return self.client.events(call_id=self.id)

    def wait(self, said: Queued | str, timeout: float | None = None) -> Utterance:
        """The utterance at its end. Raises TimeoutError."""
        uid = said if isinstance(said, str) else said.id
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (now := self.utterance(uid)).ended:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"utterance {uid} is {now.state} after {timeout} s")
            time.sleep(look_again_after(now))
        return now

    @contextlib.contextmanager
    def speech(self) -> Iterator[Speech]:
        """A speech socket: text is said while it is written. What is open when it closes is said to its end."""
        with self.client._connect(asks.speech_path(self.id)) as socket:
            yield Speech(socket)

    def speak(
        self, pieces: Iterable[str], uid: str = "streamed", **manner: Unpack[orders.Manner]
    ) -> Iterator[writing.Told]:
        """Say a text as it comes in pieces, and tell of it; ``Finished`` is the last.

        Raises Problem for what is refused. Nothing is told while ``pieces`` is waited for: see ``AsyncLine``.
        """
        with self.speech() as speech:
            for told in _written(speech, pieces, uid, manner):
                if isinstance(told, writing.Finished):
                    break
                yield told
            else:
                return
        yield told  # with nothing left to close: many stop here


def _written(
    speech: Speech, pieces: Iterable[str], uid: str, manner: orders.Manner
) -> Iterator[writing.Told]:
    """What is told while it is written, and then.

    That nobody is there to be written to, reading tells, after what came before.
    """
    speech.open(uid, **manner)
    for piece in pieces:
        with contextlib.suppress(problems.Unreachable):
            speech.write(uid, piece)
        yield from speech.told()
    with contextlib.suppress(problems.Unreachable):
        speech.end(uid)
    yield from speech


class Speech:
    """A speech socket, as ``Line.speech`` gives it.

    Iterating it waits for what is told; a message that was not carried out raises its Problem there, and the
    socket lives on. It ends with the call.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._writing = writing.Writing()
        self._told: deque[writing.Told | problems.Problem] = deque()

    def open(self, uid: str, **manner: Unpack[orders.Manner]) -> None:
        """Begin an utterance. Several may be open."""
        self._send(writing.opened(uid, **manner))

    def write(self, uid: str, text: str, mark: str | None = None) -> None:
        """More text of it; waits while the gateway asks for a pause."""
        while uid in self._writing.paused and self._receive():
            pass
        self._send(writing.more(uid, text, mark))

    def flush(self, uid: str) -> None:
        """Speak what there is, as if a clause ended here."""
        self._send(writing.flush(uid))

    def end(self, uid: str) -> None:
        """Nothing follows."""
        self._send(writing.end(uid))

    def clear(self, uid: str | None = None) -> None:
        """Cut it, or all of this socket's, and take back what was not heard."""
        self._send(writing.clear(uid))

    def told(self) -> Iterator[writing.Told]:
        """What has come so far, without waiting."""
        while self._told or self._receive(0):
            if self._told:
                yield self._next()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> writing.Told:
        while not self._told:
            if not self._receive():
                raise StopIteration
        return self._next()

    def _next(self) -> writing.Told:
        told = self._told.popleft()
        if isinstance(told, problems.Problem):
            raise told
        return told

    def _send(self, message: str) -> None:
        try:
            self._socket.send(message)
        except ConnectionClosed as error:
            raise trying.unreachable(error) from error

    def _receive(self, timeout: float | None = None) -> bool:
        """Take in the next message; False when there is none (yet)."""
        try:
            message = self._socket.recv(timeout)
        except TimeoutError:
            return False
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == writing.CALL_CLOSED:
                return False
            raise trying.unreachable(error) from error
        told = self._writing.take(message)
        if told is not None:
            self._told.append(told)
        return True
