"""Real SIP peers as context managers, on loopback. Start reading at `process`."""

from .baresip import Baresip
from .front import Front
from .kamailio import Kamailio
from .linphone import Linphone
from .process import Process, free_port
from .sipp import Calls, Sipp, reinvite

__all__ = ["Baresip", "Calls", "Front", "Kamailio", "Linphone", "Process", "Sipp", "free_port", "reinvite"]
