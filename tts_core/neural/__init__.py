"""The neural voice: text to 8 kHz speech in exact 10 ms frames. Start at `NeuralEngine`."""

import os

# ONNX Runtime's Linux wheels send telemetry to their maker (seen in 1.31) unless this is set before their import
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
