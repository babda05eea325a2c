"""ImageBind's front ends: media in memory to the tensors of its two trunks.

Audio, at 16 kHz: three clips of two seconds, equally spaced from the first sample to the last, each
as a normalised log-mel image ``[128, 204]``. There are two ways to cut them. ``front_end`` is the
repaired one (profile ``strict``); ``reference_clips`` does what hkchengrex/av-benchmark does to a
file, side effects included (profile ``av-benchmark``). Both expect audio resampled by
``sinc_hann``.

Video: four frames in eight seconds, three square crops of each, consecutive frames in pairs:
``video_clips(three_crops(read_frames(excerpt, FPS, short_side=SIDE).pixels, SIDE))``.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional

from bench.dsp.fbank import fbank
from bench.dsp.mel import check_waveforms
from bench.errors import MediaError
from bench.types import Pixels

SAMPLE_RATE_HZ = 16_000
N_CLIPS = 3
CLIP_S = 2
#: Clip i starts at i (T - 2) / gaps: at 0, 3 and 6 of 8 s with the pytorchvideo that the reference
#: pins, at 0, 2 and 4 s with the release 0.1.5, which divides by the number of clips.
PINNED_GAPS, RELEASE_GAPS = N_CLIPS - 1, N_CLIPS
N_MELS = 128
N_FRAMES = 204
#: Mean and twice the standard deviation of the log-mels that the network was trained on.
MEL_MEAN, MEL_SCALE = -4.268, 9.138

FPS = 0.5
SIDE = 224
#: Mean and standard deviation of red, green and blue, as in CLIP.
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_SCALE = (0.26862954, 0.26130258, 0.27577711)


def front_end(waveforms: Tensor, seconds: float = 8.0, gaps: int = PINNED_GAPS) -> Tensor:
    """Log-mel images ``[B, 3, 128, 204]`` of mono ``waveforms [B, T]`` at 16 kHz, in [-1, 1].

    Profile ``strict``: exactly the first ``seconds`` are used, and each clip loses its own mean.
    ``gaps`` is that of ``clip_spans``.

    Raises:
        MediaError: the waveforms are shorter than ``seconds``.
        ValueError: they are not float32 ``[B, T]``.
    """
    n_samples = round(seconds * SAMPLE_RATE_HZ)
    check_waveforms(waveforms, "ImageBind", SAMPLE_RATE_HZ, shortest=n_samples)
    clips = torch.stack([waveforms[:, span] for span in clip_spans(n_samples, gaps)], dim=1)
    return _mel_images(clips - clips.mean(dim=-1, keepdim=True))


def reference_clips(samples: Tensor, gaps: int = PINNED_GAPS) -> Tensor:
    """Log-mel images ``[3, 128, 204]`` of a full file, ``samples [C, T]`` at 16 kHz.

    Profile ``av-benchmark``, with its three surprises. The clips are spread over the full file,
    not over eight seconds. The mean over all channels of a clip is subtracted from the file itself:
    where clips overlap (below six seconds), the next one starts from the changed samples. And only
    the first channel is used. ``gaps`` is that of ``clip_spans``.

    Raises:
        MediaError: the file is shorter than one frame of 25 ms.
        ValueError: the samples are not float32 ``[C, T]``.
    """
    check_waveforms(samples, "ImageBind", SAMPLE_RATE_HZ)
    file = samples.clone()  # the side effect stays in here
    clips = []
    for span in clip_spans(file.shape[1], gaps):
        file[:, span] -= file[:, span].mean()
        clips.append(file[0, span].clone())
    return _mel_images(torch.stack(clips))


def clip_spans(n_samples: int, gaps: int = PINNED_GAPS) -> list[slice]:
    """Spans of the three clips in ``n_samples`` at 16 kHz; below two seconds each has all samples.

    Clip i starts at i (T - 2) / ``gaps`` seconds, rounded down to a sample. As in the reference
    (pytorchvideo at the commit that it pins), T is a float: 9.6 s is a little less, and its second
    clip starts one sample early.
    """
    spare_s = max(Fraction(n_samples / SAMPLE_RATE_HZ) - CLIP_S, Fraction(0))
    starts = [int(i * spare_s / gaps * SAMPLE_RATE_HZ) for i in range(N_CLIPS)]
    return [slice(start, min(start + CLIP_S * SAMPLE_RATE_HZ, n_samples)) for start in starts]


def video_clips(crops: Pixels) -> Tensor:
    """Pairs of consecutive frames, ``[K * (T - 1), 3, 2, 224, 224]``, of all crops, crop by crop.

    ``crops [K, T, 224, 224, 3]`` are uint8 RGB; eight seconds at 0.5 fps in three crops give nine
    clips. Values are normalised by CLIP's mean and standard deviation.

    Raises:
        MediaError: there are fewer than two frames.
        ValueError: the crops have another size or type.
    """
    if crops.ndim != 5 or crops.shape[2:] != (SIDE, SIDE, 3) or crops.dtype.name != "uint8":
        raise ValueError(
            f"crops must be uint8 [K, T, {SIDE}, {SIDE}, 3], got {crops.dtype} {list(crops.shape)}"
        )
    if crops.shape[1] < 2:
        raise MediaError(
            f"ImageBind takes pairs of frames, this video has {crops.shape[1]}: use one of at "
            f"least {1.5 / FPS:g} s, which has two at {FPS:g} fps"
        )
    # Two steps and not one affine one, which would round otherwise.
    scaled = torch.tensor(crops).float() / 255
    normalised = (scaled - torch.tensor(PIXEL_MEAN)) / torch.tensor(PIXEL_SCALE)
    pairs = torch.stack([normalised[:, :-1], normalised[:, 1:]], dim=2)  # [K, T - 1, 2, H, W, 3]
    return pairs.flatten(0, 1).permute(0, 4, 1, 2, 3).contiguous()


def _mel_images(clips: Tensor) -> Tensor:
    """``clips [..., T]`` to ``[..., 128, 204]``: silence of raw 0 fills up the last frames."""
    mels = fbank(clips, SAMPLE_RATE_HZ, N_MELS)
    mels = functional.pad(mels, (0, N_FRAMES - mels.shape[-1]))
    return (mels - MEL_MEAN) / MEL_SCALE
