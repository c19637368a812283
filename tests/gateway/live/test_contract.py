"""What a running gateway answers and tells is what ``/openapi.json`` and ``/asyncapi.json`` declare."""

import json
import re

import httpx
import jsonschema
from openapi_spec_validator import validate
from websockets.sync.client import connect

from .contract import fuzz

SECONDS = 8


def test_every_answer_is_as_declared(gateway):
    validate(httpx.get(f"{gateway.url}/openapi.json").json())
    # the folders of this gateway are other tests' as well, and so is what it logs
    left_out = ("--exclude-path-regex", "^/v1/(lexicons|admin)", "--phases", "examples,coverage,fuzzing")
    done = fuzz(gateway.url, None, SECONDS, *left_out, "--seed", "1")
    assert done.returncode == 0, done.stdout
    tried = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tried, done.stdout
    assert tried[1] == tried[2]
    assert int(tried[1]) > 15, done.stdout
    assert int(re.search(r"calls opened: (\d+)", done.stdout)[1]) > 1, done.stdout


def test_every_message_is_as_declared(gateway, api, ear):
    listening = ear()
    whole = httpx.get(f"{gateway.url}/asyncapi.json").json()
    url, seen = gateway.url.replace("http", "ws"), set()

    def check(name, message):
        seen.add(name)
        if isinstance(message, bytes):
            return
        payload = whole["components"]["messages"][name]["payload"]
        schema = payload
        if "$ref" in payload:
            schema = whole["components"]["schemas"][payload["$ref"].rpartition("/")[2]]
        jsonschema.Draft202012Validator(schema | {"components": whole["components"]}).validate(message)
        assert message.keys() <= schema["properties"].keys(), (name, message)

    call = api.open(listening.port)
    with connect(f"{url}/v1/events?call_id={call['id']}") as events:
        with connect(f"{url}/v1/calls/{call['id']}/speech") as socket:
            long = "A text that is longer than can be heard before it is cut. " * 80
            for message in (
                {"type": "open", "id": "u"},
                {"type": "text", "id": "u", "text": "One two.", "mark": "here"},
                {"type": "text", "id": "nobody", "text": "x"},
                {"type": "dance"},
                {"type": "text", "id": "u", "text": long},
            ):
                socket.send(json.dumps(message))
            told = {}
            while told.get("type") != "finished":
                told = json.loads(socket.recv(20))
                check(told["type"], told)
                if told["type"] == "mark":
                    socket.send('{"type": "clear"}')
        api.end(call)
        check("following", json.loads(events.recv(5)))
        for message in events:
            check("event", json.loads(message))
        with connect(f"{url}/v1/synthesize/ws?format=mulaw") as socket:
            hear_synthesis(socket, check)
        with connect(f"{url}/v1/speak?encoding=mulaw&sample_rate=8000&speed=2") as socket:
            hear_deepgram(socket, check)
        for path, name in (("stream-input", {}), ("multi-stream-input", {"context_id": "a"})):
            with connect(f"{url}/v1/text-to-speech/espeak:en-us/{path}?output_format=ulaw_8000") as socket:
                hear_elevenlabs(socket, name, check)
    sent = {name for each in whole["operations"].values() if each["action"] == "send"
            for name in (ref["$ref"].rpartition("/")[2] for ref in each["messages"])}  # fmt: skip
    # what is not heard here takes a minute, or a voice that fails
    assert seen >= sent - {"resumed", "deepgram.Error"}


def hear_synthesis(socket, check):
    socket.send(json.dumps({"type": "say", "id": "a", "ssml": "<speak>One <mark name='m'/>two.</speak>"}))
    socket.send(json.dumps({"type": "dance"}))
    told = {}
    while told.get("type") != "finished":
        message = socket.recv(20)
        if isinstance(message, bytes):
            check("audio", message)
        else:
            check((told := json.loads(message))["type"], told)


def hear_deepgram(socket, check):
    for message in ({"type": "Speak", "text": "One two."}, {"type": "Flush"}, {"type": "Dance"}):
        socket.send(json.dumps(message))
    told = {}
    while told.get("type") != "Cleared":
        message = socket.recv(20)
        if isinstance(message, bytes):
            check("audio", message)
            continue
        told = json.loads(message)
        check(f"deepgram.{told['type']}", told)
        if told["type"] == "Flushed":
            socket.send('{"type": "Clear"}')


def hear_elevenlabs(socket, name, check):
    for message in ({"text": " "}, {"text": "One two. ", "flush": True}, {"text": 3}):
        socket.send(json.dumps(message | name))
        if "flush" in message:
            while "audio" not in (told := json.loads(socket.recv(20))):
                pass
            check("elevenlabs.audio", told)
            socket.send(json.dumps({"close_context": True} | name if name else {"text": ""}))
            while not told.get("isFinal"):
                told = json.loads(socket.recv(20))
                check("elevenlabs.final" if told.get("isFinal") else "elevenlabs.audio", told)
            if not name:
                return
    check("elevenlabs.error", json.loads(socket.recv(20)))
