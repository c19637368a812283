"""Readers at a real kernel, and the command as it is typed."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from gateway.doctor import reading
from gateway.settings import Settings


@pytest.fixture
def busy():
    """A port that is taken, by UDP and by TCP, where nobody answers."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        yield port


def test_ports_that_are_taken_and_addresses_that_are_not_ours(busy):
    settings = Settings(
        http_port=busy, sip_listen=(f"127.0.0.1:{busy}",), rtp_addresses=("127.0.0.1", "203.0.113.9")
    )
    ports = reading._ports(settings)
    assert ports.sip == {f"127.0.0.1 port {busy}": "Address already in use"}
    assert ports.http == "Address already in use"
    assert not ports.http_is_ours
    assert list(ports.addresses) == ["203.0.113.9"]
    assert ports.ephemeral[0] < ports.ephemeral[1]


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 200 OK\r\n\r\n[]"],
    ids=["ssh", "cut-short", "another"],
)
def test_what_listens_there_and_is_no_gateway_is_not_taken_for_one(said):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as line:
                line.recv(4096)
                line.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        assert not reading._answers("http", "127.0.0.1", server.getsockname()[1])
        thread.join()


def test_a_redis_that_is_not_there_is_a_problem_and_no_crash(busy):
    assert "refused" in reading._redis(f"redis://127.0.0.1:{busy}").problem
    assert reading._redis("nonsense://").problem


def test_a_keys_file_is_read_with_its_faults(tmp_path):
    file = tmp_path / "keys.toml"
    settings = Settings(api_keys_file=file)
    assert "cannot be read" in reading._keys(settings).problem
    file.write_text("[[keys")
    assert "not TOML" in reading._keys(settings).problem
    file.write_text('[[keys]]\nname = "a"\nkey = "0123456789"\n')
    file.chmod(0o644)
    assert (reading._keys(settings).count, reading._keys(settings).readable_by_all) == (1, True)
    file.chmod(0o600)
    assert not reading._keys(settings).readable_by_all


def test_a_certificate_without_its_key_is_told(tmp_path):
    file = tmp_path / "cert.pem"
    file.write_text("no certificate")
    assert reading._tls(Settings()) is None
    assert reading._tls(Settings(tls_certificate=file, tls_key=file))
    assert "No such file" in reading._tls(Settings(tls_certificate=tmp_path / "gone", tls_key=file))


def test_a_key_under_a_password_is_told_and_nobody_is_asked_for_it(tmp_path):
    """OpenSSL asks on the terminal, or where there is none on standard input, and waits."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "1",
         "-subj", "/CN=a.example", "-passout", "pass:secret", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    ask = "from gateway.doctor import reading; print(reading._tls(reading.Settings()))"
    named = {"VOXTRUNK_TLS_CERTIFICATE": str(certificate), "VOXTRUNK_TLS_KEY": str(key)}
    with subprocess.Popen(
        [sys.executable, "-c", ask], env=os.environ | named, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as asking:  # fmt: skip
        try:
            asking.wait(20)
        finally:
            asking.kill()
        assert str(key) in asking.stdout.read()


def test_what_settings_name_and_is_not_there(tmp_path):
    assert reading._files(Settings()) == {}
    file = tmp_path / "file"
    file.write_text("[")
    wrong = Settings(prompts_folder=tmp_path / "gone", lexicons_folder=file, providers_file=file)
    told = reading._files(wrong)
    assert told["prompts_folder"].endswith("is not there")
    assert told["lexicons_folder"].endswith("is no folder")
    assert str(file) in told["providers_file"]
    assert reading._files(Settings(prompts_folder=tmp_path, speakers_folder=tmp_path)) == {}
    assert reading._voice(Settings(default_voice="espeak:en-us")) is None
    assert "nope" in reading._voice(Settings(default_voice="nope"))
    assert str(file) in reading._voice(Settings(providers_file=file))


def test_a_setting_that_is_misspelt_is_found_and_what_others_put_there_is_not():
    right = dict.fromkeys(
        ("VOXTRUNK_RTP_PORTS", "VOXTRUNK_CONFIG", "VOXTRUNK_VENV", "VOXTRUNK_KEY", "PATH"), ""
    )
    kubernetes = dict.fromkeys(("VOXTRUNK_PORT", "VOXTRUNK_SERVICE_HOST", "VOXTRUNK_PORT_8080_TCP"), "")
    wrong = {"VOXTRUNK_RTP_PORT": "1-2", "VOXTRUNK_HTPP_HOST": "x"}
    assert reading._misspelt(right | kubernetes | wrong) == {
        "VOXTRUNK_RTP_PORT": "VOXTRUNK_RTP_PORTS",
        "VOXTRUNK_HTPP_HOST": "VOXTRUNK_HTTP_HOST",
    }


def test_a_trial_is_made_by_a_child():
    before = os.sched_getscheduler(0)
    settings = Settings(media_realtime=10)
    kernel = reading._kernel(settings)
    assert os.sched_getscheduler(0) == before
    assert kernel.memory_available > 1 << 20
    assert reading._refused(lambda: os.sched_setaffinity(0, {4095})) == os.strerror(22)


def test_the_command_on_a_machine_with_too_few_descriptors():
    doctor = f"ulimit -n 300; exec {sys.executable} -m gateway.cli doctor --json"
    done = subprocess.run(
        ["bash", "-c", doctor],
        env=os.environ | {"VOXTRUNK_HTTP_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert not told["fit"]
    wrong = {each["name"]: each for each in told["findings"] if each["verdict"] == "change"}
    assert "LimitNOFILE" in wrong["descriptors"]["change"]
