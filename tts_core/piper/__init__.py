"""Piper's voices (VITS), split at their latent so that they stream. Start at `PiperEngine`; see README.md."""

import os

# before ONNX Runtime's import, see tts_core.neural
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
