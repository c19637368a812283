"""One listening session: media and RTCP in, receiver reports out, until there is reason to end."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gateway.listen.receiver import GATHER_S, Capture, ControlDatagram, Receiver, StopSignal
from gateway.listen.receiver_report import Receptions, build_receiver_report
from gateway.listen.rtcp import Goodbye, MalformedRtcp, OtherRtcp, RtcpType, SenderReport, parse_compound

REPORT_INTERVAL_S = 2.5
"""Half of RFC 3550's 5 s minimum, so that short calls are reported on too."""

POLL_S = 0.1

_LINGER_S = 0.1  # RTP overtaken by its BYE on the other port is still wanted

EndedBy = Literal["bye", "idle", "seconds", "stop"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionControl:
    """What a session saw and sent of RTCP."""

    received: dict[str, int]
    """Packets by type name (or number)."""
    malformed: int
    reports_sent: int


class Listener:
    """Listens on `port` of a literal `address`, and for RTCP on `port` + 1 as well (RFC 3550 11, RFC 5761).

    Port 0 takes a free one, with RTCP muxed on it alone. Each source of sender reports is answered with
    receiver reports about its streams. Raises OSError when a port cannot be bound. Use as a context manager.
    """

    def __init__(self, address: str, port: int, record: bool = True) -> None:
        ports = (port, port + 1) if 0 < port < 65535 else (port,)
        self.receiver = Receiver(address, ports, record)
        self.port = self.receiver.local_ports[0]
        self._receptions = Receptions()
        self._seen = 0
        self._reported = 0  # packets fed to receptions, which is done only when a report is due
        self._cname = f"listen@{address}"
        self._ssrc = secrets.randbits(32)
        self._reporters: dict[tuple[int, tuple[str, int]], set[int]] = {}
        self._report_due_ns = 0
        self._counts: Counter[str] = Counter()
        self._malformed = 0
        self._reports_sent = 0
        self._gone: set[int] = set()
        self._heard: set[int] = set()
        self._last_media_ns: int | None = None
        self._gone_at_ns: int | None = None

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.close()

    @property
    def streams(self) -> int:
        """SSRCs heard so far."""
        return len(self._heard)

    @property
    def control(self) -> SessionControl:
        """RTCP so far."""
        return SessionControl(dict(self._counts), self._malformed, self._reports_sent)

    def capture(self) -> Capture:
        """All media so far."""
        return self.receiver.capture()

    def run(self, stop: StopSignal, seconds: float | None = None, idle_seconds: float = 3.0) -> EndedBy:
        """Listen until `stop` is set, `seconds` are over, every stream said BYE, or media has stopped."""
        began_ns = time.monotonic_ns()
        while not stop.is_set():
            self.step()
            time.sleep(GATHER_S)
            now_ns = time.monotonic_ns()
            if seconds is not None and now_ns - began_ns >= seconds * 1e9:
                return "seconds"
            if ended := self.ended(now_ns, idle_seconds):
                return ended
        return "stop"

    def step(self, timeout: float = POLL_S) -> None:
        """Take what comes within `timeout` s, and report on it when that is due."""
        self.receiver.poll(timeout)
        new = self.receiver.packets_since(self._seen)
        if len(new):
            self._seen += len(new)
            self._last_media_ns = int(new["t_ns"].max())
            self._heard.update(np.unique(new["ssrc"]).tolist())
        for datagram in self.receiver.take_control():
            self._hear_control(datagram)
        now_ns = time.monotonic_ns()
        # asked at each step, not when a BYE comes: on its own port it may overtake all of its stream's media
        if self._gone_at_ns is None and self._heard and self._heard <= self._gone:
            self._gone_at_ns = now_ns
        if self._reporters and now_ns >= self._report_due_ns:
            self._report(now_ns)

    def ended(self, now_ns: int, idle_seconds: float) -> EndedBy | None:
        """Whether every stream heard has said BYE, or media has been away for `idle_seconds`."""
        if self._gone_at_ns is not None and now_ns - self._gone_at_ns >= _LINGER_S * 1e9:
            return "bye"
        if self._last_media_ns is not None and now_ns - self._last_media_ns >= idle_seconds * 1e9:
            return "idle"
        return None

    def _hear_control(self, datagram: ControlDatagram) -> None:
        try:
            packets = parse_compound(datagram.data)
        except MalformedRtcp as error:
            self._malformed += 1
            _log.debug("malformed RTCP", extra={"source": datagram.source, "why": str(error)})
            return
        for packet in packets:
            match packet:
                case SenderReport():
                    self._counts["SR"] += 1
                    self._receptions.hear_report(packet, datagram.t_ns)
                    self._expect_report(datagram, packet.ssrc)
                case Goodbye():
                    self._counts["BYE"] += 1
                    self._gone.update(packet.ssrcs)
                case OtherRtcp(packet_type):
                    self._counts[_type_name(packet_type)] += 1

    def _expect_report(self, datagram: ControlDatagram, ssrc: int) -> None:
        reporter = datagram.port_index, datagram.source
        if reporter not in self._reporters:
            self._reporters[reporter] = set()
            self._report_due_ns = 0  # a newcomer's first round trip need not wait
        self._reporters[reporter].add(ssrc)

    def _report(self, now_ns: int) -> None:
        self._report_due_ns = now_ns + int(REPORT_INTERVAL_S * 1e9)
        new = self.receiver.packets_since(self._reported)
        self._reported += len(new)
        self._receptions.hear(new)
        for (port_index, source), ssrcs in self._reporters.items():
            blocks = self._receptions.blocks(sorted(ssrcs - self._gone), now_ns)
            if not blocks:
                continue
            try:
                self.receiver.send(port_index, build_receiver_report(self._ssrc, self._cname, blocks), source)
            except OSError as error:
                _log.warning("receiver report not sent", extra={"destination": source, "why": str(error)})
                continue
            self._reports_sent += 1


def _type_name(packet_type: int) -> str:
    return RtcpType(packet_type).name if packet_type in set(RtcpType) else str(packet_type)
