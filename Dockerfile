# The gateway in a container. Runs the same set-up script as scripts/run.
#   docker build -t voxtrunk .
#   docker run --network host voxtrunk serve          (host network: RTP takes thousands of ports)
FROM python:3.11-slim-bookworm

RUN useradd --system --create-home --home-dir /srv/voxtrunk voxtrunk
WORKDIR /srv/voxtrunk
ENV VOXTRUNK_VENV=/srv/voxtrunk/.venv PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

COPY --chown=voxtrunk pyproject.toml README.md LICENSE NOTICE ./
COPY --chown=voxtrunk scripts scripts
COPY --chown=voxtrunk codecs codecs
COPY --chown=voxtrunk tts_core tts_core
COPY --chown=voxtrunk sip_glue sip_glue
COPY --chown=voxtrunk gateway gateway
COPY --chown=voxtrunk bench bench
USER voxtrunk
RUN scripts/setup neural,sip

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD [".venv/bin/python", "-c", "import httpx, sys; sys.exit(not httpx.get('http://127.0.0.1:8080/health/live').is_success)"]
ENTRYPOINT [".venv/bin/voxtrunk"]
CMD ["serve"]
