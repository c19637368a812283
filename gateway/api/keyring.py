"""Who may ask, and what: API keys, and issuers of tokens. From VOXTRUNK_API_KEYS, and from a file that can be
read again (VOXTRUNK_API_KEYS_FILE), which docs/security.md shows whole:

[[keys]]
name = "ivr"                  # in metrics and logs; a key itself is in neither
sha256 = "9f86d081…"          # or  key = "the key itself"

[[issuers]]
name = "app"
issuer = "https://login.example.org"
audience = "voxtrunk"
jwks = "https://login.example.org/jwks.json"    # RS256, ES256;  or  secret = "…"  (HS256)

A plain SHA-256 is right for keys of high entropy, which is what ``voxtrunk keys add`` makes: there is no list of
likely ones to try.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)

from gateway.api.scopes import ALL, USUAL, Scope
from gateway.settings import Settings, is_loopback

SECRET_OCTETS: Final = 32
"""Of an HS256 secret, at least (RFC 7518 3.2)."""


class BadKeys(ValueError):
    """The keys' file cannot be used; the message says why, and names no key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is known, or who a token speaks for.

    ``max_calls``, ``requests`` in ``seconds``: 0 is no limit. ``rtp_allow``, ``voices`` (patterns): empty is no
    limit. ``expires`` in seconds since 1970. ``call``: the only call that it may ask about. ``own_calls``: those
    of others are not there for it.
    """

    name: str
    digest: bytes
    scopes: frozenset[Scope]
    max_calls: int
    requests: int
    seconds: int
    rtp_allow: tuple[IPv4Network | IPv6Network, ...] = ()
    voices: tuple[str, ...] = ()
    expires: float | None = None
    call: str | None = None
    own_calls: bool = False

    @property
    def admin(self) -> bool:
        """Whether it may change the gateway itself."""
        return "admin" in self.scopes

    def may_speak_with(self, voice: str) -> bool:
        """Whether the voice is one of its own."""
        return not self.voices or any(fnmatchcase(voice, pattern) for pattern in self.voices)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who makes tokens (see ``gateway.api.tokens``). ``may``: what its tokens may, at most.

    Exactly one of ``secret`` and ``jwks`` is set. ``max_seconds``: how long a token of its may be good.
    """

    issuer: str
    audience: str
    secret: bytes | None
    jwks: str | None
    max_seconds: int
    may: Key


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[\w.@-]+$", max_length=64)]
    max_calls: Annotated[int, Field(ge=0)] | None = None
    requests: Annotated[int, Field(ge=0)] | None = None
    seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] | None = None
    rtp_allow: tuple[IPvAnyNetwork, ...] = ()
    voices: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = ()
    own_calls: bool = False


class _Entry(_Limits):
    key: SecretStr | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    admin: bool = False
    expires: datetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> _Entry:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("give either key or sha256")
        if self.admin and self.scopes is not None:
            raise ValueError("give either admin or scopes")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("expires needs an offset, for example 2027-01-01T00:00:00Z")
        return self

    @property
    def may(self) -> frozenset[Scope]:
        """``admin = true`` is the older way to say: everything."""
        return ALL if self.admin else self.scopes or USUAL


