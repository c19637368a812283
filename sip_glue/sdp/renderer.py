"""Session descriptions to text, in the order of RFC 8866 5, with CRLF.

For our own descriptions: ``parse(render(d)) == d`` for whatever ``answer`` and ``offer`` make.
"""

from __future__ import annotations

from collections.abc import Iterator

from sip_glue.sdp.model import Connection, MediaDescription, SessionDescription


def render(description: SessionDescription) -> str:
    """The body, ``application/sdp``."""
    return "".join(f"{line}\r\n" for line in _lines(description))


def _lines(description: SessionDescription) -> Iterator[str]:
    origin = description.origin
    yield "v=0"
    yield (
        f"o={origin.username} {origin.session_id} {origin.version} IN {origin.address_type} {origin.address}"
    )
    yield "s=-"
    if description.connection:
        yield f"c={_connection(description.connection)}"
    for start, stop in description.times:
        yield f"t={start} {stop}"
    for media in description.media:
        yield f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}"
        if media.connection and media.connection != description.connection:
            yield f"c={_connection(media.connection)}"
        yield from _attributes(media)


def _connection(connection: Connection) -> str:
    return f"IN {connection.version} {connection.address}"


def _attributes(media: MediaDescription) -> Iterator[str]:
    if media.mid is not None:
        yield f"a=mid:{media.mid}"
    if not media.port:  # rejected: the rest has no meaning (RFC 3264 6)
        return
    for entry in media.rtpmaps:
        channels = f"/{entry.channels}" if entry.channels != 1 else ""
        yield f"a=rtpmap:{entry.payload_type} {entry.encoding}/{entry.clock_rate}{channels}"
    for payload_type, parameters in media.fmtps:
        yield f"a=fmtp:{payload_type} {parameters}"
    if media.ptime:
        yield f"a=ptime:{media.ptime}"
    if media.maxptime:
        yield f"a=maxptime:{media.maxptime}"
    if media.rtcp:
        where = f" {_connection(media.rtcp.connection)}" if media.rtcp.connection else ""
        yield f"a=rtcp:{media.rtcp.port}{where}"
    if media.rtcp_mux:
        yield "a=rtcp-mux"
    yield f"a={media.direction}"
