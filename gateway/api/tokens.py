"""Short-lived tokens (JWT, RFC 7519): who an issuer of the keys' file says that somebody is, and what he may.

Checked as RFC 8725 asks: the algorithm is the one that the issuer's own key is for (HS256 for a ``secret``; RS256
or ES256 for the very key of its ``jwks`` that the token names), never what the token would like; ``iss``,
``aud``, ``exp``, ``iat`` must be there, ``nbf`` counts where it is, and a token may not be good for longer than
the issuer's ``max_seconds``. ``scope`` (RFC 8693 4.2) names what it may, of what its issuer may; without one it
may nothing. ``call`` binds it to one call.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import httpx
import jwt

from gateway.api.keyring import Issuer, Key, Keyring
from gateway.errors import Refusal

LEEWAY_SECONDS: Final = 10
"""By how much an issuer's clock may differ from ours."""
TOKEN_OCTETS: Final = 8192
FRESH_SECONDS: Final = 300.0
"""After which a set of keys is fetched again."""
STALE_SECONDS: Final = 3600.0
"""How long it is good while it cannot be fetched."""
PAUSE_SECONDS: Final = 10.0
"""Between two fetches, whoever asks for whatever key."""
JWKS_OCTETS: Final = 256 * 1024
_SMALLEST_RSA: Final = 2048
_KINDS: Final = {"RS256": "RSA", "ES256": "EC"}
_REQUIRED: Final = ["iss", "aud", "exp", "iat"]
_log = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]


class Jwks:
    """An issuer's public keys (RFC 7517), fetched when needed. ``clock``: seconds that only go up."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[tuple[str | None, str], jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._turn = asyncio.Lock()

    async def key(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of that name for that algorithm. Refusal ``unavailable`` when there are none to look at."""
        found = self._keys.get((kid, algorithm))
        if found is None or self._clock() - self._fetched > FRESH_SECONDS:
            async with self._turn:
                now = self._clock()
                found = self._keys.get((kid, algorithm))
                due = found is None or now - self._fetched > FRESH_SECONDS
                if due and now - self._tried > PAUSE_SECONDS:
                    self._tried = now
                    await self._renew()
            found = self._keys.get((kid, algorithm))
        if self._clock() - self._fetched > STALE_SECONDS:
            raise Refusal(
                "unavailable", "The issuer's keys cannot be had just now (`jwks` in VOXTRUNK_API_KEYS_FILE)"
            )
        return found

    async def _renew(self) -> None:
        """Fetch; what there was stays when that fails."""
        try:
            keys = _usable(json.loads(await self._fetch(self._url)))
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError, jwt.PyJWTError) as error:
            _log.warning("the keys at %s cannot be had: %s", self._url, error or type(error).__name__)
            return
        self._keys, self._fetched = keys, self._clock()


def _usable(found: Any) -> dict[tuple[str | None, str], jwt.PyJWK]:
    """The keys of a set that signatures may be checked with; others are passed over. Raises ValueError."""
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("it is not a JWK Set")
    keys = {}
    for each in found["keys"]:
        algorithm = _algorithm(each)
        if algorithm is None:
            continue
        try:
            key = jwt.PyJWK(each, algorithm)
        except jwt.PyJWTError:
            continue
        if algorithm == "RS256" and key.key.key_size < _SMALLEST_RSA:
            continue
        kid = each.get("kid")
        keys[kid if isinstance(kid, str) else None, algorithm] = key
    return keys


def _algorithm(key: Any) -> str | None:
    """What a JWK is for, if that is one of ours."""
    if not isinstance(key, dict) or key.get("use", "sig") != "sig":
        return None
    for algorithm, kind in _KINDS.items():
        if key.get("kty") == kind and key.get("alg", algorithm) == algorithm:
            return algorithm if kind == "RSA" or key.get("crv") == "P-256" else None
    return None


async def fetch(url: str) -> bytes:
    """What is there, 256 KiB at most; redirects are not followed. Raises httpx.HTTPError, ValueError."""
    async with (
        asyncio.timeout(5),
        httpx.AsyncClient(trust_env=False, timeout=5) as client,
        client.stream("GET", url, headers={"accept": "application/json"}) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"the answer is {answer.status_code}")
        octets = bytearray()
        async for chunk in answer.aiter_bytes():
            octets += chunk
            if len(octets) > JWKS_OCTETS:
                raise ValueError(f"it has more than {JWKS_OCTETS} octets")
    return bytes(octets)


class Tokens:
    """Reads tokens of the issuers that are in force."""

    def __init__(self, keyring: Keyring, fetch: Fetch = fetch) -> None:
        self._keyring = keyring
        self._fetch = fetch
        self._sets: dict[str, Jwks] = {}

    async def admit(self, token: str) -> Key:
        """Whom the token speaks for. Refusal ``unauthorized``, which says what is wrong with it."""
        try:
            if len(token) > TOKEN_OCTETS:
                raise jwt.InvalidTokenError(f"a token has {TOKEN_OCTETS} characters at most")
            head = jwt.get_unverified_header(token)
            said = jwt.decode(token, options={"verify_signature": False}).get("iss")
            issuer = self._keyring.issuer(said) if isinstance(said, str) else None
            if issuer is None:
                raise jwt.InvalidIssuerError("no issuer of VOXTRUNK_API_KEYS_FILE is called so")
            claims = jwt.decode(
                token,
                await self._checked_with(issuer, head),
                algorithms=[head["alg"]],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
            if self._keyring.issuer(issuer.issuer) != issuer:
                raise jwt.InvalidIssuerError("its issuer has changed just now")
            return _key(issuer, claims)
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise Refusal("unauthorized", f"This token is not good: {error}") from None

    async def _checked_with(self, issuer: Issuer, head: dict[str, Any]) -> jwt.PyJWK | bytes:
        """The key for the token's algorithm, if that is one of the issuer's."""
        algorithm = head.get("alg")
        if issuer.secret is not None:
            if algorithm != "HS256":
                raise jwt.InvalidAlgorithmError("its issuer signs with HS256")
            return issuer.secret
        assert issuer.jwks is not None
        if algorithm not in _KINDS:
            raise jwt.InvalidAlgorithmError("its issuer signs with RS256 or ES256")
        kid = head.get("kid")
        found = await self._set(issuer.jwks).key(kid if isinstance(kid, str) else None, algorithm)
        if found is None:
            raise jwt.InvalidKeyError("its issuer has no such key")
        return found

    def _set(self, url: str) -> Jwks:
        in_force = {each.jwks for each in self._keyring.issuers}
        for gone in self._sets.keys() - in_force:
            del self._sets[gone]
        return self._sets.setdefault(url, Jwks(url, self._fetch))


def _key(issuer: Issuer, claims: dict[str, Any]) -> Key:
    """What a token that was checked may. Raises jwt.InvalidTokenError."""
    if claims["exp"] - claims["iat"] > issuer.max_seconds:
        raise jwt.InvalidTokenError(f"it is good for longer than {issuer.max_seconds} s (max_seconds)")
    scope, call = claims.get("scope", ""), claims.get("call")
    if not isinstance(scope, str) or not (call is None or (isinstance(call, str) and call)):
        raise jwt.InvalidTokenError("scope and call are strings")
    whose = f"token {issuer.may.name} {claims.get('sub')!r}".encode("utf-8", "surrogatepass")
    return replace(
        issuer.may,
        # another subject's requests are not this one's (Idempotency-Key)
        digest=hashlib.sha256(whose).digest(),
        scopes=issuer.may.scopes.intersection(scope.split()),
        expires=float(claims["exp"]),
        call=call,
    )
