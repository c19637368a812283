"""The `listen` command: hears RTP on a port, then says how it was."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from gateway.listen.listener import EndedBy, Listener
    from gateway.listen.session_report import SessionReport

_NOTHING_HEARD = 1
_CANNOT_LISTEN = 2
_CANNOT_WRITE = 2


def listen(
    address: str,
    port: int,
    *,
    seconds: float | None = None,
    idle_seconds: float = 3.0,
    record: bool = True,
    console: Console | None = None,
) -> SessionReport:
    """Listen until BYE, `idle_seconds` without media after media, `seconds`, or Ctrl-C; report what came.

    A live line goes to `console` where one is given and a person watches it. Raises OSError when the port
    cannot be bound.
    """
    from gateway.listen.listener import Listener  # every command reads this file
    from gateway.listen.session_report import report_session

    with Listener(address, port, record) as listener:
        ended_by: EndedBy
        try:
            if console is not None and console.is_terminal:
                ended_by = _watch(listener, console, address, seconds, idle_seconds)
            else:
                ended_by = listener.run(threading.Event(), seconds, idle_seconds)
        except KeyboardInterrupt:
            ended_by = "stop"
        return report_session(listener.capture(), listener.control, ended_by)


def _watch(
    listener: Listener, console: Console, address: str, seconds: float | None, idle_seconds: float
) -> EndedBy:
    """`Listener.run` in a thread, with a live line; Ctrl-C stops it."""
    stop = threading.Event()
    ended: list[EndedBy] = []
    thread = threading.Thread(target=lambda: ended.append(listener.run(stop, seconds, idle_seconds)))
    began = time.monotonic()
    with console.status(f"listening on {address}:{listener.port}") as status:
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.2)
                status.update(
                    f"listening on {address}:{listener.port} · {time.monotonic() - began:.0f} s · "
                    f"packets: {len(listener.receiver)} · streams: {listener.streams}"
                )
        finally:
            stop.set()
            thread.join()
    return ended[0]


def write_wavs(report: SessionReport, path: Path) -> tuple[Path, ...]:
    """Write each stream's audio: one to `path`, several to `path` with their SSRC in the name.

    Returns the files written. Raises OSError.
    """
    from gateway.listen.analysis import CLOCK_RATE
    from telephony_codecs import write_wav

    heard = [s.recording for s in report.streams if s.recording is not None and len(s.recording.pcm)]
    written = []
    for recording in heard:
        name = path if len(heard) == 1 else path.with_stem(f"{path.stem}-{recording.ssrc:08x}")
        write_wav(name, recording.pcm, CLOCK_RATE)
        written.append(name)
    return tuple(written)


def listen_command(
    port: Annotated[
        int, typer.Option(help="UDP port; RTCP is heard on it and on the next one.", min=0, max=65535)
    ],
    address: Annotated[str, typer.Option(help="Literal address to listen on.")] = "127.0.0.1",
    seconds: Annotated[float | None, typer.Option(help="Listen no longer than this.", min=0)] = None,
    wav: Annotated[Path | None, typer.Option(help="Write what was heard; one file a stream.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
    idle_seconds: Annotated[float, typer.Option(help="End this long after the last media.", min=0)] = 3.0,
    audio: Annotated[
        bool,
        typer.Option(help="Keep the audio: level, digits and --wav need it, thousands of streams don't."),
    ] = True,
) -> None:
    """Hear RTP: decode, record, and report loss, reorder, gaps, jitter, rate error, level and digits.

    Ends on BYE, Ctrl-C, after --seconds, or when media has stopped. Exit code 1 when nothing was heard,
    2 when the port cannot be had or the file cannot be written.
    """
    from rich.console import Console

    if wav is not None and not audio:
        raise typer.BadParameter("--wav needs --audio")
    if wav is not None and not wav.parent.is_dir():
        raise typer.BadParameter(f"--wav {wav}: there is no folder {wav.parent}")
    if wav is not None and wav.is_dir():
        raise typer.BadParameter(f"--wav {wav} is a folder")
    live = Console(stderr=True)
    try:
        report = listen(
            address,
            port,
            seconds=seconds,
            idle_seconds=idle_seconds,
            record=audio,
            console=None if as_json else live,
        )
    except OSError as error:
        typer.echo(f"cannot listen on {address}:{port}: {error.strerror or error}", err=True)
        raise typer.Exit(_CANNOT_LISTEN) from error
    files: tuple[Path, ...] = ()
    unwritten = None
    try:
        files = write_wavs(report, wav) if wav is not None else ()
    except OSError as error:  # what was heard is told all the same
        unwritten = f"{wav} cannot be written: {error.strerror or error}"
    if as_json:
        typer.echo(json.dumps(report.to_json() | {"wav": [str(file) for file in files]}))
    else:
        Console().print(report.render())
        for file in files:
            typer.echo(f"wrote {file}")
    if unwritten is not None:
        typer.echo(unwritten, err=True)
        raise typer.Exit(_CANNOT_WRITE)
    if not report.streams:
        raise typer.Exit(_NOTHING_HEARD)
