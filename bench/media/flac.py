"""Whether a file is FLAC of one length, by its header: nothing is decoded."""

from __future__ import annotations

from pathlib import Path

from bench.errors import MediaError

#: What FLAC allows.
MOST_CHANNELS, MOST_RATE_HZ = 8, 655_350
#: Bytes of a header without pictures, and those of a frame of a channel that is not compressed.
HEADER_BYTES, SAMPLE_BYTES = 2**20, 4


def require_flac(path: Path, seconds: float, sample_rate_hz: int | None = None) -> None:
    """Refuse a file that is not FLAC of this length, as ``write_audio`` writes it.

    It may come from anybody: no other decoder is chosen by what it holds. ``sample_rate_hz`` is
    None where any is right.

    Raises:
        MediaError: it is no FLAC file, or has another length or rate, or far more bytes.
    """
    import soundfile

    try:
        with path.open("rb") as file:
            # Before it, libsndfile and ffmpeg skip tags that other formats begin with too.
            is_flac = file.read(4) == b"fLaC"
        found = soundfile.info(path) if is_flac else None
    except (OSError, soundfile.SoundFileError) as error:
        raise MediaError(f"it is no FLAC file: {error}") from error
    if found is None or found.format != "FLAC":
        raise MediaError("it is no FLAC file")
    rate, n_channels = found.samplerate, found.channels
    if not (0 < rate <= MOST_RATE_HZ and 0 < n_channels <= MOST_CHANNELS):
        raise MediaError(f"it has {n_channels} channels at {rate} Hz")
    if sample_rate_hz is not None and rate != sample_rate_hz:
        raise MediaError(f"it has {rate} Hz, expected {sample_rate_hz} Hz")
    if found.frames != round(seconds * rate):
        raise MediaError(f"it has {found.frames / rate:.6g} s, expected {seconds:g} s")
    size = path.stat().st_size
    if size > HEADER_BYTES + SAMPLE_BYTES * n_channels * found.frames:
        raise MediaError(f"it has {size:,} bytes, far more than its {seconds:g} s need")
