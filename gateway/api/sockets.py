"""What WebSockets have in common: works that end together, messages that are read, and errors that are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fastapi import WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from gateway.api import body, problems
from gateway.errors import Refusal


async def until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of these until one has ended, and leave the rest. Raises what it raised, unless the client left."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            with contextlib.suppress(WebSocketDisconnect):  # it left while something was sent to it
                task.result()


async def read(
    socket: WebSocket,
    messages: TypeAdapter[Any],
    do: Callable[[Any], Awaitable[None]],
    tell: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """``do`` what each message asks until the client leaves; it is told of what cannot be read or done."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        uid = None
        try:
            request = parsed(message, messages)
            uid = request.id
            await do(request)
        except Exception as error:
            problem = problems.problem_of(error)
            if problem is None:
                raise
            await tell(error_of(problem, uid))


def parsed(message: Mapping[str, Any], messages: TypeAdapter[Any]) -> Any:
    """A message as a request, one of ``messages``. Refusal ``bad_request``, RequestValidationError."""
    text = message.get("text")
    if text is None:
        raise Refusal("bad_request", "Send JSON as text, not binary data")
    try:
        value = body.parse(text.encode("utf-8", "surrogatepass"))
    except json.JSONDecodeError as error:
        raise Refusal(
            "bad_request", f"The message is not JSON: {error.msg} (character {error.pos})"
        ) from None
    try:
        return messages.validate_python(value)
    except ValidationError as error:
        # the union's own tag is no field of the message's
        found = [{**item, "loc": ("body", *item["loc"][1:])} for item in error.errors()]
        raise RequestValidationError(found) from None


def error_of(problem: problems.Problem, uid: str | None) -> dict[str, Any]:
    """A problem as a message about the utterance ``uid``."""
    more: dict[str, Any] = {} if uid is None else {"id": uid}
    if "Retry-After" in problem.headers:
        more["retry_after"] = int(problem.headers["Retry-After"])
    return {**problem.members(), "type": "error", **more}
