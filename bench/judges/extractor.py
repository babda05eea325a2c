"""What an extractor is, and what it is given to hear and to see.

An extractor turns a sound, a picture, or both into named arrays, the *features* that metrics read.
``open`` does the costly part once per worker. The version is part of every cache key: it changes
with the code's preprocessing, with the profile, and with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy.typing as npt

from bench.types import Audio, Excerpt, Waveform

Features = Mapping[str, npt.NDArray[Any]]

#: A file may end this much before its window (codecs round to frames); the rest is silence.
MAX_SHORTFALL_S = 0.1


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One sound, its window, and the picture it belongs to, decoded when first asked for.

    The signal extractors hear the window. The published evaluator's networks hear the whole file
    before they cut it (its mean is removed, its end resampled), so ``file()`` is there as well; for
    a window that starts later, the window is the file, as if it had been cut out beforehand.
    ``picture_features`` are those of the picture that were extracted before.
    """

    sound: Excerpt | None
    picture: Excerpt | None = None
    picture_features: Mapping[str, Features] = field(default_factory=dict)
    _decoded: dict[str, Any] = field(default_factory=dict)

    def window(self) -> Audio:
        """The sound of the window, exactly as long as it."""
        audio: Audio = self._once("window", self._read_window)
        return audio

    def file(self) -> Audio:
        """The sound of the whole file, or the window where that starts later."""
        audio: Audio = self._once("file", self._read_file)
        return audio

    def signal(self, sample_rate_hz: int) -> Waveform:
        """Mono mean of the window at this rate, resampled by soxr: what signal extractors hear."""
        name = f"signal {sample_rate_hz}"
        waveform: Waveform = self._once(name, lambda: self._resampled(sample_rate_hz))
        return waveform

    def _read_window(self) -> Audio:
        from bench.media import read_audio

        return read_audio(self._heard(), shortfall_s=MAX_SHORTFALL_S)

    def _read_file(self) -> Audio:
        from bench.media import read_audio

        heard = self._heard()
        return self.window() if heard.start_s > 0 else read_audio(Excerpt(heard.path))

    def _resampled(self, sample_rate_hz: int) -> Waveform:
        from bench.media import resample

        audio = self.window()
        return resample(audio.mono(), audio.sample_rate_hz, sample_rate_hz, method="soxr_hq")

    def _heard(self) -> Excerpt:
        if self.sound is None:
            raise ValueError("this stimulus has no sound")
        return self.sound

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._decoded:
            self._decoded[name] = make()
        return self._decoded[name]


Extract = Callable[[Stimulus], Features]


@dataclass(frozen=True)
class Extractor:
    """One row of a judge.

    ``senses``: the sound, the picture, or both (which is given the features of the picture named in
    ``after``). ``weights`` names the checkpoint it needs, empty for none.
    """

    name: str
    version: str
    open: Callable[[], Extract]
    senses: Literal["sound", "picture", "both"] = "sound"
    after: tuple[str, ...] = ()
    weights: str = ""
