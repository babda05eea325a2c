"""Audio of a scene: excitation -> modal resonator -> room -> level."""

from bench.synthetic.audio.renderer import SAMPLE_RATE_HZ, render_audio

__all__ = ["SAMPLE_RATE_HZ", "render_audio"]
