"""What is in deploy/ is taken by the tools that it is for, and names only settings that there are."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gateway.settings import Settings

HERE = Path(__file__).parents[2]
DEPLOY = HERE / "deploy"
CHART = DEPLOY / "helm/voxtrunk"
KEYS = {"keys": {"toml": '[[keys]]\nname = "a"\nkey = "b"\n'}}
KUBERNETES = "1.34"
OTHERS = {"VOXTRUNK_CONFIG"}
"""Environment variables that are no settings: where the settings' file is."""


def ran(*command, **environment):
    done = subprocess.run(
        command, cwd=HERE, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def helm(asked, values):
    """What Helm says of the chart: ``told``, or ``refused`` with the reason. See helm.py."""
    question = json.dumps({"asked": asked, "folder": str(CHART), "values": values})
    command = (sys.executable, str(Path(__file__).with_name("helm.py")))
    done = subprocess.run(command, input=question, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rendered(**values):
    """Every object of the chart with these values, valid by Kubernetes' own schemas, by kind and name."""
    objects = {}
    for text in helm("render", KEYS | values)["told"].values():
        for each in filter(None, yaml.safe_load_all(text)):
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
            objects[each["kind"], each["metadata"]["name"]] = each
    return objects


def pod(objects):
    return objects["StatefulSet", "r-voxtrunk"]["spec"]["template"]["spec"]


def environment(objects):
    return {each["name"]: each.get("value") for each in pod(objects)["containers"][0]["env"]}


def test_every_setting_that_is_named_is_one():
    known = {f"VOXTRUNK_{name.upper()}" for name in Settings.model_fields} | OTHERS
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "charts" not in path.parts]
    named = {
        (name, path.name)
        for path in [*files, HERE / "Dockerfile"]
        for name in re.findall(r"VOXTRUNK_[A-Z0-9_]*[A-Z0-9]\b", path.read_text())
    }
    assert len(named) > 20
    assert [each for each in named if each[0] not in known] == []


def test_helm_lints_the_chart():
    report = helm("lint", KEYS)["told"]
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] > 1] == []


def test_a_pod_has_its_nodes_network_one_a_node():
    objects = rendered(sip={"enabled": True}, settings={"max_calls": 2000})
    spec = pod(objects)
    assert spec["hostNetwork"]
    assert "podAntiAffinity" in spec["affinity"]
    told = environment(objects)
    assert told["VOXTRUNK_RTP_PORTS"] == "20000-29999"
    assert told["VOXTRUNK_SIP_LISTEN"] == "$(POD_IP):5060"
    assert told["VOXTRUNK_MAX_CALLS"] == "2000"
    assert set(objects) == {
        ("StatefulSet", "r-voxtrunk"), ("Service", "r-voxtrunk"), ("PodDisruptionBudget", "r-voxtrunk"),
        ("NetworkPolicy", "r-voxtrunk"), ("Secret", "r-voxtrunk-keys"),
    }  # fmt: skip


def test_settings_are_told_as_the_gateway_reads_them():
    """Helm's numbers are floating: 536870912 as it stands would be told as 5.36870912e+08."""
    given = {
        "cache_octets": 536870912, "level_dbm0": -19.5, "log_json": False, "default_voice": "espeak:en-us",
        "cors_origins": ["https://a.example", "https://b.example"], "warm_voices": "",
        "voice_aliases": {"a": "b"},
    }  # fmt: skip
    told = environment(rendered(settings=given))
    read = Settings(**{name: told[f"VOXTRUNK_{name.upper()}"] for name in given})
    assert read.cors_origins == tuple(given.pop("cors_origins"))
    assert read.warm_voices == ()
    del given["warm_voices"]
    assert {name: getattr(read, name) for name in given} == given


def test_calls_are_given_the_time_that_draining_takes():
    spec = pod(rendered(drain={"endpointsSeconds": 7, "callSeconds": 300}))
    stop = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert stop == ["sleep", "7"]
    assert spec["terminationGracePeriodSeconds"] > 307


def test_no_pod_is_root_or_writes_or_meets_a_cpu_quota():
    spec = pod(rendered())
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "cpu" not in container["resources"]["limits"]


