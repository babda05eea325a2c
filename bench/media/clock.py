"""One clock per file: audio and video are placed by the container's time stamps.

Time 0 is the earliest start that the headers state for the chosen audio and video tracks, as
``ffmpeg -i`` has it; of a file with a single track, its first decoded frame. Whatever a codec or an
edit list hides (priming) is skipped and has no time.

A frame of audio follows the one before it unless its time stamp is more than ``MAX_DRIFT_S``
from the samples counted so far. The threshold stands between two things: time stamps that are only
approximate (1 ms in Matroska; up to one AAC frame of 21 ms in real captures, whose stamps jump
ahead and come back) must not tear audio apart, and an error above half of the 0.1 s within which
onsets count as equal must not stay.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import MediaError
from bench.media.container import MAX_SECONDS
from bench.media.tracks import audio_tracks, video_tracks

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: How far audio may be from its time stamps before silence is put in, or an overlap cut out.
MAX_DRIFT_S = 0.05
#: A longer pause between two frames is a damaged time stamp, and would be filled.
MAX_PAUSE_S = 60
#: Containers whose headers state the length of a stream; of others ffmpeg has to guess it.
STATES_LENGTH = ("mov", "wav", "flac")
#: How much less than its header says a stream may hold before its file counts as cut off.
TRUNCATION_S = 0.25


def stated_start_s(stream: AudioStream | VideoStream) -> Fraction | None:
    """When the header says that ``stream`` starts, in the container's time, or None."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base


def origin_s(container: InputContainer) -> Fraction | None:
    """The container's time that counts as 0; None where a single track's first frame decides."""
    chosen: list[AudioStream | VideoStream] = [
        *audio_tracks(container)[:1],
        *video_tracks(container)[:1],
    ]
    starts = [stated_start_s(stream) for stream in chosen]
    known = [start for start in starts if start is not None]
    return min(known) if len(chosen) > 1 and known else None


def stated_origin_s(container: InputContainer, stream: AudioStream | VideoStream) -> Fraction:
    """The same by headers alone, for the chosen ``stream``; 0 where they state nothing."""
    origin = origin_s(container)
    return (stated_start_s(stream) or Fraction(0)) if origin is None else origin


def stated_end_s(container: InputContainer, stream: AudioStream | VideoStream) -> float | None:
    """When ``stream`` ends on the clock, if its header states it; ffmpeg's guesses do not count."""
    if not container.format.name.startswith(STATES_LENGTH) or not stream.duration:
        return None
    late_s = (stated_start_s(stream) or Fraction(0)) - stated_origin_s(container, stream)
    return float(late_s + stream.duration * (stream.time_base or 0)) or None


def check_complete(
    container: InputContainer, stream: AudioStream | VideoStream, end_s: float, path: Path
) -> None:
    """Refuse a stream that was read to its end, ``end_s``, much before its header says it ends."""
    stated_s = stated_end_s(container, stream)
    if stated_s is not None and stated_s - end_s > TRUNCATION_S:
        raise MediaError(
            f"cannot read {path}: its {stream.type} is cut off after {end_s:.1f} s, "
            f"its header says {stated_s:.1f} s"
        )


def no_samples(path: Path) -> MediaError:
    """The refusal of a file whose audio track decodes to nothing."""
    return MediaError(f"cannot read the audio of {path}: it has no samples")


class Timeline:
    """Where decoded audio belongs: counts samples, and compares them with the time stamps.

    ``sample_rate_hz`` is that of the first frame. ``n_repaired`` counts the samples of silence that
    stand for holes, and those cut out of overlaps; silence before the first frame does not count.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, path: Path) -> None:
        self._origin_s = origin_s(container)
        self._first_s = stated_start_s(stream)
        self._path = path
        self._last_s: float | None = None
        self._n_placed = 0
        self.sample_rate_hz = 0
        self.n_repaired = 0

    @property
    def end_s(self) -> float:
        """When the last frame ends."""
        return self._n_placed / self.sample_rate_hz

    def place(self, frame: AudioFrame) -> tuple[int, int]:
        """How many samples of silence come before ``frame``, and how many of its first go.

        Raises MediaError where time stamps go back, or leap by more than a minute.
        """
        is_first = not self.sample_rate_hz
        self.sample_rate_hz = self.sample_rate_hz or frame.sample_rate
        n_silent, n_overlap = self._leap(frame, is_first=is_first)
        n_overlap = min(n_overlap, frame.samples)
        self._n_placed += n_silent + frame.samples - n_overlap
        self.n_repaired += 0 if is_first else n_silent + n_overlap
        return n_silent, n_overlap

    def _leap(self, frame: AudioFrame, *, is_first: bool) -> tuple[int, int]:
        time_s = frame.time
        if time_s is None and is_first and self._first_s is not None:
            time_s = float(self._first_s)  # a decoder loses the stamp with what it skips
        if time_s is None:
            return 0, 0
        counted_s = self._n_placed / self.sample_rate_hz
        if self._origin_s is None:
            self._origin_s = Fraction(time_s) - Fraction(counted_s)
        leap_s = time_s - float(self._origin_s) - counted_s
        last_s, self._last_s = self._last_s, time_s
        # A late start is no matter of rounding, and has its exact length.
        if -MAX_DRIFT_S <= leap_s <= (0 if is_first else MAX_DRIFT_S):
            return 0, 0
        longest_s = MAX_SECONDS if is_first else MAX_PAUSE_S
        if leap_s > longest_s or (last_s is not None and time_s < last_s):
            raise MediaError(
                f"cannot read the audio of {self._path}: its time stamps leap by {leap_s:+.3f} s "
                f"after {counted_s:.3f} s; cut the file there, or write it anew with ffmpeg"
            )
        n_samples = round(leap_s * self.sample_rate_hz)
        return max(n_samples, 0), max(-n_samples, 0)
