from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backbones.synchformer import front_end, video_front_end
from bench.backbones.synchformer_encoders import (
    POSITIONS,
    TIMES,
    ClassTokenPool,
    DividedAttention,
    SelfAttention,
)
from bench.backbones.synchformer_front_end import log_mel, video_segments
from bench.errors import MediaError
from tests.backbones.seeded import drawn_state, relative_errors
from tests.backbones.synchformer_inputs import (
    AUDIO_NAMES,
    VIDEOS,
    noise,
    read_audio_with_torchaudio,
    video,
)


def drawn(module: nn.Module) -> nn.Module:
    module.load_state_dict(drawn_state(module.state_dict()))
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize("gain", [0.0, 1e-4, 1.0])
def test_log_mel_is_that_of_torchaudio(gain: float) -> None:
    transforms = pytest.importorskip("torchaudio").transforms
    reference = transforms.MelSpectrogram(
        16_000, n_fft=1024, win_length=400, hop_length=160, n_mels=128
    )
    waveforms = gain * noise(3, 10_240)
    expected = torch.log(reference(waveforms) + 1e-6).numpy()
    assert log_mel(waveforms).numpy() == pytest.approx(expected, abs=1e-5)


def test_the_log_mel_of_real_audio_equals_the_reference(shared: Path) -> None:
    golden = np.load(shared / "golden" / "m6_synchformer.npz")["mel_log_frames"]
    for name, expected in zip(AUDIO_NAMES, golden, strict=True):
        segments = read_audio_with_torchaudio(shared, name).unfold(1, 10_240, 5_120)
        mels = log_mel(segments[0, [0, 23]])
        # Processors add up an FFT in different orders; near the floor the logarithm magnifies that.
        assert mels[:, :, [0, 1, 32, 63, 64]].numpy() == pytest.approx(expected, abs=1e-4)


def test_the_appended_frame_reads_as_a_power_of_one() -> None:
    images = front_end(noise(2, 15_360))
    assert images.shape == (2, 2, 128, 66)
    assert images[..., -1].unique() == pytest.approx(4.2677393 / (2 * 4.5689974))
    silence = front_end(torch.zeros(1, 10_240))[..., :-1].numpy()
    assert silence == pytest.approx((np.log(1e-6) + 4.2677393) / (2 * 4.5689974), abs=1e-5)


def test_a_segment_of_audio_does_not_depend_on_its_neighbours() -> None:
    waveforms = noise(1, 20_480)
    alone = front_end(waveforms[:, 5_120:15_360])
    assert torch.equal(front_end(waveforms)[:, 1:2], alone)


@pytest.mark.parametrize(("seconds", "n_segments"), [(2, 5), (4.8, 14), (8, 24), (10, 30)])
def test_audio_and_video_have_the_same_number_of_segments(seconds: float, n_segments: int) -> None:
    waveforms = torch.zeros(1, round(16_000 * seconds))
    frames = torch.zeros(1, 1, 3, 224, 224).expand(-1, round(25 * seconds), -1, -1, -1)
    assert front_end(waveforms).shape == (1, n_segments, 128, 66)
    assert video_segments(frames).shape == (1, n_segments, 16, 3, 224, 224)


def test_segments_of_frames_overlap_by_half() -> None:
    frames = torch.arange(40.0).reshape(1, -1, 1, 1, 1).expand(-1, -1, 3, 224, 224)
    first_pixels = video_segments(frames)[0, :, :, 0, 0, 0]
    expected = [list(range(start, start + 16)) for start in (0, 8, 16, 24)]
    assert first_pixels.tolist() == expected


