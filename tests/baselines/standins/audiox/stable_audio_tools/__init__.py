"""The package of AudioX."""

from __future__ import annotations


class Model:
    """Its model."""

    def to(self, device: str) -> Model:
        """Return it."""
        return self


def get_pretrained_model(name: str) -> tuple[Model, dict]:
    """Return the model of the hub, and its configuration."""
    assert name == "HKUSTAudio/AudioX"
    return Model(), {"sample_rate": 44_100, "sample_size": 441_000, "video_fps": 5}
