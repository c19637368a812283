"""What log lines look like: whose they are, what they are about, and what they do not give away."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import logs
from gateway.api.journal import Journal
from gateway.calls.actions import Publish


def record(message: str = "said", **extra: object) -> logging.LogRecord:
    return logging.getLogger("voxtrunk.test").makeRecord(
        "voxtrunk.test", logging.INFO, __file__, 1, message, (), None, extra=extra
    )


def line(of: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logs.JsonFormatter("media-0").format(of))
    return found


def test_a_line_is_json_and_says_whose_it_is() -> None:
    found = line(record(call_id="c_1", why={"a": 1}))
    assert datetime.now(UTC) - datetime.fromisoformat(found.pop("time")) < timedelta(seconds=5)
    assert found == {
        "level": "INFO",
        "logger": "voxtrunk.test",
        "process": "media-0",
        "message": "said",
        "call_id": "c_1",
        "why": {"a": 1},
    }
    assert "\n" not in logs.JsonFormatter().format(record("two\nlines"))


def test_plain_lines_have_the_same_members() -> None:
    with logs.about(call_id="c_1"):
        text = logs.PlainFormatter("control").format(record(utterance_id="u_1"))
    assert text.endswith("INFO    control voxtrunk.test: said call_id=c_1 utterance_id=u_1")


async def test_what_a_task_is_about_is_in_all_its_lines_and_no_others() -> None:
    async def one(call_id: str) -> list[dict[str, Any]]:
        with logs.about(call_id=call_id):
            await asyncio.sleep(0)
            logs.bind(utterance_id="u_" + call_id)
            own = line(record())
            inner = await asyncio.create_task(two())
        return [own, inner, line(record())]

    async def two() -> dict[str, Any]:
        return line(record(utterance_id="given"))

    for n, (own, inner, after) in enumerate(await asyncio.gather(one("0"), one("1"))):
        assert (own["call_id"], own["utterance_id"]) == (str(n), f"u_{n}")
        assert (inner["call_id"], inner["utterance_id"]) == (str(n), "given")
        assert not {"call_id", "utterance_id"} & set(after)


def test_an_error_tells_its_places_and_not_its_values() -> None:
    try:
        raise ValueError("the patient has measles")
    except ValueError as error:
        told = line(record("it failed", **logs.innards(error)))
    assert told["error"] == "ValueError"
    assert "test_logs.py" in told["traceback"]
    assert "measles" not in json.dumps(told).replace('raise ValueError(\\"the patient has measles\\")', "")


@pytest.mark.parametrize("texts", [False, True])
def test_what_is_said_is_logged_only_if_asked_for(texts: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "voxtrunk.calls")
    utterance = SimpleNamespace(id="u_1", voice="espeak:de", text="measles")
    call: Any = SimpleNamespace(id="c_1", utterance=lambda uid: utterance)
    journal = Journal(texts=texts)
    heard = {
        "cause": "stopped",
        "spoken_ms": 20,
        "spoken_text": "mea",
        "remaining_text": "sles",
        "digit": "4",
    }
    for kind, uid in (("call.opened", None), ("call.dtmf", None), ("utterance.stopped", "u_1"),
                      ("utterance.failed", "u_1")):  # fmt: skip
        journal.observe_event(call, Publish(3, kind, 0, uid, "state", heard))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "DEBUG", "DEBUG", "WARNING"]
    told = [line(record) for record in caplog.records]
    assert all(each["call_id"] == "c_1" and each["cause"] == "stopped" for each in told)
    assert [each.get("utterance_id") for each in told] == [None, None, "u_1", "u_1"]
    assert ("measles" in json.dumps(told)) is texts
    assert not any({"digit", "spoken_text", "remaining_text", "client_state"} & set(each) for each in told)
