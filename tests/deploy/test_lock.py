"""What a production install is made of: all of it locked, hashed, looked up, and on the bill of materials."""

import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parents[2]
LOCK = (HERE / "requirements.lock").read_text()
# some have one version for each of several Pythons
PINNED = {
    (canonicalize_name(name), version)
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE)
}
LOCKED_EXTRAS = ("neural", "redis", "sip", "otel", "grpc")
AUDIT = runpy.run_path(str(HERE / "scripts/audit"))


def asked_for():
    """The requirements of a production install."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    chosen = [project["dependencies"], *(extras[name] for name in LOCKED_EXTRAS)]
    return [Requirement(each) for requirements in chosen for each in requirements]


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_what_is_asked_for_is_locked(requirement):
    name = canonicalize_name(requirement.name)
    versions = [version for each, version in PINNED if each == name]
    assert versions, "run scripts/lock"
    assert all(Version(version) in requirement.specifier for version in versions), "run scripts/lock"


def test_every_package_is_pinned_and_has_hashes():
    entries = re.split(r"\n(?=[\w])", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).strip())
    assert len(entries) == len(PINNED) > 50
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+", entry)
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)) >= 1
    assert "setuptools" in {name for name, _ in PINNED}
    assert not re.search(r"://|^-", LOCK, re.MULTILINE)


def test_the_install_takes_nothing_that_is_not_in_the_lock():
    steps = (HERE / "scripts/install").read_text()
    installs = re.findall(r'"\$\{pip\[@\]\}" (.+)', steps)
    assert [each for each in installs if "--require-hashes" not in each and "--no-deps" not in each] == [
        '".[$extra]" ;; esac'  # a GPU's, which is said there
    ]
    assert re.search(r'"\$extra" in ([\w |]+)\)', steps)[1].split(" | ") == list(LOCKED_EXTRAS)
    assert "COPY pyproject.toml requirements.lock" in (HERE / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("dependencies", "status", "says"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "no known"),
        ([{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}], 1, "a 1: PYSEC-1"),
        (
            [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}],
            75,
            "NOT AUDITED: 1",
        ),
        (
            [{"name": "a", "skip_reason": "?"}, {"name": "b", "version": "1", "vulns": [{"id": "X"}]}],
            1,
            "b 1: X",
        ),
        ([], 75, "NOT AUDITED"),
    ],
)
def test_an_audit_that_looked_nothing_up_does_not_pass(dependencies, status, says):
    found = AUDIT["verdict"]({"dependencies": dependencies})
    assert found[0] == status
    assert says in found[1]


def test_the_bill_of_materials_is_the_lock(tmp_path):
    made = tmp_path / "sbom.json"
    tool = Path(sys.executable).parent / "cyclonedx-py"
    subprocess.run(
        [tool, "requirements", HERE / "requirements.lock", "--spec-version", "1.6", "-o", made], check=True
    )
    bill = json.loads(made.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert {(canonicalize_name(each["name"]), each["version"]) for each in bill["components"]} == PINNED
