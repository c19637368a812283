"""Ten thousand streams on one feeder, opened and cut at random: each octet that is sent is the right one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

LEGS = 100
STREAMS = 10_000


def test_ten_thousand_streams_opened_and_cut_at_random(new_rig: Callable[..., Any]) -> None:
    dice = random.Random(7)
    rig = new_rig((20,) * LEGS, 100_000)
    try:
        for row in range(LEGS):
            rig.attach(row)
        opened, newest = 0, dict.fromkeys(range(LEGS))
        while opened < STREAMS:
            for row in dice.sample(range(LEGS), 50):
                if newest[row] is not None and dice.random() < 0.9:
                    rig.cut(newest[row], row=row)
                if dice.random() < 0.02:
                    rig.detach(row)
                    rig.attach(row)
                newest[row] = rig.speak(
                    f"{dice.randrange(200)}:{dice.choice(['1', '5', '3,4', '20,9'])}", row
                )
                opened += 1
            rig.deliver()
            rig.make(dice.randrange(80))
            rig.step(dice.randrange(1, 4))
        rig.finish()
        rig.check_all_heard()
        assert rig.feeder.utterances == STREAMS
        assert sum(map(len, rig.heard.values())) > 0
        assert not rig.feeder._readers, "no stream is left behind"
    finally:
        rig.close()
