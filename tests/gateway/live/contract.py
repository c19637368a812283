"""schemathesis against a running gateway: no 500, and every answer as ``/openapi.json`` declares it.

python tests/gateway/live/contract.py [SECONDS [ARGUMENTS OF SCHEMATHESIS]]
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.running import RunningGateway
from voxtrunk.client import Client

HERE = Path(__file__).parent
KEY = "k-contract-00000000"
LEFT_OUT = (
    # what is valid and refused all the same: voices, prompts and targets that there are not
    *("--exclude-checks", "positive_data_acceptance,ignored_auth"),
    # never ends; and a gateway that is drained takes no calls
    *("--exclude-path", "/v1/events", "--exclude-path", "/v1/drain"),
)


def fuzz(url, key, seconds, *arguments):
    """The finished run of schemathesis; its report is on its ``stdout``."""
    with (
        tempfile.TemporaryDirectory() as folder,  # where it keeps what it has found
        Client(url, key) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
    ):
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with client.call(rtp={"address": "127.0.0.1", "port": port}, silence="suppress") as line:
            said = line.say("Hello.")
            known = {"CONTRACT_CALL": line.id, "CONTRACT_UTTERANCE": said.id, "CONTRACT_PORT": str(port)}
            command = ("run", f"{url}/openapi.json", "--checks", "all", *LEFT_OUT, "--no-color")
            command += ("--generation-with-security-parameters", "false", "--suppress-health-check", "all")
            command += ("--max-time", str(seconds), "--request-timeout", "10")
            command += ("-H", f"X-API-Key: {key}") if key else ()
            try:
                done = subprocess.run(
                    [Path(sys.executable).parent / "schemathesis", *command, *arguments],
                    env=os.environ
                    | known
                    | {"SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(HERE)},
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    timeout=seconds + 60,
                )
            finally:
                calls = client.calls(limit=1000).calls
                for call in calls:
                    if call.state == "open":
                        client.line(call.id).hang_up()
            said = len(line.utterances().utterances)
            done.stdout += f"\ncalls opened: {len(calls)}, utterances on one of them: {said}\n"
            return done


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningGateway(
            api_keys=KEY, text_limit=300, max_call_seconds=60, prompts_folder=folder, lexicons_folder=folder
        ) as running,
    ):
        seconds, *more = sys.argv[1:] or ["60"]
        done = fuzz(running.url, KEY, int(seconds), "--continue-on-failure", *more)
        sys.stdout.write(done.stdout + "\n")
        sys.exit(done.returncode)
