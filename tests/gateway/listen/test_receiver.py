import os
import socket
import threading
import time

import numpy as np
import pytest
from aiortc.rtp import RtpPacket
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.listen.analysis import analyse
from gateway.listen.packets import SLOT
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import BATCH, MOST_BATCHES, Receiver
from gateway.listen.store import GrowingArray


def test_every_field_of_every_packet_arrives(rtp, sender, hear):
    sent = [
        rtp(seq=k, timestamp=160 * k, ssrc=0xDEADBEEF, payload=os.urandom(k % 321), payload_type=8 * (k % 2))
        for k in range(2000)
    ]
    with Receiver("127.0.0.1", [0], record=True) as receiver:
        (port,) = receiver.local_ports
        for k, datagram in enumerate(sent):
            sender.sendto(datagram, ("127.0.0.1", port))
            if k % 100 == 99:  # an unprivileged receiver's buffer holds a few hundred
                hear(receiver, k + 1)
        capture = receiver.capture()
    assert (capture.kernel_drops, capture.malformed, capture.clock_steps) == (0, 0, 0)
    assert len(capture.packets) == len(sent)
    for got, datagram in zip(capture.packets, sent, strict=True):
        packet = RtpPacket.parse(datagram)
        start, length = int(got["payload_start"]), int(got["payload_length"])
        assert capture.payloads[start : start + length].tobytes() == packet.payload
        assert (got["ssrc"], got["seq"], got["timestamp"]) == (
            packet.ssrc,
            packet.sequence_number,
            packet.timestamp,
        )
        assert (got["payload_type"], got["marker"]) == (packet.payload_type, packet.marker)
    assert (capture.packets["source_port"] == sender.getsockname()[1]).all()
    assert set(capture.packets["source_ip"][0].tolist()) == {0, 0xFF, 127, 1}


def test_times_are_of_arrival_and_not_of_reading(rtp, sender, hear):
    with Receiver("127.0.0.1", [0]) as receiver:
        before = time.monotonic_ns()
        wall = time.time_ns()
        for k in range(100):
            sender.sendto(rtp(seq=k), ("127.0.0.1", receiver.local_ports[0]))
        after = time.monotonic_ns()
        time.sleep(0.2)
        hear(receiver, 100)
        arrivals = receiver.packets["t_ns"]
        offset = receiver.realtime_offset_ns
    # 1 ms is the two clocks' reading apart, with a preemption between
    assert before - 1_000_000 <= arrivals[0] <= arrivals[-1] <= after + 1_000_000
    assert (np.diff(arrivals) >= 0).all()
    assert abs(arrivals[0] + offset - wall) < (after - before) + 1_000_000


def test_each_port_is_told_apart_and_answers(rtp, sender, hear):
    with Receiver("127.0.0.1", [0] * 20) as receiver:
        for index, port in enumerate(receiver.local_ports):
            for k in range(index):
                sender.sendto(rtp(seq=k, ssrc=index), ("127.0.0.1", port))
        hear(receiver, sum(range(20)))
        packets = receiver.packets
        assert np.bincount(packets["port_index"], minlength=20).tolist() == list(range(20))
        assert (packets["port_index"] == packets["ssrc"]).all()
        receiver.send(3, b"answer", sender.getsockname())
        data, source = sender.recvfrom(100)
        assert (data, source[1]) == (b"answer", receiver.local_ports[3])


def test_ipv6(rtp, hear):
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with sock, Receiver("::1", [0]) as receiver:
        sock.sendto(rtp(ssrc=9), ("::1", receiver.local_ports[0]))
        sock.sendto(b"\x80\xc9\x00\x01abcd", ("::1", receiver.local_ports[0]))
        hear(receiver, 1)
        receiver.poll(0.1)
        (report,) = analyse(receiver.packets)
        assert report.sources == (f"[::1]:{sock.getsockname()[1]}",)
        assert [control.source for control in receiver.take_control()] == [sock.getsockname()[:2]]


