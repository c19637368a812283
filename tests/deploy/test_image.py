"""The Dockerfile: linted by hadolint, and no other way than the one that scripts/chroot has run."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parents[2]
DOCKERFILE = (HERE / "Dockerfile").read_text()


def stages():
    """Each stage's name, base and instructions."""
    found = {}
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            lines = found[name] = [("FROM", base)]
        elif word and not word.startswith("#"):
            lines.append((word, rest.strip()))
    return found


def lineage(name):
    """The instructions of a stage and of those that it is built on, the first first."""
    lines = stages()[name]
    base = lines[0][1]
    return (lineage(base) if base in stages() else []) + lines


def test_hadolint_has_nothing_to_say():
    linted = subprocess.run(
        [Path(sys.executable).parent / "hadolint", "--no-color", HERE / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_the_default_is_for_cpus_and_nobody_is_root():
    assert list(stages())[-1] == "cpu"
    for name in ("cpu", "gpu"):
        users = [rest for word, rest in lineage(name) if word == "USER"]
        assert users == ["10001:10001"]
        words = [word for word, _ in lineage(name)]
        assert {"HEALTHCHECK", "ENTRYPOINT"} <= set(words)
    assert ("ENV", "PIP_EXTRA_INDEX_URL=https://pypi.nvidia.com") in stages()["build-gpu"]


def test_what_is_copied_is_there_and_is_what_the_package_is_made_of():
    copied = [rest.split()[:-1] for word, rest in lineage("build") if word == "COPY"]
    sources = {source for sources in copied for source in sources}
    assert all((HERE / source).exists() for source in sources)
    find = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = {path.parent.name for path in HERE.glob("*/__init__.py")} | set(find["where"]) - {"."}
    assert packages | {"pyproject.toml"} <= sources
    (copied_in_chroot,) = re.findall(r"cp -r (.+) \"\$root/src/\"", (HERE / "scripts/chroot").read_text())
    assert set(copied_in_chroot.split()) == sources - {"scripts/install", "scripts/sbom"}
    left_out = (HERE / ".dockerignore").read_text().split()
    assert not {path.split("/")[0] for path in sources} & set(left_out)


def test_the_chroot_does_what_the_image_does():
    steps = re.findall(
        r"scripts/install ([a-z,]+(?: [a-z,]+)?)", " && ".join(r for w, r in lineage("build") if w == "RUN")
    )
    done = re.findall(r'^    "\$\{enter\[@\]\}" (.+)$', (HERE / "scripts/chroot").read_text(), re.MULTILINE)
    assert steps == done == ["packages", "user", "app neural,redis,sip"]


def test_the_health_check_fails_where_nobody_listens():
    command = json.loads(re.search(r"CMD (\[.*\])", dict(lineage("cpu"))["HEALTHCHECK"]).group(1))
    assert command[0] == "python3"
    asked = subprocess.run(
        [sys.executable, *command[1:]], env={"VOXTRUNK_HTTP_PORT": "9"}, capture_output=True, check=False
    )
    assert asked.returncode == 1
    assert b"refused" in asked.stderr
