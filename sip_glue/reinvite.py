"""A call's states in which a re-INVITE comes and is answered (RFC 3261 14)."""

from __future__ import annotations

from typing import Any, Final

from sippy.CCEvents import CCEventConnect, CCEventFail
from sippy.UasStateUpdating import UasStateUpdating
from sippy.UaStateConnected import UaStateConnected

from sip_glue.door import ALLOW
from sip_glue.events import Reoffered
from sip_glue.stack import sdp_body, sdp_of, sip_headers


class Connected(UaStateConnected):  # type: ignore[misc]
    """Answered. Every re-INVITE but a mere refresh is the owner's to answer."""

    def _reinvited(self, request: Any) -> Any:
        dialog = self.ua
        dialog.uasResp = request.genResponse(100, "Trying", server=dialog.local_ua)
        dialog.global_config["_sip_tm"].sendResponse(dialog.uasResp)
        dialog.follow_target(request)
        offer = sdp_of(request)
        if offer is not None and offer == dialog.remote_sdp and dialog.local_sdp is not None:
            # a session timer's refresh (RFC 4028 7.4): nothing changes, so nobody need know
            dialog.sendUasResponse(
                200, "OK", sdp_body(dialog.local_sdp), (dialog.lContact,), sip_headers((ALLOW,))
            )
            return None
        dialog.offered = offer
        dialog.report(Reoffered(dialog.name, offer))
        return (dialog.UasStateUpdating,)

    recv_request_handlers: Final = UaStateConnected.recv_request_handlers | {"INVITE": _reinvited}


class Updating(UasStateUpdating):  # type: ignore[misc]
    """A re-INVITE waits for the owner's answer."""

    def _answered(self, event: Any, headers: Any) -> Any:
        code, reason, body = event.getData()
        self.ua.sendUasResponse(code, reason, body, (self.ua.lContact,), headers, ack_wait=True)
        return (self.ua.UaStateConnected,)

    def _refused(self, event: Any, headers: Any) -> Any:
        self._sendFailResponse(event, headers)
        return (self.ua.UaStateConnected,)

    def cancel(self, _time: Any, _request: Any) -> None:
        """A re-INVITE cancelled leaves the call as it was (RFC 3261 14.1)."""
        self.ua.changeState((self.ua.UaStateConnected,))

    recv_event_handlers: Final = UasStateUpdating.recv_event_handlers | {
        CCEventConnect: _answered,
        CCEventFail: _refused,
    }
