"""Answers that leave as they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gateway.api.doors.flow import Streamed


async def test_no_proxy_is_to_collect_what_leaves_as_it_is_made() -> None:
    async def made() -> AsyncGenerator[bytes, None]:
        yield b"first"
        yield b"then"

    answer = await Streamed.begun(made(), media_type="audio/basic", headers={"dg-model-name": "v"})
    assert (answer.headers["x-accel-buffering"], answer.headers["dg-model-name"]) == ("no", "v")
    assert [part async for part in answer.body_iterator] == [b"first", b"then"]
