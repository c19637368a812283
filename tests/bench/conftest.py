"""The small voice of the core's own tests is what a bench of the core is tried with."""

from tests.tts_core.neural.conftest import small

__all__ = ["small"]
