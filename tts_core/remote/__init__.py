"""Voices that speak elsewhere: providers over HTTP or WebSockets, routes over any voices. Start at `config`."""

from tts_core.remote.asking import KINDS, Unanswered
from tts_core.remote.config import BadProviders, Plan, read_plan
from tts_core.remote.desk import FIRST_BUCKETS_S, Account
from tts_core.remote.engine import RemoteEngine
from tts_core.remote.opening import Abroad, open_plan
from tts_core.remote.route import RouteEngine

__all__ = [
    "FIRST_BUCKETS_S",
    "KINDS",
    "Abroad",
    "Account",
    "BadProviders",
    "Plan",
    "RemoteEngine",
    "RouteEngine",
    "Unanswered",
    "open_plan",
    "read_plan",
]