def test_control_is_handed_over_once(sender, rtp, hear):
    control = b"\x80\xc9\x00\x01\x00\x00\x00\x07"
    with Receiver("127.0.0.1", [0]) as receiver:
        destination = ("127.0.0.1", receiver.local_ports[0])
        for datagram in (control, rtp(), control[:4]):
            sender.sendto(datagram, destination)
        hear(receiver, 1)
        taken = receiver.take_control()
        assert [datagram.data for datagram in taken] == [control, control[:4]]
        assert taken[0].source == sender.getsockname()
        assert taken[0].port_index == 0
        assert taken[0].t_ns <= receiver.packets["t_ns"][0]
        assert receiver.take_control() == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=SLOT + 100) | st.binary(max_size=20).map(lambda b: b"\x80" + b), max_size=30)
)
@example([b"\xb0" + bytes(13) + b"\x02"])  # an extension said to reach beyond the slot
def test_no_datagram_crashes_it_and_each_is_accounted_for(sender, datagrams):
    with Receiver("127.0.0.1", [0], record=True) as receiver:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", receiver.local_ports[0]))
        heard = 0
        while heard < len(datagrams):
            heard += receiver.poll(5)
        control = receiver.take_control()
        assert len(receiver) + len(control) + receiver.malformed == len(datagrams)
        assert receiver.malformed >= sum(len(d) > SLOT for d in datagrams)
        capture = receiver.capture()
        assert len(capture.payloads) == capture.packets["payload_length"].sum()


def test_its_own_losses_are_counted_as_its_own(sender):
    huge = bytes(60_000)
    with Receiver("127.0.0.1", [0]) as receiver:
        sent = 2 * (128 << 20) // len(huge)
        for _ in range(sent):
            sender.sendto(huge, ("127.0.0.1", receiver.local_ports[0]))
        taken = 0
        while count := receiver.poll(0.2):
            taken += count
        assert receiver.kernel_drops > 0
        assert taken + receiver.kernel_drops == sent


def test_a_taken_port_is_an_error_and_leaves_nothing_open():
    with Receiver("127.0.0.1", [0]) as receiver:
        with pytest.raises(OSError, match="in use"):
            Receiver("127.0.0.1", [0, receiver.local_ports[0]])
        with pytest.raises(OSError, match="in use"):
            ReceiverProcess("127.0.0.1", [receiver.local_ports[0]])


@pytest.mark.parametrize("ask", [len, ReceiverProcess.drops, ReceiverProcess.stop])
def test_a_process_that_died_says_how(ask):
    with ReceiverProcess("127.0.0.1", [0]) as receiver:
        receiver._process.kill()
        receiver._process.join()
        with pytest.raises(ChildProcessError, match="ended by -9"):
            ask(receiver)


def _await_count(receiver, count):
    deadline = time.monotonic() + 20
    while len(receiver) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_in_a_thread(rtp, sender):
    stop = threading.Event()
    with Receiver("127.0.0.1", [0]) as receiver:
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        for k in range(1000):
            sender.sendto(rtp(seq=k), ("127.0.0.1", receiver.local_ports[0]))
            if k % 100 == 99:
                _await_count(receiver, k - 50)
        stop.set()
        thread.join()
        assert len(receiver) == 1000


def test_one_poll_is_bounded_and_the_rest_is_not_lost(rtp, sender):
    most, extra = MOST_BATCHES * BATCH, 1000
    with Receiver("127.0.0.1", [0]) as receiver:
        if receiver.receive_buffer < (most + extra) * 1024:
            pytest.skip("needs CAP_NET_ADMIN or a larger net.core.rmem_max")
        for k in range(most + extra):
            sender.sendto(rtp(seq=k), ("127.0.0.1", receiver.local_ports[0]))
        assert receiver.poll(1) == most
        assert receiver.poll(1) == extra
        assert receiver.kernel_drops == 0


def test_in_a_process(rtp, sender):
    cpu = min(os.sched_getaffinity(0))
    with ReceiverProcess("127.0.0.1", [0, 0], record=True, cpu=cpu) as process:
        for k in range(5000):
            sender.sendto(rtp(seq=k, timestamp=160 * k), ("127.0.0.1", process.local_ports[k % 2]))
            if k % 200 == 199:
                _await_count(process, k + 1)
        capture = process.stop()
    assert capture.kernel_drops == 0
    assert len(capture.payloads) == 5000 * 160
    assert sorted(capture.packets["seq"].tolist()) == list(range(5000))
    assert capture.cpu_s > 0


def test_a_process_that_is_never_stopped_ends_with_its_owner(rtp, sender):
    with ReceiverProcess("127.0.0.1", [0]) as process:
        (port,) = process.local_ports
    with Receiver("127.0.0.1", [port]) as again:
        assert again.local_ports == (port,)


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(1, 16), st.integers(0, 60))
def test_a_growing_array_holds_what_was_put_in(blocks, chunk, index):
    store = GrowingArray(np.int64, chunk)
    whole = np.arange(sum(blocks))
    for block in np.split(whole, np.cumsum(blocks)[:-1]) if blocks else []:
        store.append(block)
    assert len(store) == len(whole)
    assert store.since(0).tolist() == whole.tolist()
    assert store.since(index).tolist() == whole[index:].tolist()
