"""Write audio as AAC in MP4 (``.m4a``): small enough for a page, and every browser plays it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.errors import MediaError
from bench.io import atomic_path
from bench.media.container import to_url
from bench.media.resample import resample
from bench.media.write import add_audio_stream, encode_audio
from bench.types import Audio

#: Several times as fast as ffmpeg's default search, whose gain is small at this many bits.
OPTIONS = {"aac_coder": "fast"}
#: The rate of audio whose own rate AAC does not have.
OTHER_RATE_HZ = 48_000


def write_aac(destination: Path, audio: Audio) -> None:
    """Write ``audio`` of one or two channels to listen to, 192 kbit/s, whole or not at all.

    What is beyond full scale is clipped. Sample 0 is at time 0: an edit list hides the priming of
    the codec.

    Raises:
        MediaError: there are no samples, or the file cannot be written.
    """
    import av

    if not audio.samples.size:
        raise MediaError(f"cannot write {destination}: the audio has no samples")
    samples, rate_hz = audio.samples, audio.sample_rate_hz
    if rate_hz not in (av.Codec("aac", "w").audio_rates or ()):
        resampled = [resample(each, rate_hz, OTHER_RATE_HZ, "soxr_hq") for each in samples]
        samples, rate_hz = np.stack(resampled), OTHER_RATE_HZ
    av.logging.set_level(None)
    with atomic_path(destination) as temporary:
        try:
            with av.open(to_url(temporary), "w", format="mp4") as container:
                stream = add_audio_stream(destination, container, samples, rate_hz)
                stream.codec_context.options = OPTIONS
                for packet in encode_audio(stream, samples.clip(-1, 1)):
                    container.mux(packet)
        except av.error.FFmpegError as error:
            reason = error.strerror or error
            raise MediaError(f"cannot write {destination}: {reason}") from error
