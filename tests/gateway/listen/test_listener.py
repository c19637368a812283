import json
import socket
import struct
import threading
import time
from math import log10, pi, sqrt

import numpy as np
import pytest
import typer
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket
from rich.console import Console
from typer.testing import CliRunner

from gateway.listen.cli import listen_command
from gateway.listen.listener import Listener
from gateway.listen.session_report import report_session
from telephony_codecs import Law, decode, encode, read_audio

RATE = 8000
PCM = np.round(8000 * np.sin(2 * pi * 1000 * np.arange(RATE) / RATE)).astype(np.int16)


def _free_pair() -> int:
    """A port that is free, as is the one above."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a:
            a.bind(("127.0.0.1", 0))
            port = a.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
                try:
                    b.bind(("127.0.0.1", port + 1))
                except (OSError, OverflowError):
                    continue
                return port


def _sender_report(ssrc: int) -> bytes:
    return bytes(RtcpSrPacket(ssrc=ssrc, sender_info=RtcpSenderInfo(0x11112222_33334444, 0, 50, 8000)))


def _speak(sock, port, rtp, ssrc=1, law=Law.PCMU, drop=()):
    codes = encode(law, PCM)
    for k in range(50):
        if k not in drop:
            payload = codes[160 * k : 160 * (k + 1)].tobytes()
            sock.sendto(rtp(k, 160 * k, ssrc, payload, law.payload_type, marker=k == 0), ("127.0.0.1", port))


@pytest.mark.parametrize("muxed", [True, False])
def test_a_sender_report_is_answered_with_what_was_received(rtp, sender, muxed):
    with Listener("127.0.0.1", 0 if muxed else _free_pair()) as listener:
        _speak(sender, listener.port, rtp, ssrc=42, drop={10, 11, 12})
        control = ("127.0.0.1", listener.port + (not muxed))
        sender.sendto(_sender_report(42), control)
        while not listener.control.reports_sent:
            listener.step()
        data, source = sender.recvfrom(2000)
        assert source == control
        report = RtcpPacket.parse(data)[0]
        assert isinstance(report, RtcpRrPacket)
        (info,) = report.reports
        assert (info.ssrc, info.packets_lost, info.fraction_lost) == (42, 3, 3 * 256 // 50)
        assert (info.highest_sequence, info.lsr) == (49, 0x22223333)
        assert info.dlsr < 10 * 65536


def test_it_ends_when_every_stream_has_said_bye(rtp, sender):
    with Listener("127.0.0.1", 0) as listener:
        destination = ("127.0.0.1", listener.port)
        _speak(sender, listener.port, rtp, ssrc=1)
        _speak(sender, listener.port, rtp, ssrc=2)
        sender.sendto(bytes(RtcpByePacket(sources=[1])), destination)
        while listener.streams < 2 or not listener.control.received:
            listener.step()
        assert listener.ended(time.monotonic_ns() + 10**9, 10) is None
        sender.sendto(bytes(RtcpByePacket(sources=[2])), destination)
        assert listener.run(threading.Event(), idle_seconds=30) == "bye"
        assert listener.control.received == {"BYE": 2}


def test_a_bye_that_overtakes_all_of_its_media_ends_it_too(rtp, sender):
    with Listener("127.0.0.1", _free_pair()) as listener:
        sender.sendto(bytes(RtcpByePacket(sources=[1])), ("127.0.0.1", listener.port + 1))
        while not listener.control.received:
            listener.step()
        _speak(sender, listener.port, rtp, ssrc=1)
        assert listener.run(threading.Event(), idle_seconds=5) == "bye"
        assert len(listener.receiver) == 50


def test_it_ends_for_each_other_reason(rtp, sender):
    stop = threading.Event()
    with Listener("127.0.0.1", 0) as listener:
        assert (
            listener.run(stop, seconds=0.05, idle_seconds=0.01) == "seconds"
        )  # idle counts after media only
        _speak(sender, listener.port, rtp)
        assert listener.run(stop, idle_seconds=0.05) == "idle"
        stop.set()
        assert listener.run(stop) == "stop"


def test_malformed_control_is_counted_and_survived(rtp, sender):
    with Listener("127.0.0.1", 0) as listener:
        for data in (b"\x80\xc8\x00\xff", b"\x80\xcb\x00\x09junk", b"\x81\xcc\x00\x00", b"\x80\xd0\x00\x00"):
            sender.sendto(data, ("127.0.0.1", listener.port))
        _speak(sender, listener.port, rtp)
        while not listener.streams or len(listener.control.received) < 2:
            listener.step()
        assert listener.control.malformed == 2
        assert listener.control.received == {"APP": 1, "208": 1}


def test_a_report_to_nobody_does_no_harm(rtp, sender):
    with Listener("127.0.0.1", 0) as listener:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            _speak(gone, listener.port, rtp)
            gone.sendto(_sender_report(1), ("127.0.0.1", listener.port))
        while not listener.control.reports_sent:
            listener.step()
        _speak(sender, listener.port, rtp, ssrc=2)
        while listener.streams < 2:
            listener.step()


def _command() -> typer.Typer:
    app = typer.Typer()
    app.command()(listen_command)
    return app


def _run_command(arguments, port, speak):
    """Run the command in this thread; another speaks once, as soon as the second port listens."""
    over = threading.Event()

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port + 1))
            while not over.wait(0.01):
                try:
                    sock.send(b"anyone?")
                    sock.send(b"anyone?")  # fails by the ICMP answer to the first while nobody listens
                except ConnectionRefusedError:
                    continue
                break
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            speak(sock)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return CliRunner().invoke(_command(), ["--port", str(port), *arguments])
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("law", list(Law))
def test_the_command_reports_and_records(tmp_path, rtp, law):
    port = _free_pair()
    wav = tmp_path / "out.wav"
    press = struct.pack("!BBH", 5, 0x8A, 800)

    def speak(sock):
        _speak(sock, port, rtp, law=law, drop={20})
        sock.sendto(rtp(50, 8000, 1, press, 101), ("127.0.0.1", port))
        sock.sendto(bytes(RtcpByePacket(sources=[1])), ("127.0.0.1", port + 1))

    result = _run_command(["--json", "--wav", str(wav)], port, speak)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (stream,) = report["streams"]
    assert report["ended_by"] == "bye"
    assert report["wav"] == [str(wav)]
    assert report["kernel_drops"] == 0
    assert (stream["lost"], stream["duplicates"], stream["packets"]) == (1, 0, 50)
    assert (stream["digits"], stream["digit_ms"]) == ("5", [100])
    assert stream["filled_s"] == pytest.approx(0.02)
    assert stream["level_dbm0"] == pytest.approx(20 * log10(8000 / sqrt(2) / 32768) + 6.15, abs=0.3)
    audio = read_audio(wav, max_seconds=10)
    expected = decode(law, encode(law, PCM))
    expected[20 * 160 : 21 * 160] = 0
    assert audio.rate == RATE
    assert (np.round(audio.pcm * 32768).astype(np.int16) == expected).all()


def test_a_file_that_cannot_be_written_costs_no_report(tmp_path, rtp):
    """Nothing can be written to /dev/full."""
    port = _free_pair()

    def speak(sock):
        _speak(sock, port, rtp)
        sock.sendto(bytes(RtcpByePacket(sources=[1])), ("127.0.0.1", port + 1))

    result = _run_command(["--json", "--wav", "/dev/full"], port, speak)
    assert result.exit_code == 2
    assert "/dev/full cannot be written: No space left on device" in result.stderr
    told = json.loads(result.stdout)
    assert (told["wav"], told["streams"][0]["packets"]) == ([], 50)
    result = CliRunner().invoke(_command(), ["--port", "0", "--wav", str(tmp_path), "--seconds", "0"])
    assert result.exit_code == 2
    assert "is a folder" in " ".join(result.stderr.replace("│", " ").split())  # the box wraps a long path


def test_the_command_writes_a_file_for_each_of_several(tmp_path, rtp):
    port = _free_pair()

    def speak(sock):
        for ssrc in (1, 2):
            _speak(sock, port, rtp, ssrc=ssrc)

    result = _run_command(["--wav", str(tmp_path / "out.wav"), "--seconds", "0.5"], port, speak)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-00000001.wav", "out-00000002.wav"]
    assert "ended by seconds" in result.stdout
    assert "00000001" in result.stdout


def test_the_command_says_when_nothing_came_or_the_port_is_taken(sender):
    nothing = CliRunner().invoke(_command(), ["--port", "0", "--seconds", "0.05"])
    assert nothing.exit_code == 1
    assert "No media heard" in nothing.stdout
    taken = CliRunner().invoke(_command(), ["--port", str(sender.getsockname()[1])])
    assert taken.exit_code == 2
    assert "in use" in taken.stderr
    assert CliRunner().invoke(_command(), ["--port", "0", "--wav", "x", "--no-audio"]).exit_code == 2


@pytest.mark.parametrize("streams", [1, 3, 4, 30])
@pytest.mark.parametrize("record", [True, False])
def test_a_screen_holds_it(rtp, sender, streams, record):
    with Listener("127.0.0.1", 0, record) as listener:
        for ssrc in range(streams):
            _speak(sender, listener.port, rtp, ssrc=ssrc)
        while len(listener.receiver) < 50 * streams:
            listener.step()
        report = report_session(listener.capture(), listener.control, "stop")
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(report.render())
    lines = console.export_text().splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 120
    assert json.loads(json.dumps(report.to_json()))["gap"]["count"] == 49 * streams
