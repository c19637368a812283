"""Keys and rates at the gRPC door: those of HTTP."""

import subprocess

import grpc
import pytest

from gateway.rpc import speech_pb2 as pb
from gateway.rpc.server import speaking
from gateway.rpc.speech_pb2_grpc import SpeechStub


async def ask(port, **metadata):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        return await SpeechStub(channel).ListVoices(pb.ListVoicesRequest(), metadata=pairs, timeout=5)


async def test_a_key_is_needed_where_there_are_keys_and_counts(in_process):
    async with (
        in_process(api_keys="one,two", key_requests=2, key_seconds=60) as api,
        speaking(api.app, "127.0.0.1", 0) as port,
    ):
        for metadata in (
            {},
            {"x_api_key": "three"},
            {"authorization": "Basic one"},
            {"authorization": "Bearer"},
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(port, **metadata)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert len((await ask(port, x_api_key="one")).voices) == 2
        assert (await api.http.get("/v1/voices", headers={"X-API-Key": "one"})).status_code == 200
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(port, authorization="bearer one")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailing = dict(refused.value.trailing_metadata())
        assert trailing["voxtrunk-code"] == "too_many_requests"
        assert int(trailing["retry-after"]) > 0
        assert (await ask(port, x_api_key="two")).default_voice == "espeak:en-us"


async def test_a_port_that_is_taken_is_said(in_process):
    async with in_process() as api, speaking(api.app, "127.0.0.1", 0) as port:
        assert (await ask(port)).voices
        with pytest.raises(OSError, match=f"port {port}"):
            async with speaking(api.app, "127.0.0.1", port):
                pass


def certificate(folder, name):
    """Writes a new certificate of ``name`` with its key; returns the certificate."""
    pair = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-out", pair[0], "-keyout", pair[1]],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return pair[0].read_bytes()


async def test_it_speaks_tls_by_a_certificate_that_may_be_renewed(in_process, tmp_path):
    async def voices(port, name, root):
        credentials = grpc.ssl_channel_credentials(root)
        options = [("grpc.ssl_target_name_override", name)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            return await SpeechStub(channel).ListVoices(pb.ListVoicesRequest(), timeout=5)

    first = certificate(tmp_path, "first.test")
    tls = tmp_path / "certificate.pem", tmp_path / "key.pem"
    async with in_process() as api, speaking(api.app, "127.0.0.1", 0, tls) as port:
        assert (await voices(port, "first.test", first)).voices
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(port)
        second = certificate(tmp_path, "second.test")
        assert (await voices(port, "second.test", second)).voices
        (tmp_path / "key.pem").unlink()
        assert (await voices(port, "second.test", second)).voices


async def test_a_key_may_do_by_grpc_what_it_may_by_http(in_process, tmp_path):
    file = tmp_path / "keys.toml"
    file.write_text('[[keys]]\nname = "eye"\nkey = "sees"\nscopes = ["read"]\n')
    async with in_process(api_keys_file=file) as api, speaking(api.app, "127.0.0.1", 0) as port:
        assert (await ask(port, x_api_key="sees")).voices
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await SpeechStub(channel).Synthesize(
                    pb.SynthesizeRequest(text="x"), metadata=(("x-api-key", "sees"),), timeout=5
                )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "scope speak" in refused.value.details()
