"""Who listens at many calls at once."""

import threading

import numpy as np

from gateway.listen.receiver import Receiver


class Ear:
    """RTP ports with a thread that listens all the time, and keeps what was said."""

    def __init__(self, ports=1):
        self.receiver = Receiver("127.0.0.1", [0] * ports, record=True)
        self.ports = self.receiver.local_ports
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.receiver.run, args=(self._stop,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.receiver.close()

    def octets(self):
        """Payload octets of each stream by SSRC, in the order of sequence numbers, and its packets."""
        capture = self.receiver.capture()
        packets = capture.packets
        order = np.lexsort((packets["t_ns"], packets["ssrc"]))
        packets = packets[order]
        edges = np.flatnonzero(np.diff(packets["ssrc"])) + 1
        return {
            int(stream["ssrc"][0]): (
                b"".join(
                    capture.payloads[p["payload_start"] : p["payload_start"] + p["payload_length"]].tobytes()
                    for p in stream
                ),
                stream,
            )
            for stream in np.split(packets, edges)
            if len(stream)
        }

    def the_stream(self):
        """The one stream that was heard."""
        ((octets, packets),) = self.octets().values()
        return octets, packets
