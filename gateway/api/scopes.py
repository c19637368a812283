"""What a key must be permitted for each route: ``speak`` (call, say, stop), ``read`` (see calls, texts and
events) or ``admin`` (change the gateway itself).

The table is whole: a route that it does not list exists for nobody but ``admin``, and a test finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from gateway.api import docs

Scope = Literal["speak", "read", "admin"]
ALL: Final[frozenset[Scope]] = frozenset(get_args(Scope))
USUAL: Final[frozenset[Scope]] = frozenset(("speak", "read"))
"""Of a key that names none."""

OPEN_PATHS: Final = docs.PATHS | {
    "/health",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/asyncapi.json",
}
"""Open to all, whoever they are."""

WEBSOCKET: Final = "WEBSOCKET"
"""Stands for a method where a WebSocket is opened."""

TABLE: Final[Mapping[str, Mapping[str, Scope]]] = MappingProxyType(
    {
        "/v1/calls": {"GET": "read", "POST": "speak"},
        "/v1/calls/{call_id}": {"GET": "read", "DELETE": "speak"},
        "/v1/calls/{call_id}/answer": {"POST": "speak"},
        "/v1/calls/{call_id}/reject": {"POST": "speak"},
        "/v1/calls/{call_id}/pause": {"POST": "speak"},
        "/v1/calls/{call_id}/resume": {"POST": "speak"},
        "/v1/calls/{call_id}/dtmf": {"POST": "speak"},
        "/v1/calls/{call_id}/volume": {"POST": "speak"},
        "/v1/calls/{call_id}/background": {"POST": "speak", "DELETE": "speak"},
        "/v1/calls/{call_id}/stop": {"POST": "speak"},
        "/v1/calls/{call_id}/utterances": {"GET": "read", "POST": "speak"},
        "/v1/calls/{call_id}/utterances/{uid}": {"GET": "read", "DELETE": "speak"},
        "/v1/calls/{call_id}/utterances/{uid}/resume_from": {"POST": "speak"},
        "/v1/calls/{call_id}/events": {"GET": "read"},
        "/v1/calls/{call_id}/speech": {WEBSOCKET: "speak"},
        "/v1/events": {"GET": "read", WEBSOCKET: "read"},
        "/v1/audio/speech": {"POST": "speak"},
        "/v1/text-to-speech/{voice_id}": {"POST": "speak"},
        "/v1/text-to-speech/{voice_id}/stream": {"POST": "speak"},
        "/v1/text-to-speech/{voice_id}/stream/with-timestamps": {"POST": "speak"},
        "/v1/text-to-speech/{voice_id}/stream-input": {WEBSOCKET: "speak"},
        "/v1/text-to-speech/{voice_id}/multi-stream-input": {WEBSOCKET: "speak"},
        "/v1/speak": {"POST": "speak", WEBSOCKET: "speak"},
        "/v1/synthesize": {"POST": "speak"},
        "/v1/synthesize/stream": {"POST": "speak"},
        "/v1/synthesize/ws": {WEBSOCKET: "speak"},
        "/v1/synthesize/jobs": {"GET": "speak", "POST": "speak"},
        "/v1/synthesize/jobs/{job_id}": {"GET": "speak", "DELETE": "speak"},
        "/v1/synthesize/jobs/{job_id}/audio": {"GET": "speak"},
        "/v1/speakers": {"GET": "read", "POST": "admin"},
        "/v1/speakers/{speaker_id}": {"GET": "read", "DELETE": "admin"},
        "/v1/voices": {"GET": "read"},
        "/v1/lexicons": {"GET": "read"},
        "/v1/lexicons/{name}": {"GET": "read", "PUT": "admin", "DELETE": "admin"},
        "/v1/drain": {"GET": "read", "POST": "admin", "DELETE": "admin"},
        "/v1/admin/log-level": {"GET": "admin", "PUT": "admin"},
        "/v1/admin/reload": {"POST": "admin"},
        "/metrics": {"GET": "read"},
    }
)
"""By path template, then method."""


def _pattern(template: str) -> str:
    """``{name}`` is one part of a path, ``{name:path}`` the rest of it."""
    parts = re.split(r"\{(\w+)(:path)?\}", template)
    fixed, rests = parts[::3], [*parts[2::3], None]
    return "".join(
        re.escape(text) + (".+" if rest else "[^/]+") * (n < len(fixed) - 1)
        for n, (text, rest) in enumerate(zip(fixed, rests, strict=True))
    )


_PATH: Final = re.compile("|".join(f"(?P<p{n}>{_pattern(template)})" for n, template in enumerate(TABLE)))
_BY_GROUP: Final = {f"p{n}": methods for n, methods in enumerate(TABLE.values())}


def methods_of(path: str) -> Mapping[str, Scope]:
    """What each method on this path needs; nothing for a path that is not in the table."""
    found = _PATH.fullmatch(path)
    return _BY_GROUP[str(found.lastgroup)] if found else {}
