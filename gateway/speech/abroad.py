"""The door with every voice behind it: this machine's, and those of the providers that are configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.messages.work import FailOvers, ProviderWork
from telephony_codecs import Law, decode
from tts_core import Synthesiser, open_default
from tts_core.engine import Pcm

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.told import Told
    from tts_core.remote.opening import Abroad

_LAWS: Final = MappingProxyType({"mulaw": Law.PCMU, "alaw": Law.PCMA})


def open_door(
    settings: Settings | Told, local_load: Callable[[], float] = lambda: 0.0, share: int = 1
) -> tuple[Synthesiser, Abroad | None]:
    """All voices, and what speaks elsewhere if anything does, for one of ``share`` processes; nothing is warmed.

    Raises EngineError, ``tts_core.remote.config.BadProviders`` among them.
    """
    folder, runtime = settings.voices_folder, settings.neural_runtime
    if settings.providers_file is None:
        return open_default(folder, runtime), None
    from tts_core.remote.config import read_plan  # 3 MB for whoever has no providers
    from tts_core.remote.opening import open_plan

    abroad = open_plan(read_plan(settings.providers_file), _expand, local_load, share)
    door = open_default(folder, runtime, abroad.engines)
    abroad.open(door)
    return door, abroad


def work(abroad: Abroad) -> tuple[ProviderWork, ...]:
    """What was asked of each provider."""
    return tuple(ProviderWork(*astuple(account)) for account in abroad.accounts())


def fail_overs(abroad: Abroad) -> tuple[FailOvers, ...]:
    """Where routes went on without a voice."""
    return tuple(FailOvers(*key, count) for key, count in abroad.fail_overs().items())


def _expand(law: str, octets: bytes) -> Pcm:
    return decode(_LAWS[law], np.frombuffer(octets, np.uint8))
