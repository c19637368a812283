"""The Python client knows every route, every field that may be asked, and every field that is answered."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from gateway.api import admin, answers, drain, health, requests
from voxtrunk.client import AsyncClient, AsyncLine, Client, Line, aio, asks, orders, results, sync
from voxtrunk.client.problems import FieldError, ProblemTold

ORDERS: dict[Any, type[BaseModel]] = {
    orders.OpenCall: requests.CreateCall,
    orders.RtpTarget: requests.RtpTarget,
    orders.SipTarget: requests.SipTarget,
    orders.SipAuth: requests.SipAuth,
    orders.BargeIn: requests.BargeIn,
    orders.Manner: requests.Manner,
    orders.Say: requests.CreateUtterance,
    orders.PromptSlot: requests.PromptSlot,
    orders.SayRest: requests.SayRest,
    orders.PlayBackground: requests.PlayBackground,
}
RESULTS: dict[type[msgspec.Struct], type[BaseModel]] = {
    **{
        getattr(results, name): getattr(answers, name)
        for name in (
            "Local", "Remote", "Rtp", "Sip", "Statistics", "Background", "Call", "Calls", "Digits", "Queued",
            "Utterance", "Utterances", "Stopped", "Event", "Events", "Voice", "Voices",
        )
    },
    results.Drain: drain.Drain,
    results.LogLevel: admin.LogLevelIs,
    results.Reloaded: admin.Reloaded,
    results.Check: health.Check,
    results.Health: health.Report,
    FieldError: answers.Problem.FieldError,
}  # fmt: skip
NOT_A_METHOD = {("get", "/health/live"), ("get", "/health/ready"), ("get", "/metrics"), ("get", "/v1/events")}
"""For orchestrators; and what is followed by WebSocket."""


def properties(model: type[BaseModel], mode: str) -> dict[str, Any]:
    return dict(model.model_json_schema(mode=mode)["properties"])  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_every_field_may_be_given(order: Any) -> None:
    model = ORDERS[order]
    hints = typing.get_type_hints(order)
    asked = properties(model, "validation")
    assert hints.keys() == asked.keys()
    for name, schema in asked.items():
        if "enum" in schema:
            assert set(typing.get_args(hints[name])) == set(schema["enum"]), name


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.__name__)
def test_every_field_is_read(result: type[msgspec.Struct]) -> None:
    answered = properties(RESULTS[result], "serialization")
    fields = {field.encode_name: field for field in msgspec.structs.fields(result)}
    assert fields.keys() == answered.keys()


def test_a_problems_members_are_known() -> None:
    known = {field.encode_name for field in msgspec.structs.fields(ProblemTold)}
    assert {"code", "status", "title", "detail", "request_id", "retryable", "errors"} <= known
    assert known - {"id", "retry_after"} <= properties(answers.Problem, "serialization").keys()


async def test_every_route_has_a_method(api: Any) -> None:
    described = (await api.http.get("/openapi.json")).json()["paths"]
    ours = {
        (method, re.sub(r"\{\w+\}", "x", path))
        for path, methods in described.items()
        for method in methods
        if path.startswith(("/v1/calls", "/v1/admin", "/v1/drain", "/v1/voices", "/health"))
    } - NOT_A_METHOD
    made = set()
    for name, make in inspect.getmembers(asks, inspect.isfunction):
        taken = inspect.signature(make).parameters.values()
        if name.startswith("_") or name in ("anything", "speech_path", "dataclass", "field", "quote"):
            continue
        ask = make(*["x" for each in taken if each.default is each.empty and each.kind != each.VAR_KEYWORD])
        made.add((ask.method.lower(), ask.path))
    assert made == ours


def test_both_clients_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)
    assert public(Line) == public(AsyncLine)
    assert public(sync.Speech) == (public(aio.AsyncSpeech) - {"close"}) | {"told"}
