"""What schemathesis makes up, let it meet at times: calls, utterances, voices, targets that may be sent to.

What is wrong on purpose stays as it is.
"""

import os

import schemathesis

CALL, UTTERANCE = os.environ["CONTRACT_CALL"], os.environ["CONTRACT_UTTERANCE"]
PORT = int(os.environ["CONTRACT_PORT"])


def _some(value, known):
    """Every second value is a known one."""
    return known if sum(map(ord, value)) % 2 else value


@schemathesis.hook
def map_case(context, case):
    hangs_up = (case.method, case.path) == ("DELETE", "/v1/calls/{call_id}")
    for name, known in (("call_id", CALL), ("uid", UTTERANCE)):
        if isinstance((case.path_parameters or {}).get(name), str) and not hangs_up:
            case.path_parameters[name] = _some(case.path_parameters[name], known)
    if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
        _valid(case.path, case.body)
    return case


def _valid(path, body):
    """What the schema cannot say of a body that it allows."""
    if path == "/v1/calls":
        for name in ("sip", "webhook_url", "max_seconds", "barge_in"):
            body.pop(name, None)
        body["rtp"] = {"address": "127.0.0.1", "port": PORT}
    if path.endswith("/utterances") and isinstance(body.get("text"), str):
        for name in ("ssml", "prompt", "template", "slots", "lexicons", "barge_in"):
            body.pop(name, None)
    if isinstance(body.get("voice"), str):
        body["voice"] = _some(body["voice"], "espeak:en-us")
