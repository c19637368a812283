"""The folder's watch: a change is taken in once it has settled, and whatever fails, the watch goes on."""

import threading
import time
from pathlib import Path

from gateway.speech.library import Library
from gateway.speech.recipe import Recipe
from gateway.speech.shelf import ShelfWatch
from gateway.speech.track import Stretch
from telephony_codecs import Law


def until(met) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_change_is_taken_in_when_it_has_settled(tmp_path: Path, caplog) -> None:
    taken: list[str] = []
    told: list[frozenset[str]] = []

    def renew() -> frozenset[str]:
        assert threading.current_thread().name == "shelf"
        taken.append(",".join(sorted(each.parent.name for each in tmp_path.glob("*/voice.json"))))
        if "bad" in taken[-1]:
            raise RuntimeError("nobody foresaw this")
        return frozenset(taken[-1:]) if taken[-1] else frozenset()

    watch = ShelfWatch(tmp_path, renew, lambda changed, asked: told.append(changed), look_s=0.01)
    until(lambda: taken == [""])
    for name in ("one", "bad", "two"):
        before = len(taken)
        if name == "two":
            (tmp_path / "bad" / "voice.json").unlink()
        (tmp_path / name).mkdir()
        (tmp_path / name / "voice.json").write_text("{}")
        until(lambda before=before: len(taken) > before)
    until(lambda: told == [frozenset({"one"}), frozenset({"one,two"})])
    watch.close()
    assert "nobody foresaw" in caplog.text
    (tmp_path / ".adding").mkdir()
    (tmp_path / ".adding" / "voice.json").write_text("{}")
    time.sleep(0.05)
    assert taken[-1] != ".adding"


def test_who_asks_is_answered_at_once_changed_or_not(tmp_path: Path) -> None:
    told: list[tuple[frozenset[str], bool]] = []

    def renew() -> frozenset[str]:
        return frozenset(each.name for each in tmp_path.iterdir())

    watch = ShelfWatch(tmp_path, renew, lambda changed, asked: told.append((changed, asked)), look_s=60)
    watch.look()
    until(lambda: told == [(frozenset(), True)])
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "voice.json").write_text("{}")
    watch.look()
    until(lambda: told[1:] == [(frozenset({"one"}), True)])
    watch.look()
    until(lambda: told[2:] == [(frozenset(), True)])
    watch.close()


def test_what_a_voice_said_is_forgotten_with_it() -> None:
    library = Library(1_000_000)

    def said(voice: str, complete: bool) -> None:
        track = library.find(Recipe("text", "Hello.", None, voice, 1.0, 0.0, Law("PCMU"), 20))
        library.grow(track, Stretch(b"\0" * 800, (), (), complete))

    said("a:gone", True)
    said("a:stays", True)
    said("b:gone", False)
    octets = library.octets
    said("route:one", True)  # whose route may have been said by any
    library.forget({"a:gone", "b:gone"})
    assert (len(library), library.octets) == (1, octets // 2)
    library.forget({"a:stays"})
    assert (len(library), library.octets) == (0, 0)
