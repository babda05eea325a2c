"""Synchformer: by how much audio is ahead of video or behind it.

    segments     pieces of 0.64 s, one every 0.32 s: 24 of them in 8 s
    spectrogram  a waveform to one normalised log-mel image per segment
    audio        images to 6 tokens per segment
    video        frames to 8 tokens per segment
    offset       tokens of 14 segments of both to the logits of 21 offsets
    network      both encoders and the comparison, the checkpoint, and the functions to call

``synchformer_state_dict.pth`` (model 24-01-04T16-39-21, trained on AudioSet) as the evaluator
hkchengrex/av-benchmark uses it: full files at 16 kHz, frames resized to 224 at the short side.
Generative models condition on the video tokens, so the video encoder also loads on its own.

Source: Iashin et al., "Synchformer: Efficient Synchronization from Sparse Cues", ICASSP 2024.
"""

from bench.backbones.synchformer.network import (
    NAME,
    PREPROCESSING,
    Synchformer,
    audio_tokens,
    load_synchformer,
    load_video_encoder,
    offset_logits,
    video_features,
)
from bench.backbones.synchformer.segments import FRAMES_PER_S, SAMPLE_RATE_HZ, SIDE_PIXELS
from bench.backbones.synchformer.spectrogram import front_end
from bench.backbones.synchformer.video import VideoEncoder, video_front_end

__all__ = [
    "FRAMES_PER_S",
    "NAME",
    "PREPROCESSING",
    "SAMPLE_RATE_HZ",
    "SIDE_PIXELS",
    "Synchformer",
    "VideoEncoder",
    "audio_tokens",
    "front_end",
    "load_synchformer",
    "load_video_encoder",
    "offset_logits",
    "video_features",
    "video_front_end",
]
