"""The command line as a person or a program uses it."""

import json
import os
import shutil
import subprocess
import sys
import wave

import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.listen.receiver import Receiver
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode
from tts_core.neural.engine import SHIPPED


def attempt(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ | environment,
        check=False,
    )


def run(*arguments, **environment):
    done = attempt(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done


def test_voices_for_programs():
    voices = json.loads(run("voices", "--json").stdout)
    assert len(voices) > 100
    columns = {"name", "language", "gender", "engine", "version", "licence", "teacher", "description"}
    assert columns == voices[0].keys()
    assert "espeak:en-us" in {voice["name"] for voice in voices}


def test_a_voice_is_added_listed_and_removed(tmp_path):
    source, folder = tmp_path / "mine", tmp_path / "voices"
    shutil.copytree(SHIPPED / "en-us-slt", source)

    def voices(*arguments):
        environment = {"VOXTRUNK_VOICES_FOLDER": str(folder), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["voices", *map(str, arguments)], env=environment)

    for arguments, why in (
        (("add", source), "ships with Voxtrunk"),
        (("remove", "neural:en-us-slt"), "ships with Voxtrunk"),
        (("remove", "../mine"), "no voice named"),
        (("add", tmp_path), "voice.json"),
    ):
        refused = voices(*arguments)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith("voxtrunk: ")
        assert refused.stderr.count("\n") == 1
        assert why in refused.stderr
    about = {"description": "[bold]My own"}
    manifest = json.loads((source / "voice.json").read_text())
    (source / "voice.json").write_text(json.dumps(manifest | {"name": "mine"} | about))
    added = voices("add", source)
    assert (added.exit_code, added.stderr) == (0, "")
    assert (folder / "mine" / "voice.json").exists()
    (mine,) = [v for v in json.loads(voices("--json").stdout) if v["name"] == "neural:mine"]
    same = ("language", "gender", "engine", "version", "licence", "teacher")
    assert mine == {"name": "neural:mine"} | {what: manifest[what] for what in same} | about
    assert about["description"] in voices().stdout
    assert voices("remove", "neural:mine").exit_code == 0
    assert not list(folder.iterdir())


def test_every_setting_is_listed_with_its_meaning():
    out = run("settings", COLUMNS="200").stdout
    for name, field in Settings.model_fields.items():
        assert f"VOXTRUNK_{name.upper()}" in out
        assert field.description


def test_say_is_heard_and_written(tmp_path):
    wav = tmp_path / "out.wav"
    with Receiver("127.0.0.1", [0], record=True) as receiver:
        target = f"127.0.0.1:{receiver.local_ports[0]}"
        done = run("say", "Hello there.", "--to", target, "--codec", "PCMA", "--wav", str(wav), "--json")
        receiver.drain()
        heard = bytes(receiver.capture().payloads)
    said = json.loads(done.stdout)
    assert said["state"] == "finished"
    offline = encode_text("Hello there.", None, "PCMA", Settings())
    assert heard == offline
    with wave.open(str(wav)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)
    assert np.array_equal(pcm, decode(Law.PCMA, np.frombuffer(offline, np.uint8)))


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("say", "x", "--to", "nowhere"), {}, "ADDRESS:PORT"),
        (("say", "x", "--to", "192.0.2.1:4000"), {}, "VOXTRUNK_RTP_ALLOW"),
        (("say", "x", "--to", "127.0.0.1:4000", "--gateway", "http://127.0.0.1:9"), {}, "voxtrunk:"),
        (("serve",), {"VOXTRUNK_HTTP_HOST": "0.0.0.0"}, "VOXTRUNK_API_KEYS"),
        (("serve",), {"VOXTRUNK_RTP_PORTS": "many"}, "rtp_ports"),
        (("serve",), {"VOXTRUNK_WEBHOOK_SECRET": "short"}, "VOXTRUNK_WEBHOOK_SECRET"),
        (
            ("serve", "--http", "127.0.0.1:0"),
            {"VOXTRUNK_DEFAULT_VOICE": "nope"},
            "VOXTRUNK_DEFAULT_VOICE: no",
        ),
        (("keys", "add", "a", "--file", "/dev/null", "--days", "1e9"), {}, "--days"),
        (("serve",), {"VOXTRUNK_MEDIA_CPUS": "4095"}, "VOXTRUNK_MEDIA_CPUS names [4095]"),
        (("serve",), {"VOXTRUNK_OTHER_CPUS": "4095"}, "VOXTRUNK_OTHER_CPUS names [4095]"),
        (("doctor",), {"VOXTRUNK_CONFIG": "/nowhere"}, "/nowhere (VOXTRUNK_CONFIG) cannot be read"),
        (("doctor",), {"VOXTRUNK_CONFIG": "/tmp"}, "/tmp (VOXTRUNK_CONFIG) cannot be read"),
        (("say", "x", "--to", "127.0.0.1:4000", "--wav", "/nowhere/x.wav"), {}, "no folder /nowhere"),
        (("listen", "--port", "0", "--wav", "/nowhere/x.wav"), {}, "/nowhere"),
    ],
)
def test_errors_name_what_to_change(arguments, environment, says):
    done = attempt(*arguments, **environment)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_leaves_sound_picture_and_report(tmp_path):
    out = run("demo", "--folder", str(tmp_path), "--text", "One two three.").stdout
    assert "first audio" in out
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    with wave.open(str(tmp_path / "demo.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert np.array_equal(
        pcm,
        decode(Law.PCMU, np.frombuffer(encode_text("One two three.", None, "PCMU", Settings()), np.uint8)),
    )
