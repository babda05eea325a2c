"""The only place of the suite that touches codecs: reading, sampling and writing media.

    probe(path), sound_seconds(path)     what a file holds, and when its audio ends
    describe_media(path)                 what was chosen in it, and what is unusual
    read_audio(excerpt)                  its sound, exact to the sample, at its native rate
    read_frames(excerpt, fps)            its picture at a rate, exact to the frame
    resample(samples, from, to, method)  sound at another rate, in a named way
    write_audio, write_video, mux_audio  files that are the same bytes every time

Audio and video of a file share the clock of its container (``bench.media.clock``). Files are
untrusted: whatever is wrong with one is a MediaError that names it. Reading never returns less than
was asked for, and nothing is guessed or left out without a remark.
"""

from bench.media.audio import cut_audio, read_audio
from bench.media.frames import Frame, Frames, each_frame, read_frames
from bench.media.length import audio_seconds
from bench.media.probe import AudioStream, MediaInfo, VideoStream, probe
from bench.media.remarks import MediaRemarks, describe_media
from bench.media.resample import reference_waveform, resample
from bench.media.resize import center_crop, resize_frames, resize_short_side, three_crops
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
    "each_frame",
    "mux_audio",
    "probe",
    "read_audio",
    "read_frames",
    "reference_waveform",
    "resample",
    "resize_frames",
    "resize_short_side",
    "audio_seconds",
    "three_crops",
    "write_audio",
    "write_video",
]
