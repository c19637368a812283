"""Log lines: JSON for machines, plain text for people; one object a line, with whatever ``extra`` was given.

What a line is about (request, call and utterance ids) is added to every line that is written while ``about`` is
open, whoever writes it. What is said to callers is personal data and stands in no line, unless
VOXTRUNK_LOG_TEXTS asks for it: neither in a message nor in a traceback, which names the places but not what an
error says of the values (``innards``).
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_LOUD: Final = ("httpx", "httpcore", "asyncio", "urllib3", "uvicorn.error", "websockets")
"""What they say below WARNING would be the loudest of all, and of WebSockets it is every text."""
_about: ContextVar[dict[str, str]] = ContextVar("about")


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """All that is logged inside, by this task or thread and the tasks that it starts, has these members."""
    token = _about.set(_about.get({}) | ids)
    try:
        yield
    finally:
        _about.reset(token)


def bind(**ids: str) -> None:
    """All that is logged from here on by this task has these members."""
    _about.set(_about.get({}) | ids)


def innards(error: BaseException) -> dict[str, str]:
    """``extra`` for an error while somebody's words are in hand: its type and places, not its values."""
    places = "".join(traceback.format_tb(error.__traceback__))
    return {"error": type(error).__name__, "traceback": places}


def _members(record: logging.LogRecord) -> dict[str, object]:
    """What the line says beside its message."""
    given = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    return _about.get({}) | given


class JsonFormatter(logging.Formatter):
    """time, level, logger, process, message, ids, the record's extras, and any traceback."""

    def __init__(self, process: str = "control") -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        at = time.gmtime(record.created)
        line: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', at)}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "process": self._process,
            "message": record.getMessage(),
        }
        line |= _members(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """The same for people: ids and extras follow the message as name=value, a traceback comes last."""

    def __init__(self, process: str = "control") -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {process} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, and below it the places of an error."""
        members = _members(record)
        places = members.pop("traceback", None)
        line = super().formatMessage(record) + "".join(f" {name}={value}" for name, value in members.items())
        return line if places is None else f"{line}\n{places}"


def configure(level: str, as_json: bool, process: str = "control") -> None:
    """Send this process's log to standard error: what is at least so severe, as JSON or plain text."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(process) if as_json else PlainFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """From now on this process logs what is at least so severe: one of LEVELS."""
    logging.getLogger().setLevel(level)
