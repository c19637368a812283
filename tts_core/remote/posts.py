"""A provider over HTTP: a POST for each clause, over a pool of connections that are kept warm."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import httpx

from tts_core.remote.asking import Heard, Line, Provider, Timbre, Unanswered
from tts_core.remote.refusals import SHOWN, refusal

_KEPT_WARM_S = 120.0
_CONNECT_S = 3.0


class Posts:
    """See Way."""

    def __init__(self, base_url: str, provider: Provider, key: str) -> None:
        self._provider, self._key = provider, key
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers=provider.headers(key),
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            limits=httpx.Limits(max_keepalive_connections=64, keepalive_expiry=_KEPT_WARM_S),
        )

    async def hear(self, line: Line, timbre: Timbre) -> AsyncGenerator[tuple[Heard, int], None]:
        """See Way."""
        try:
            async with contextlib.aclosing(self._heard(line, timbre)) as hearing:
                async for heard in hearing:
                    yield heard
        except (httpx.TimeoutException, httpx.ConnectError) as unreachable:
            raise Unanswered("unreachable", f"it cannot be reached: {unreachable!r}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as broken:
            raise Unanswered("broken", f"it broke off: {broken!r}") from None

    async def _heard(self, line: Line, timbre: Timbre) -> AsyncGenerator[tuple[Heard, int], None]:
        asking = self._provider.asking(line, timbre)
        request = self._client.build_request(
            "POST",
            asking.path,
            params=asking.params,
            headers=asking.headers,
            json=asking.json,
            content=asking.content,
        )
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code != 200:
                raise await self._refusal(response)
            reader = self._provider.answering({name.lower(): told for name, told in response.headers.items()})
            async for octets in response.aiter_bytes():
                yield reader.read(octets), reader.rate
            yield reader.end(), reader.rate
        finally:
            await response.aclose()

    async def _refusal(self, response: httpx.Response) -> Unanswered:
        begun = b""
        async for octets in response.aiter_bytes():
            begun += octets
            if len(begun) > SHOWN * 4:
                break
        said = begun.decode("utf-8", "replace")
        return refusal(response.status_code, said, response.headers.get("retry-after", ""), self._key)

    async def close(self) -> None:
        """See Way."""
        await self._client.aclose()