def test_pixels_become_channels_first_from_minus_one_to_one() -> None:
    pixels = torch.tensor([[[0, 255, 51]]], dtype=torch.uint8)
    assert video_front_end(pixels).flatten().tolist() == pytest.approx([-1, 1, -0.6])
    assert video_front_end(pixels.expand(7, 5, 4, 3)).shape == (7, 3, 5, 4)


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_are_those_of_the_reference_evaluator(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    frames = video(shared, name, 101 / 25)[0]
    blocks = functional.avg_pool2d(frames[::10], 16).numpy()
    assert blocks == pytest.approx(golden[f"{name}.sync_blocks_every10"][: len(blocks)], abs=0.005)
    rows = frames[100][:, [0, 111, 223]].numpy()
    levels = np.abs(rows - golden[f"{name}.sync_pixels_frame100_rows"]) * 127.5
    assert np.mean(levels < 1.01) > 0.999


@pytest.mark.parametrize(("group_axis", "n_seen"), [(TIMES, 197), (POSITIONS, 9)])
def test_divided_attention_is_full_attention_under_a_mask(group_axis: int, n_seen: int) -> None:
    attention = drawn(DividedAttention(group_axis))
    tokens = 10 * noise(1, 1569, 768)
    place = torch.arange(1568)
    group = place // 196 if group_axis == TIMES else place % 196
    mask = torch.ones(1569, 1569, dtype=torch.bool)
    mask[1:, 1:] = group[:, None] == group
    assert mask.sum(dim=1).tolist() == [1569, *[n_seen] * 1568]
    heads = [
        part.reshape(1, 1569, 12, 64).transpose(1, 2) for part in attention.qkv(tokens).chunk(3, -1)
    ]
    seen = functional.scaled_dot_product_attention(*heads, attn_mask=mask)
    expected = attention.proj(seen.transpose(1, 2).flatten(2))
    assert relative_errors(attention(tokens), expected.numpy()).max() < 1e-5


def test_pooling_is_the_first_output_of_an_encoder_layer() -> None:
    pool = drawn(ClassTokenPool())
    state = pool.state_dict()
    first = state.pop("cls_token")
    reference = nn.TransformerEncoderLayer(
        768, 12, 3072, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
    )
    reference.load_state_dict(state)
    tokens = 10 * noise(2, 3, 11, 768)
    sequences = torch.cat([first.expand(6, -1, -1), tokens.flatten(0, 1)], dim=1)
    expected = reference.eval().requires_grad_(False)(sequences)[:, 0]
    assert relative_errors(pool(tokens).flatten(0, 1), expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("n_heads", [8, 12])
def test_self_attention_is_that_of_torch(n_heads: int) -> None:
    attention = drawn(SelfAttention(n_heads))
    parts = (attention.query, attention.key, attention.value)
    tokens = 10 * noise(2, 20, 768)
    weight = torch.cat([part.weight for part in parts])
    bias = torch.cat([part.bias for part in parts])
    expected, _ = functional.multi_head_attention_forward(
        *[tokens.transpose(0, 1)] * 3, 768, n_heads, weight, bias, None, None, False, 0.0,
        torch.eye(768), None, need_weights=False,
    )  # fmt: skip
    expected = expected.transpose(0, 1)
    assert relative_errors(attention(tokens), expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("n_samples", [0, 10_239])
def test_audio_shorter_than_a_segment_is_refused(n_samples: int) -> None:
    with pytest.raises(MediaError, match=r"at least 10,240 samples \(0\.64 s"):
        front_end(torch.zeros(1, n_samples))


@pytest.mark.parametrize(
    "waveforms", [torch.zeros(16_000), torch.zeros(1, 16_000, dtype=torch.float64)]
)
def test_an_input_that_is_not_a_batch_of_waveforms_is_refused(waveforms: Tensor) -> None:
    with pytest.raises(ValueError, match=r"float32 \[B, T\]"):
        front_end(waveforms)


def test_fewer_frames_than_a_segment_are_refused() -> None:
    with pytest.raises(MediaError, match=r"at least 16 frames .* this one has 15"):
        video_segments(torch.zeros(1, 15, 3, 224, 224))


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(16, 3, 224, 224),
        torch.zeros(1, 16, 224, 224, 3),
        torch.zeros(1, 16, 3, 256, 224),
        torch.zeros(1, 16, 3, 224, 224, dtype=torch.uint8),
    ],
)
def test_frames_of_another_shape_or_type_are_refused(frames: Tensor) -> None:
    with pytest.raises(ValueError, match=r"float32 \[B, F, 3, 224, 224\], got"):
        video_segments(frames)
