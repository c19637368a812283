import sys

import numpy as np
import pytest
from PIL import Image

from gateway.listen.picture import MissingExtra, draw_demo


@pytest.mark.parametrize(("samples", "gaps"), [(0, 0), (1, 1), (100, 0), (24_000, 150)])
def test_it_draws_whatever_there_is(tmp_path, samples, gaps):
    source = np.random.default_rng(2)
    pcm = source.integers(-32768, 32767, samples).astype(np.int16)
    path = tmp_path / "demo.png"
    draw_demo(path, pcm, source.normal(0, 0.2, gaps), "Title")
    with Image.open(path) as image:
        assert image.width > 1000
        assert image.height > 700
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50


def test_a_tone_shows_at_its_height(tmp_path):
    loudest = (252, 253, 191)  # the top of the colour map

    def row_of(hertz):
        pcm = (10000 * np.sin(2 * np.pi * hertz * np.arange(16000) / 8000)).astype(np.int16)
        path = tmp_path / f"{hertz}.png"
        draw_demo(path, pcm, np.zeros(100), "")
        with Image.open(path) as image:
            column = np.asarray(image.convert("RGB"), np.int64)[:, image.width // 2]
        return np.flatnonzero(np.abs(column - loudest).max(axis=1) < 40).mean()

    rows = [row_of(hertz) for hertz in (800, 2000, 3200)]
    assert rows[0] > rows[1] > rows[2]  # an image's rows go down
    assert rows[0] - rows[1] == pytest.approx(rows[1] - rows[2], abs=3)


def test_without_matplotlib_it_names_the_extra(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"voxtrunk\[bench\]"):
        draw_demo(tmp_path / "x.png", np.zeros(1, np.int16), np.zeros(1), "")
