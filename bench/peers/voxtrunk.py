"""The gateway itself, playing the same file as a prompt: media worker on the sender's core, all else off it."""

from __future__ import annotations

import asyncio
import shutil
import time
from importlib.metadata import version
from typing import Final

import aiohttp

from bench.peers.peer import OTHER_CPU, SENDER_CPU, Failed, Peer, Recording, Work
from bench.traffic import Callers
from bench.under_test import default_settings, processes
from gateway.running import RunningGateway
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import Recipe

_PORTS: Final = "16000-16031"


class Voxtrunk(Peer):
    """Legs to addresses of their own share 16 ports, as the README tells those who have thousands.

    Without the reserve that admission keeps: how many legs are held is what is measured.
    """

    name = "Voxtrunk"
    command = (
        f"VOXTRUNK_MEDIA_CPUS={SENDER_CPU} VOXTRUNK_OTHER_CPUS={OTHER_CPU} VOXTRUNK_RTP_PORTS={_PORTS} "
        "VOXTRUNK_MEDIA_LIMIT=1 VOXTRUNK_LEGS_PER_WORKER=8192 VOXTRUNK_PROMPTS_FOLDER=. voxtrunk serve; "
        '{"rtp": …} to /v1/calls and {"prompt": "speech"} to its utterances for each leg'
    )

    def version(self) -> str:
        return f"voxtrunk {version('voxtrunk')}"

    def start(self, work: Work) -> None:
        prompts = work.folder / "prompts"
        prompts.mkdir()
        shutil.copy(work.recording.wav, prompts)
        self._gateway = self._beside.enter_context(
            RunningGateway(
                cpus=(OTHER_CPU,), media_cpus=SENDER_CPU, other_cpus=OTHER_CPU, rtp_ports=_PORTS,
                prompts_folder=prompts, max_calls=work.legs + 1, media_limit=1, legs_per_worker=8192,
            )
        )  # fmt: skip
        asyncio.run(self._open(work))

    async def _open(self, work: Work) -> None:
        callers = Callers(self._gateway.url, [work.port], apart=True)
        opening = callers.open_playing(work.legs, work.recording.wav.stem)
        try:
            await asyncio.wait_for(opening, work.until - time.monotonic())
        except TimeoutError as error:
            times = callers.times
            raise Failed(
                f"not all of {work.legs} legs could be set up in time: {len(times.answered_ms)} answers, "
                f"{times.refused} of them 503"
            ) from error
        except aiohttp.ClientError as error:
            raise Failed(repr(error)) from error
        finally:
            await callers.close()

    def octets(self, recording: Recording) -> bytes:
        """The file at the gateway's own level: prompts are brought to it, as voices are."""
        settings = default_settings()
        source = PromptSource(settings.level_dbm0, settings.prompt_seconds)
        recipe = Recipe("prompt", str(recording.wav), None, "", 1.0, 0.0, "PCMU", 20)
        return b"".join(stretch.payload for stretch in source(recipe))

    def pids(self) -> list[int]:
        media = processes(self._gateway).get("media")
        if media is None:
            raise Failed("the gateway has no media worker any more")
        return [media]

    def all_pids(self) -> list[int]:
        return list(processes(self._gateway).values())

    def alive(self) -> None:
        if self._gateway.process.poll() is not None:
            raise Failed(f"the gateway ended with {self._gateway.process.returncode}")
