# The gateway in a container, by the script that scripts/chroot runs on a bare Debian.
#   docker build -t voxtrunk .                        for CPUs
#   docker build -t voxtrunk:gpu --target gpu .       neural voices by TensorRT or CUDA graphs
#   docker run --network host --read-only --cap-drop ALL --ulimit rtprio=10 --ulimit nofile=65536 voxtrunk
# RTP takes thousands of ports: give it the host's network, or publish a narrow VOXTRUNK_RTP_PORTS.
FROM debian:bookworm-slim AS system
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY scripts/install /src/scripts/install
RUN /src/scripts/install packages && /src/scripts/install user && rm -r /src

FROM system AS source
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY scripts/install scripts/sbom scripts/
COPY client client
COPY codecs codecs
COPY tts_core tts_core
COPY sip_glue sip_glue
COPY gateway gateway
COPY bench bench

FROM source AS build
RUN scripts/install app neural,redis,sip

# tensorrt's library comes from its maker's index; the driver comes from the host (--gpus all)
FROM source AS build-gpu
ENV PIP_EXTRA_INDEX_URL=https://pypi.nvidia.com
RUN scripts/install app gpu,redis,sip

FROM system AS base
ENV PATH=/opt/voxtrunk/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VOXTRUNK_VOICES_FOLDER=/var/lib/voxtrunk/voices
WORKDIR /var/lib/voxtrunk
USER 10001:10001
EXPOSE 8080/tcp 5060/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, ssl, urllib.request as u; e = os.environ.get; u.urlopen('http%s://%s:%s/health/live' % ('s' * bool(e('VOXTRUNK_TLS_CERTIFICATE')), e('VOXTRUNK_HTTP_HOST', '127.0.0.1'), e('VOXTRUNK_HTTP_PORT', '8080')), timeout=2, context=ssl._create_unverified_context())"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["voxtrunk"]
CMD ["serve"]

FROM base AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    VOXTRUNK_NEURAL_RUNTIME=tensorrt
COPY --from=build-gpu /opt/voxtrunk /opt/voxtrunk

FROM base AS cpu
COPY --from=build /opt/voxtrunk /opt/voxtrunk
