"""OpenAPI tells the truth: every route, its problems, its shapes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.fields import Request
from gateway.api.requests import CreateCall, CreateUtterance, SendDtmf

ROUTES = {
    ("get", "/v1/admin/log-level"),
    ("put", "/v1/admin/log-level"),
    ("post", "/v1/admin/reload"),
    ("post", "/v1/calls"), ("get", "/v1/calls"), ("get", "/v1/calls/{call_id}"),
    ("delete", "/v1/calls/{call_id}"), ("post", "/v1/calls/{call_id}/pause"),
    ("post", "/v1/calls/{call_id}/answer"), ("post", "/v1/calls/{call_id}/reject"),
    ("post", "/v1/calls/{call_id}/resume"), ("post", "/v1/calls/{call_id}/dtmf"),
    ("post", "/v1/calls/{call_id}/volume"), ("post", "/v1/calls/{call_id}/background"),
    ("delete", "/v1/calls/{call_id}/background"),
    ("post", "/v1/calls/{call_id}/stop"), ("post", "/v1/calls/{call_id}/utterances"),
    ("get", "/v1/calls/{call_id}/utterances"), ("get", "/v1/calls/{call_id}/utterances/{uid}"),
    ("post", "/v1/calls/{call_id}/utterances/{uid}/resume_from"),
    ("delete", "/v1/calls/{call_id}/utterances/{uid}"), ("get", "/v1/calls/{call_id}/events"),
    ("get", "/v1/events"), ("get", "/v1/voices"),
    ("post", "/v1/synthesize"), ("post", "/v1/synthesize/stream"),
    ("post", "/v1/synthesize/jobs"), ("get", "/v1/synthesize/jobs"),
    ("get", "/v1/synthesize/jobs/{job_id}"), ("delete", "/v1/synthesize/jobs/{job_id}"),
    ("get", "/v1/synthesize/jobs/{job_id}/audio"),
    ("post", "/v1/speakers"), ("get", "/v1/speakers"),
    ("get", "/v1/speakers/{speaker_id}"), ("delete", "/v1/speakers/{speaker_id}"),
    ("get", "/v1/lexicons"), ("get", "/v1/lexicons/{name}"), ("put", "/v1/lexicons/{name}"),
    ("delete", "/v1/lexicons/{name}"),
    ("get", "/v1/drain"), ("post", "/v1/drain"), ("delete", "/v1/drain"),
    ("get", "/health/live"), ("get", "/health/ready"),
    ("get", "/health"), ("get", "/metrics"),
    ("post", "/v1/audio/speech"), ("post", "/v1/speak"), ("post", "/v1/text-to-speech/{voice_id}"),
    ("post", "/v1/text-to-speech/{voice_id}/stream"),
    ("post", "/v1/text-to-speech/{voice_id}/stream/with-timestamps"),
}  # fmt: skip


async def document(api: Any) -> dict[str, Any]:
    answer = await api.http.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


async def test_the_contracts_routes_are_there_and_no_others(api: Any) -> None:
    described = await document(api)
    found = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert found == ROUTES
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


async def test_every_reference_leads_somewhere(api: Any) -> None:
    described = await document(api)
    known = {name for part in ("schemas", "headers") for name in described["components"][part]}

    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    assert {ref.rpartition("/")[2] for ref in references(described)} <= known


async def test_problems_and_keys_are_declared(api: Any) -> None:
    paths = (await document(api))["paths"]
    refusals = paths["/v1/calls"]["post"]["responses"]
    assert {"201", "400", "401", "403", "409", "413", "422", "503"} <= set(refusals)
    assert "`at_capacity`" in refusals["503"]["description"]
    assert "application/problem+json" in refusals["422"]["content"]
    assert paths["/v1/calls"]["post"]["security"]
    assert "security" not in paths["/health/live"]["get"]
    parameters = paths["/v1/calls/{call_id}/stop"]["post"]["parameters"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in parameters}


@pytest.mark.parametrize("model", [CreateCall, CreateUtterance, SendDtmf])
def test_the_examples_are_valid(model: type[Request]) -> None:
    extra = model.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    examples = extra["examples"]
    assert isinstance(examples, list)
    for example in examples:
        model.model_validate(example)


async def test_it_can_be_browsed(api: Any) -> None:
    answer = await api.http.get("/docs")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")
