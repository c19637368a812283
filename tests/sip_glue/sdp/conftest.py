"""Our side of the sessions in these tests, and bodies written short."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_glue import sdp


@pytest.fixture
def local() -> sdp.LocalMedia:
    return sdp.LocalMedia("127.0.0.1", 20000, session_id=4711)


@pytest.fixture
def body() -> Callable[..., sdp.SessionDescription]:
    """A peer's description: its media lines, and what differs from the usual head."""

    def build(*lines: str, connection: str = "IN IP4 10.0.0.9", version: int = 1) -> sdp.SessionDescription:
        head = ["v=0", f"o=peer 7 {version} IN IP4 10.0.0.9", "s=call", f"c={connection}", "t=0 0"]
        return sdp.parse("\r\n".join([*head, *lines, ""]))

    return build
