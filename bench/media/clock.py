"""One clock per file: the container's time stamps position both audio and video.

Time 0 is the earliest start that the headers state for the chosen audio and video tracks, as
``ffmpeg -i`` has it; for a file with a single track it is its first decoded frame. Samples that an
encoder prepends (priming: 1,024 or more samples of AAC, 1,105 of LAME's MP3) and frames that an
edit list hides are skipped by ffmpeg and occupy no time here.

A frame of audio follows the one before it unless its time stamp is more than ``MAX_DRIFT_S`` from
the samples counted so far. The threshold is a compromise between two errors:

- Time stamps are approximate: Matroska rounds them to 1 ms, and real captures have stamps that jump
  ahead by up to one AAC frame (21 ms) and come back. Following them would tear audio apart.
- Onsets count as equal within 0.1 s, so an error of more than half of that must not remain.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import MediaError
from bench.media.container import MAX_SECONDS, list_audio_tracks, list_video_tracks

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: How far audio may be from its time stamps before silence is inserted or an overlap is cut.
MAX_DRIFT_S = 0.05
#: A longer pause between two frames is a damaged time stamp; filling it would invent a minute.
MAX_PAUSE_S = 60
#: Containers whose headers state the length of a stream; in others ffmpeg guesses it from the bit
#: rate, which may be off by seconds.
STATES_LENGTH = ("mov", "wav", "flac")
#: How much shorter than its header states a stream may be before the file counts as cut off.
#: Headers may count the last codec frame in full; an interrupted download is missing far more.
TRUNCATION_S = 0.25


def read_start_s(stream: AudioStream | VideoStream) -> Fraction | None:
    """Return when the header states that ``stream`` starts, in the container's time, or None."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base


def find_origin_s(container: InputContainer) -> Fraction | None:
    """Return the container's time that counts as 0.

    None where the first decoded frame decides: in a file with a single track, or without a stated
    start. The start in the header is not used there, since demuxers disagree whether it includes
    the priming.
    """
    chosen: list[AudioStream | VideoStream] = [
        *list_audio_tracks(container)[:1],
        *list_video_tracks(container)[:1],
    ]
    starts = [read_start_s(stream) for stream in chosen]
    known = [start for start in starts if start is not None]
    return min(known) if len(chosen) > 1 and known else None


def find_header_origin_s(container: InputContainer, stream: AudioStream | VideoStream) -> Fraction:
    """Return the container's time that counts as 0 from headers alone, 0 if they state nothing.

    ``stream`` is the chosen one; its own start decides where ``find_origin_s`` needs a frame.
    """
    origin = find_origin_s(container)
    return (read_start_s(stream) or Fraction(0)) if origin is None else origin


def read_end_s(container: InputContainer, stream: AudioStream | VideoStream) -> float | None:
    """Return when ``stream`` ends on the clock if its header states it; guesses do not count."""
    if not container.format.name.startswith(STATES_LENGTH) or not stream.duration:
        return None
    late_s = (read_start_s(stream) or Fraction(0)) - find_header_origin_s(container, stream)
    return float(late_s + stream.duration * (stream.time_base or 0)) or None


def check_complete(
    container: InputContainer, stream: AudioStream | VideoStream, end_s: float, path: Path
) -> None:
    """Raise MediaError if a stream that was read to its end, ``end_s``, misses part of its length.

    Its header states the length. An interrupted download decodes up to the cut without an error.
    """
    stated_s = read_end_s(container, stream)
    if stated_s is not None and stated_s - end_s > TRUNCATION_S:
        raise MediaError(
            f"cannot read {path}: its {stream.type} is cut off after {end_s:.1f} s, "
            f"its header says {stated_s:.1f} s"
        )


def make_no_samples_error(path: Path) -> MediaError:
    """Return the error for a file whose audio track decodes to nothing."""
    return MediaError(f"cannot read the audio of {path}: it has no samples")


class Timeline:
    """Counts the samples of decoded audio and compares the count with the time stamps.

    ``sample_rate_hz`` is that of the first frame. ``n_repaired`` counts the samples of silence
    inserted into holes and those cut out of overlaps, not the silence before the first frame.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, path: Path) -> None:
        self._origin_s = find_origin_s(container)
        self._first_s = read_start_s(stream)
        self._path = path
        self._last_s: float | None = None
        self._n_counted = 0
        self.sample_rate_hz = 0
        self.n_repaired = 0

    @property
    def end_s(self) -> float:
        """When the last frame ends, in seconds."""
        return self._n_counted / self.sample_rate_hz

    def advance(self, frame: AudioFrame) -> tuple[int, int]:
        """Return how many samples of silence precede ``frame`` and how many of its first to cut.

        Raises MediaError where time stamps go back, or leap by more than a minute.
        """
        is_first = not self.sample_rate_hz
        self.sample_rate_hz = self.sample_rate_hz or frame.sample_rate
        n_silent, n_overlap = self._measure_gap(frame, is_first=is_first)
        n_overlap = min(n_overlap, frame.samples)
        self._n_counted += n_silent + frame.samples - n_overlap
        self.n_repaired += 0 if is_first else n_silent + n_overlap
        return n_silent, n_overlap

    def _measure_gap(self, frame: AudioFrame, *, is_first: bool) -> tuple[int, int]:
        time_s = frame.time
        if time_s is None and is_first and self._first_s is not None:
            # A decoder that drops priming also drops its time stamp; the header still has it.
            time_s = float(self._first_s)
        if time_s is None:
            return 0, 0
        counted_s = self._n_counted / self.sample_rate_hz
        if self._origin_s is None:
            self._origin_s = Fraction(time_s) - Fraction(counted_s)
        leap_s = time_s - float(self._origin_s) - counted_s
        last_s, self._last_s = self._last_s, time_s
        # Drift is tolerated between frames only: a late start is exact, since the header states it.
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
