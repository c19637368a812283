"""baresip: calls a SIPp that answers, its audio source a file."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import Final

from bench.peers.answering import Answering
from bench.peers.peer import Failed, Peer, Work, free_port, output, program

_CALLS_A_SECOND: Final = 50
_START_S: Final = 10.0
_CONFIG: Final = """\
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
rtp_ports 20000-59999
call_max_calls {legs}
call_local_timeout 60
audio_source aufile,{wav}
audio_player aubridge,nil
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
ringback_disabled yes
statmode_default off
ctrl_tcp_listen 127.0.0.1:{control}
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Baresip(Peer):
    """One softphone that makes every call."""

    name = "baresip aufile"
    command = 'baresip -4 -f CONFIG, and {"command": "dial", …} to its control port for each leg'

    def version(self) -> str:
        said = output(program("baresip", "baresip-core"), "-h")
        found = re.search(r"baresip v?[\d.]+", said)
        return found[0] if found else "baresip"

    def start(self, work: Work) -> None:
        answering = Answering(work.port, work.folder)
        self._beside.callback(answering.stop)
        control = free_port(socket.SOCK_STREAM)
        (work.folder / "config").write_text(
            _CONFIG.format(port=free_port(), legs=work.legs + 1, wav=work.recording.wav, control=control)
        )
        (work.folder / "accounts").write_text("<sip:bench@127.0.0.1>;regint=0;audio_codecs=pcmu;ptime=20\n")
        (work.folder / "contacts").touch()
        self.launch([program("baresip", "baresip-core"), "-4", "-f", str(work.folder)], work.folder)
        with self._connected(control) as sock:
            for asked in range(work.legs):
                work.in_time(asked)
                order = json.dumps({"command": "dial", "params": f"sip:x@{answering.place}"}).encode()
                sock.sendall(b"%d:%s," % (len(order), order))  # a netstring
                answer = sock.recv(65536)
                if not answer:
                    raise Failed(f"it ended: {self.said()}")
                time.sleep(1 / _CALLS_A_SECOND)

    def _connected(self, port: int) -> socket.socket:
        deadline = time.monotonic() + _START_S
        while True:
            self.alive()
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except ConnectionRefusedError as error:
                if time.monotonic() > deadline:
                    raise Failed(f"its control port does not open: {self.said()}") from error
                time.sleep(0.1)
