"""The API's certificate, which may be renewed while it serves: connections from then on get the new one."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path


class BadCertificate(ValueError):
    """The certificate or its key cannot be used; the message says why."""


class Certificate:
    """``certificate``: PEM, the server's own first, then those between it and the root; ``key``: its private key.

    ``context`` is the server's. Raises BadCertificate.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self.context = _empty()
        self._digest = self._load(self.context)

    def renew(self) -> list[str]:
        """Read the files again; the certificate's name if it is another. Raises BadCertificate, and all stays."""
        digest = self._load(_empty())  # what fails half-way must not be the one that serves
        if digest == self._digest:
            return []
        self._digest = self._load(self.context)
        return [str(self._files[0])]

    def _load(self, context: ssl.SSLContext) -> bytes:
        certificate, key = self._files
        try:
            digest = hashlib.sha256(certificate.read_bytes() + key.read_bytes()).digest()
            context.load_cert_chain(certificate, key, password=_no_password)
        except ssl.SSLError as error:
            raise BadCertificate(
                f"{certificate} and {key} are no certificate and its key: {error.reason or error}"
            ) from None
        except OSError as error:
            raise BadCertificate(f"{error.filename} cannot be read: {error.strerror}") from None
        return digest


def _no_password() -> str:
    """OpenSSL would ask for one on the terminal."""
    return ""


def _empty() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # a renegotiation is work for us that costs a client nothing (RFC 9325 3.5)
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context