def _source_of_keys(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("should be https, or http on loopback")
    return url


class _Issuer(_Limits):
    issuer: Annotated[str, Field(min_length=1, max_length=2048)]
    audience: Annotated[str, Field(min_length=1, max_length=2048)]
    secret: SecretStr | None = None
    jwks: Annotated[str, AfterValidator(_source_of_keys)] | None = None
    max_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600

    @model_validator(mode="after")
    def _one_of_both(self) -> _Issuer:
        if (self.secret is None) == (self.jwks is None):
            raise ValueError("give either secret or jwks")
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < SECRET_OCTETS:
            raise ValueError(f"secret should have {SECRET_OCTETS} octets at least")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: list[_Entry] = []
    issuers: list[_Issuer] = []

    @model_validator(mode="after")
    def _somebody(self) -> _File:
        if not self.keys and not self.issuers:
            raise ValueError("it names no keys and no issuers")
        return self


def parse(text: str, path: Path) -> _File:
    """A keys' file. Raises BadKeys."""
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        where = str(error).rpartition("(")[2].rstrip(")") if "(" in str(error) else "it breaks off"
        raise BadKeys(f"{path} is not TOML: {where}") from None
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc'])) or 'keys'}: {each['msg']}" for each in error.errors())
        raise BadKeys(f"{path}: {'; '.join(wrong)}") from None


class Keyring:
    """The keys in force. Raises BadKeys when the file that the settings name cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.keys, self.issuers = self._read()
        self.nobody = self._key("anonymous", b"", ALL)
        """Who asks where no key is configured, and who may see what is open to all."""

    @property
    def guards(self) -> bool:
        """Whether anybody must show who he is."""
        return bool(self.keys or self.issuers)

    def renew(self) -> list[str]:
        """Read the file again; names of what came, went or is another. Raises BadKeys, and all stays."""
        keys, issuers = set(self.keys), set(self.issuers)
        self.keys, self.issuers = self._read()
        changed = [each.may for each in issuers.symmetric_difference(self.issuers)]
        return sorted({key.name for key in (*changed, *keys.symmetric_difference(self.keys))})

    def find(self, offered: bytes) -> Key | None:
        """Whose key this is, if it has not expired."""
        digest = digest_of(offered)
        # every key is compared, digests are of one length: the time taken tells nothing
        found = [key for key in self.keys if hmac.compare_digest(digest, key.digest)]
        if not found or (found[0].expires is not None and found[0].expires <= time.time()):
            return None
        return found[0]

    def issuer(self, name: str) -> Issuer | None:
        """Who calls himself so in the ``iss`` of a token."""
        return next((each for each in self.issuers if each.issuer == name), None)

    def _key(self, name: str, digest: bytes, scopes: frozenset[Scope]) -> Key:
        s = self._settings
        return Key(name, digest, scopes, s.key_max_calls, s.key_requests, s.key_seconds)

    def _read(self) -> tuple[tuple[Key, ...], tuple[Issuer, ...]]:
        own = (key.get_secret_value().encode() for key in self._settings.api_keys)
        keys = [self._key(f"key-{n}", digest_of(key), ALL) for n, key in enumerate(own, 1)]
        issuers: list[Issuer] = []
        if self._settings.api_keys_file is not None:
            file = _file(self._settings.api_keys_file)
            keys += map(self._of_entry, file.keys)
            issuers += map(self._of_issuer, file.issuers)
        _check_apart([*keys, *(each.may for each in issuers)], issuers)
        return tuple(keys), tuple(issuers)

    def _of_entry(self, entry: _Entry) -> Key:
        digest = bytes.fromhex(entry.sha256) if entry.sha256 else digest_of(_secret(entry))
        expires = entry.expires.timestamp() if entry.expires else None
        return self._limited(entry, digest, entry.may, expires)

    def _of_issuer(self, entry: _Issuer) -> Issuer:
        secret = entry.secret.get_secret_value().encode() if entry.secret else None
        # not a digest of any key: whoever has it is found by his token alone
        may = self._limited(entry, digest_of(b"issuer " + entry.name.encode()), entry.scopes or USUAL, None)
        return Issuer(entry.issuer, entry.audience, secret, entry.jwks, entry.max_seconds, may)

    def _limited(self, entry: _Limits, digest: bytes, scopes: frozenset[Scope], expires: float | None) -> Key:
        s = self._settings
        return Key(
            entry.name,
            digest,
            scopes,
            s.key_max_calls if entry.max_calls is None else entry.max_calls,
            s.key_requests if entry.requests is None else entry.requests,
            s.key_seconds if entry.seconds is None else entry.seconds,
            entry.rtp_allow,
            entry.voices,
            expires,
            own_calls=entry.own_calls,
        )


def _file(path: Path) -> _File:
    try:
        return parse(path.read_text(), path)
    except OSError as error:
        raise BadKeys(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadKeys(f"{path} is not TOML: not UTF-8") from None


def _secret(entry: _Entry) -> bytes:
    assert entry.key is not None
    return entry.key.get_secret_value().encode()


def _check_apart(keys: Sequence[Key], issuers: Sequence[Issuer]) -> None:
    for what in ("name", "digest"):
        seen = [getattr(key, what) for key in keys]
        if len(set(seen)) < len(seen):
            names = sorted({key.name for key in keys if seen.count(getattr(key, what)) > 1})
            raise BadKeys(
                f"two keys have the same {'name' if what == 'name' else 'value'}: {', '.join(names)}"
            )
    if len({each.issuer for each in issuers}) < len(issuers):
        raise BadKeys("two issuers have the same issuer: a token would be either's")


def digest_of(key: bytes) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key).digest()
