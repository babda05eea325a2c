"""Read, resample and write media: the only package that touches codecs.

    probe.py       probe, describe_media, read_audio_seconds     tracks of a file, without decoding
    audio.py       read_audio, cut_audio         audio of a window, exact to the sample
    video.py       read_frames, iterate_frames   video at a frame rate, exact to the frame
    resample.py    resample                      audio at another rate, by a named method
    resize.py      resize_short_side, crops      images at another size
    write.py       write_audio, write_video, mux_audio, check_muxing
    flac.py        require_flac                  the header of a sample of somebody else
    aac.py         write_aac                     audio to listen to, in a browser
    container.py   any container opened, the tracks that are read, their frames
    clock.py       time 0 of a file, holes and overlaps

Audio and video of a file share the clock of its container (``bench.media.clock``). Files are
untrusted: every defect of one is a MediaError that names it. Reading never returns less than was
asked for, nothing is guessed, and a file that is written twice has the same bytes.
"""

from bench.media.aac import write_aac
from bench.media.audio import cut_audio, read_audio
from bench.media.flac import require_flac
from bench.media.probe import (
    AudioStream,
    MediaInfo,
    MediaRemarks,
    VideoStream,
    describe_media,
    probe,
    read_audio_seconds,
)
from bench.media.resample import prepare_evaluator_waveform, resample
from bench.media.resize import center_crop, resize_frames, resize_short_side, three_crops
from bench.media.video import Frame, Frames, iterate_frames, read_frames
from bench.media.write import check_muxing, mux_audio, write_audio, write_video

__all__ = [
    "AudioStream",
    "Frame",
    "Frames",
    "MediaInfo",
    "MediaRemarks",
    "VideoStream",
    "center_crop",
    "check_muxing",
    "cut_audio",
    "describe_media",
    "iterate_frames",
    "mux_audio",
    "prepare_evaluator_waveform",
    "probe",
    "read_audio",
    "read_audio_seconds",
    "read_frames",
    "require_flac",
    "resample",
    "resize_frames",
    "resize_short_side",
    "three_crops",
    "write_aac",
    "write_audio",
    "write_video",
]
