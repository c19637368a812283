"""A client of Voxtrunk's API, synchronous (``Client``) and asynchronous (``AsyncClient``); see docs/client.md.

with Client("http://127.0.0.1:8080") as gateway:
    with gateway.call(rtp={"address": "127.0.0.1", "port": 40000}) as line:
        print(line.wait(line.say("Your table is ready.")).spoken_text)
"""

from voxtrunk.client.aio import AsyncClient, AsyncLine, AsyncSpeech
from voxtrunk.client.problems import (
    Busy,
    ClientError,
    Conflict,
    Gone,
    NotFound,
    NotPermitted,
    Problem,
    ServerError,
    Unreachable,
    Wrong,
)
from voxtrunk.client.results import Call, Event, Queued, Stopped, Utterance, Voice, Word
from voxtrunk.client.sync import Client, Line, Speech
from voxtrunk.client.trying import Retry
from voxtrunk.client.writing import (
    Accepted,
    Finished,
    Heard,
    Mark,
    Paused,
    Resumed,
    Started,
    Told,
    WordSaid,
)

__all__ = [
    "Accepted",
    "AsyncClient",
    "AsyncLine",
    "AsyncSpeech",
    "Busy",
    "Call",
    "Client",
    "ClientError",
    "Conflict",
    "Event",
    "Finished",
    "Gone",
    "Heard",
    "Line",
    "Mark",
    "NotFound",
    "NotPermitted",
    "Paused",
    "Problem",
    "Queued",
    "Resumed",
    "Retry",
    "ServerError",
    "Speech",
    "Started",
    "Stopped",
    "Told",
    "Unreachable",
    "Utterance",
    "Voice",
    "Word",
    "WordSaid",
    "Wrong",
]
