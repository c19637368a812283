"""The AsyncAPI document: served as it is committed, whole, and true of what a writer may send."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft202012Validator

from gateway.api.asyncapi import COMMITTED, document
from voxtrunk.client import writing


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(value) for value in part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def found(whole: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        whole = whole[name]
    return whole


def validator(message: str) -> Draft202012Validator:
    """Of a message's payload."""
    whole = document()
    return Draft202012Validator(
        whole["components"]["messages"][message]["payload"] | {"components": whole["components"]}
    )


async def test_what_is_served_is_what_is_committed(api: Any) -> None:
    served = (await api.http.get("/asyncapi.json")).json()
    # write it again: scripts/run python -c "…" is not needed, this is all of it
    assert json.loads(COMMITTED.read_text()) == served, (
        "json.dump(gateway.api.asyncapi.document()) into docs/"
    )


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    for reference in references(whole):
        assert found(whole, reference)
    told = set(whole["components"]["messages"])
    used = {
        ref.rpartition("/")[2] for each in whole["channels"].values() for ref in references(each["messages"])
    }
    done = {
        ref.rpartition("/")[2]
        for each in whole["operations"].values()
        for ref in references(each["messages"])
    }
    assert told == used == done
    for name, schema in whole["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema), name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("open", writing.opened("u", rate=1.5, barge_in={"voice": True}, lexicons=["a"])),
        ("text", writing.more("u", "Hello.", "here")),
        ("flush", writing.flush("u")),
        ("end", writing.end("u")),
        ("clear", writing.clear()),
    ],
)
def test_what_the_client_writes_is_declared(name: str, message: str) -> None:
    validator(name).validate(json.loads(message))
    with pytest.raises(jsonschema.ValidationError):
        validator(name).validate(json.loads(message) | {"of_another": 1})
