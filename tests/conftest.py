"""Who speaks in tests that are not about voices, and which tests are alone on the machine."""

import os

import hypothesis
import pytest

# how long an example takes says something of the machine alone
hypothesis.settings.register_profile("voxtrunk", deadline=None)
hypothesis.settings.load_profile("voxtrunk")

# espeak is quick, and its every sample is known
os.environ["VOXTRUNK_DEFAULT_VOICE"] = "espeak:en-us"
# gateways are started by the dozen
os.environ["VOXTRUNK_WARM_VOICES"] = "espeak:en-us"

_CLOCKED = (
    "tests/gateway/listen/test_faults.py",
    "tests/gateway/live/",
    "tests/gateway/nodes/test_nodes.py",
    "tests/interop/",
    "tests/gateway/calls/test_switchboard.py",
    "tests/gateway/calls/test_studio.py",
    "tests/gateway/test_cli.py",
)
"""They watch the clock of a running gateway: beside what keeps a core busy they would judge that."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.nodeid.startswith(_CLOCKED):
            item.add_marker(pytest.mark.clock)