def test_node_ports_are_what_the_pods_own_shell_reckons():
    objects = rendered(rtp={"mode": "node"}, replicas=3)
    script = pod(objects)["containers"][0]["args"][0].replace(
        "exec voxtrunk serve", "echo $VOXTRUNK_RTP_PORTS"
    )
    for number in range(3):
        said = ran("/bin/sh", "-c", script, POD=f"r-voxtrunk-{number}").strip()
        service = objects["Service", f"r-voxtrunk-rtp-{number}"]["spec"]
        assert service["selector"] == {"statefulset.kubernetes.io/pod-name": f"r-voxtrunk-{number}"}
        ports = [port["nodePort"] for port in service["ports"]]
        assert said == f"{ports[0]}-{ports[-1]}"
        assert ports == [port["port"] for port in service["ports"]] == list(range(ports[0], ports[-1] + 1))
        assert Settings(rtp_ports=said).rtp_ports == (ports[0], ports[-1])
    opened = objects["NetworkPolicy", "r-voxtrunk"]["spec"]["ingress"][1]["ports"][0]
    assert (opened["port"], opened["endPort"]) == (30100, 30195)


def test_it_scales_by_headroom_on_nodes_with_a_gpu():
    objects = rendered(
        autoscaling={"enabled": True, "max": 5}, gpu={"enabled": True}, redis={"url": "redis://r"}
    )
    scaler = objects["HorizontalPodAutoscaler", "r-voxtrunk"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "r-voxtrunk"
    assert "replicas" not in objects["StatefulSet", "r-voxtrunk"]["spec"]
    spec = pod(objects)
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert spec["containers"][0]["image"] == "voxtrunk:gpu"
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert ("Secret", "r-voxtrunk-redis") in objects
    rules = yaml.safe_load((DEPLOY / "helm/prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert [rule["name"]["as"] for rule in rules] == [scaler["metrics"][0]["pods"]["metric"]["name"]]


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="Debian's prometheus is not installed (scripts/test)"
)
def test_the_autoscalers_query_is_promql(tmp_path):
    (rule,) = yaml.safe_load((DEPLOY / "helm/prometheus-adapter.yaml").read_text())["rules"]["custom"]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="n"')
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": [{"record": "x", "expr": query}]}]}))
    assert "SUCCESS: 1 rules found" in ran("promtool", "check", "rules", str(file))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"keys": {"toml": ""}}, "keys"),
        ({"rtp": {"mode": "mesh"}}, "mode"),
        ({"rtp": {"mode": "node", "node": {"first": 32700, "portsPerPod": 64}}}, "beyond port 32767"),
        ({"rtp": {"allow": ["10.0.0.1"]}}, "allow"),
        ({"settings": {"VOXTRUNK_X": 1}}, "VOXTRUNK_X"),
    ],
)
def test_values_that_cannot_be_are_refused(values, why):
    assert re.search(why, helm("render", KEYS | values)["refused"])


@pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose is not installed (scripts/test)"
)
def test_compose_takes_its_files():
    told = yaml.safe_load(ran("docker-compose", "-f", "deploy/compose.yaml", "--profile", "sip", "config"))
    assert set(told["services"]) == {"gateway", "redis", "prometheus", "grafana", "kamailio"}
    for service in told["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        for volume in service.get("volumes", ()):
            source = volume if isinstance(volume, str) else volume["source"]
            assert not source.startswith("/") or Path(source.split(":")[0]).exists()
    grace = told["services"]["gateway"]["stop_grace_period"]
    assert grace in ("75s", "1m15s")
    over = ran("docker-compose", "-f", "deploy/compose.yaml", "-f", "deploy/compose.gpu.yaml", "config")
    assert yaml.safe_load(over)["services"]["gateway"]["build"]["target"] == "gpu"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed (scripts/test)")
def test_systemd_takes_the_unit_and_finds_it_shut(tmp_path):
    unit = tmp_path / "voxtrunk.service"
    text = (DEPLOY / "systemd/voxtrunk.service").read_text()
    unit.write_text(text.replace("/opt/voxtrunk/bin/voxtrunk", "/bin/true"))
    drop = tmp_path / "voxtrunk.service.d"
    drop.mkdir()
    shutil.copy(DEPLOY / "systemd/cpus.conf", drop)
    assert ran("systemd-analyze", "verify", str(unit)) == ""
    judged = ran("systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit))
    assert "Overall exposure level" in judged
    stop = int(re.search(r"TimeoutStopSec=(\d+)", text).group(1))
    assert stop > int(re.search(r"VOXTRUNK_DRAIN_SECONDS=(\d+)", text).group(1))


def test_the_kernel_knows_what_sysctl_is_told():
    for line in (DEPLOY / "systemd/90-voxtrunk.conf").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(" = ")
            assert Path("/proc/sys", name.replace(".", "/")).exists(), name
            assert value
