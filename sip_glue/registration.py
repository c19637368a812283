"""Staying registered with a registrar (RFC 3261 10.2), one account."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Final

from sippy.SipAddress import SipAddress
from sippy.SipCallId import SipCallId
from sippy.SipContact import SipContact
from sippy.SipExpires import SipExpires
from sippy.SipFrom import SipFrom
from sippy.SipHeader import SipHeader
from sippy.SipRequest import SipRequest
from sippy.SipTo import SipTo
from sippy.SipURL import SipURL
from sippy.Time.Timeout import Timeout

from sip_glue.config import Account
from sip_glue.events import Event, Registered, Unregistered
from sip_glue.stack import Transactions
from sip_glue.uri import parse_uri

_FIRST_RETRY: Final = 2.0
_LONGEST_RETRY: Final = 300.0
_CHALLENGES: Final = {401: "www-authenticate", 407: "proxy-authenticate"}


def refresh_after(granted: int) -> float:
    """Seconds until a registration of ``granted`` seconds is refreshed: with room for one lost attempt of 32 s
    where there is room at all."""
    return max(granted - 40.0, granted * 0.5)


def retry_after(failures: int, chance: float) -> float:
    """Seconds until the next attempt after so many in a row have failed; ``chance``, 0 to 1, spreads the
    attempts of many gateways that lost one registrar."""
    return min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * chance)


class Registration:
    """Registers, refreshes, and on ``close`` unregisters. Reports what changes."""

    def __init__(
        self,
        account: Account,
        transactions: Transactions,
        report: Callable[[Event], None],
        *,
        user: str,
        product: str,
    ) -> None:
        self._account = account
        self._transactions = transactions
        self._report = report
        self._user = user
        self._product = product
        self._call_id = SipCallId()
        self._cseq = 1
        self._expires = account.expires
        self._failures = 0
        self._held = False
        self._proofs: dict[str, Any] = {}
        self._timer: Any = None
        self._closed = False
        self._challenges = 0
        self._from = SipFrom(address=SipAddress(url=SipURL(account.address)))
        self._from.genTag()
        self.tag: str = self._from.getTag()

    def register(self) -> None:
        """Sends a REGISTER; all else follows from its answer."""
        self._timer = None
        self._challenges = 0
        self._send()

    def close(self) -> None:
        """Unregisters, if registered."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._held:
            self._expires = 0
            self.register()

    def _send(self) -> None:
        account = self._account
        domain = SipURL(host=account.uri.host, port=account.uri.port)
        contact = SipContact(address=SipAddress(url=SipURL(username=self._user)))
        contact.getUri().setParam("expires", str(self._expires))
        next_hop = parse_uri(account.proxy) if account.proxy is not None else account.uri
        request = SipRequest(
            method="REGISTER",
            ruri=domain,
            fr0m=self._from.getCopy(),
            to=SipTo(address=SipAddress(url=SipURL(account.address))),
            callid=self._call_id,
            cseq=self._cseq,
            contact=contact,
            target=(next_hop.address, "udp"),
            user_agent=self._product,
            expires=SipExpires(number=self._expires),
        )
        request.appendHeaders([SipHeader(body=proof) for proof in self._proofs.values()])
        self._cseq += 1
        self._ruri = str(domain)
        self._transactions.newTransaction(request, self._answered)

    def _answered(self, response: Any) -> None:
        code = response.scode
        if code < 200:
            return
        if code < 300:
            self._accepted(response)
        elif code in _CHALLENGES and self._prove(response, _CHALLENGES[code]):
            self._send()
        elif code == 423 and (shortest := min(_seconds(response, "min-expires"), 86_400)) > self._expires > 0:
            self._expires = shortest
            self._send()
        else:
            self._refused(response)

    def _accepted(self, response: Any) -> None:
        self._failures = 0
        if self._expires == 0:
            if self._held:  # not the answer to a refresh that was under way
                self._report(Unregistered(self._account.address, response.scode, "closed", None))
            self._held = False
            return
        if self._closed:  # it was under way when we closed: nobody is to call us there
            self._held, self._expires = True, 0
            self.register()
            return
        granted = self._granted(response)
        if not self._held:
            self._report(Registered(self._account.address, granted))
        self._held = True
        if not self._closed:
            self._timer = Timeout(self.register, refresh_after(granted))

    def _refused(self, response: Any) -> None:
        self._proofs.clear()
        self._failures += 1
        self._held = False
        asked = min(_seconds(response, "retry-after"), _LONGEST_RETRY)
        wait = None if self._closed else max(retry_after(self._failures, random.random()), asked)
        self._report(Unregistered(self._account.address, response.scode, response.reason, wait))
        if wait is not None:
            self._timer = Timeout(self.register, wait)

    def _granted(self, response: Any) -> int:
        """Seconds that the registrar gives our contact, which may be one of several in its answer."""
        (host, port), _ = self._transactions.port.getSIPaddr()
        for contact in response.getHFBodys("contact"):
            url = None if contact.asterisk else contact.getUrl()
            if url is not None and url.username == self._user and url.getAddr() == (host, port):
                given = contact.getUri().getParam("expires")
                if given is not None and given.isascii() and given.isdigit():
                    return max(1, int(given))
        for expires in response.getHFBodys("expires"):
            return max(1, int(expires.getNum()))
        return self._expires

    def _prove(self, response: Any, name: str) -> bool:
        """Makes the proof that a challenge asks for; False if it was made already, in vain."""
        self._challenges += 1
        credentials = self._account.credentials
        # a refresh meets a stale nonce first; the second challenge in a row says that the password is wrong
        if credentials is None or self._challenges > (2 if self._proofs else 1):
            return False
        for challenge in response.getHFBodys(name):
            supported, qop = challenge.supportedAlgorithm()
            if supported and qop in (None, "auth"):
                self._proofs[name] = challenge.genAuthHF(
                    credentials.user, credentials.password, "REGISTER", self._ruri, None, qop
                )
                return True
        return False


def _seconds(response: Any, name: str) -> int:
    """What a header says in seconds, a comment or parameters behind it (RFC 3261 20.23, 20.33); 0 without one."""
    text = str(response.getHFBody(name)) if response.countHFs(name) else ""
    found = re.match(r"\s*([0-9]{1,9})\s*(?:[(;]|$)", text)
    return int(found[1]) if found else 0
