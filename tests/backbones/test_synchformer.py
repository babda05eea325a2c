from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.backbones import synchformer
from bench.backbones.synchformer import (
    UNUSED,
    VIDEO_PREFIX,
    Synchformer,
    VideoEncoder,
    audio_tokens,
    front_end,
    load_synchformer,
    load_video_encoder,
    offset_logits,
    video_features,
)
from bench.errors import BenchError, MediaError
from bench.metrics import desync
from tests.backbones.seeded import relative_errors, seeded_state
from tests.backbones.synchformer_inputs import (
    AUDIO_NAMES,
    VIDEOS,
    audio,
    noise,
    read_audio_with_torchaudio,
    read_video_with_torchvision,
    video,
)

KEPT = [0, 9, 10, 23]

Draw = Callable[..., Tensor]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m6_synchformer.npz"))


@pytest.fixture(scope="module")
def draw(shared: Path) -> Draw:
    """Inputs of the reference arrays by name and shape."""
    path = shared / "golden" / "seed_weights.py"
    spec = importlib.util.spec_from_file_location("seed_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw


@pytest.fixture(scope="module")
def checkpoint(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, torch.Size]]]:
    """Seeded weights in a file like the official one, and its table of contents."""
    path = tmp_path_factory.mktemp("synchformer") / "synchformer_state_dict.pth"
    state = seeded_state(shared, "m6_synchformer_state.json")
    torch.save(state, path)
    yield path, {name: tensor.shape for name, tensor in state.items()}
    path.unlink()


@pytest.fixture(scope="module")
def model(checkpoint: tuple[Path, dict[str, torch.Size]]) -> Synchformer:
    return load_synchformer(checkpoint[0])


@pytest.fixture(scope="module")
def one_block(checkpoint: tuple[Path, dict[str, torch.Size]]) -> VideoEncoder:
    """The video encoder without eleven of its twelve blocks, for tests that only count."""
    encoder = load_video_encoder(checkpoint[0])
    encoder.blocks = encoder.blocks[:1]
    return encoder


def test_the_tensors_are_those_of_the_official_file(
    model: Synchformer, checkpoint: tuple[Path, dict[str, torch.Size]]
) -> None:
    official = dict(checkpoint[1])
    assert len(official) == 513
    for name in UNUSED:
        del official[VIDEO_PREFIX + name]
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == official
    assert not any(tensor.requires_grad for tensor in model.parameters())
    assert not model.training


def test_the_video_encoder_loads_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    with torch.device("meta"):
        names = VideoEncoder().state_dict()
    zero = torch.zeros(1)  # the file stores one value for all
    tensors = {VIDEO_PREFIX + name: zero.expand(tensor.shape) for name, tensor in names.items()}
    torch.save({**tensors, "vproj.weight": torch.ones(1), "another": torch.ones(1)}, path)
    assert load_video_encoder(path).cls_token.shape == (1, 1, 768)
    with pytest.raises(BenchError, match=r"half\.pth does not fit Synchformer: .* missing"):
        load_synchformer(path)


@pytest.mark.parametrize("number", range(4))
def test_audio_features_equal_the_reference_from_the_same_waveform(
    shared: Path, golden: dict[str, np.ndarray], model: Synchformer, number: int
) -> None:
    images = front_end(read_audio_with_torchaudio(shared, AUDIO_NAMES[number]))[0, KEPT]
    with torch.inference_mode():
        features = model.afeat_extractor(images)
    errors = relative_errors(features[None], golden["audio_feat"][number : number + 1])
    assert errors.max() < 2e-6  # the tolerance is 1e-5; this is rounding


def test_audio_features_equal_the_reference_from_the_file(
    shared: Path, golden: dict[str, np.ndarray], model: Synchformer
) -> None:
    features = audio_tokens(model, front_end(audio(shared, "v1_predA")))
    assert features.shape == (1, 24, 6, 768)
    assert relative_errors(features[:, KEPT], golden["audio_feat"][1:2]).max() < 1e-4
    assert relative_errors(features.mean(2), golden["audio_feat_mean"][1:2]).max() < 1e-4


def test_video_features_equal_the_reference_from_the_same_pixels(
    shared: Path,
    golden: dict[str, np.ndarray],
    checkpoint: tuple[Path, dict[str, torch.Size]],
) -> None:
    encoder = load_video_encoder(checkpoint[0])
    features = video_features(encoder, read_video_with_torchvision(shared, VIDEOS[0], 88))
    assert features.shape == (1, 1, 8, 768)
    assert relative_errors(features[0], golden["video_feat"][0, 1:2]).max() < 1e-5


def test_video_features_equal_the_reference_from_the_file(
    shared: Path, golden: dict[str, np.ndarray], model: Synchformer
) -> None:
    features = video_features(model, video(shared, VIDEOS[1], 16 / 25))
    assert relative_errors(features[0], golden["video_feat"][1, :1]).max() < 1e-3


def test_encoders_and_logits_equal_the_reference_where_positions_matter(
    shared: Path, draw: Draw, checkpoint: tuple[Path, dict[str, torch.Size]]
) -> None:
    golden = np.load(shared / "golden" / "synchformer.npz")
    strong = load_synchformer(checkpoint[0])
    with torch.inference_mode():
        strong.vfeat_extractor.temp_embed *= 64
        strong.afeat_extractor.ast.embeddings.position_embeddings *= 64
        strong.transformer.pos_emb_cfg["pos_emb"] *= 64
        frames = draw("sync/frames", (1, 1, 16, 3, 224, 224), 0.5).clamp(-1, 1)
        found = {
            "visual": strong.vfeat_extractor(frames[0])[None],
            "audio": strong.afeat_extractor(draw("sync/mel", (1, 2, 1, 128, 66), 0.5)[0, :, 0]),
            "logits": strong(
                draw("sync/visual_features", (1, 14, 8, 768)),
                draw("sync/audio_features", (1, 14, 6, 768)),
            ),
        }
    for name, features in found.items():
        expected = golden[name].reshape(features.shape)
        assert features.numpy() == pytest.approx(expected, abs=1e-5)  # the tolerance is 1e-4


def test_logits_equal_the_reference_from_the_same_features(
    golden: dict[str, np.ndarray], draw: Draw, model: Synchformer
) -> None:
    video = draw("golden.sync.shared.vis", (3, 14, 8, 768))
    logits = offset_logits(model, video, draw("golden.sync.shared.aud", (3, 14, 6, 768)))
    assert torch.equal(logits[:, 0], logits[:, 1])
    assert relative_errors(logits[:, 0], golden["drawn_logits"]).max() < 1e-5
    assert logits[:, 0].argmax(-1).tolist() == [11, 19, 11]


def test_the_windows_are_the_first_and_the_last_fourteen_segments(model: Synchformer) -> None:
    video, audio = noise(2, 24, 8, 768), noise(2, 24, 6, 768)
    logits = offset_logits(model, video, audio)
    assert logits.shape == (2, 2, 21)
    first = offset_logits(model, video[:, :14], audio[:, :14])[:, 0]
    last = offset_logits(model, video[:, 10:], audio[:, 10:])[:, 0]
    assert logits.numpy() == pytest.approx(torch.stack([first, last], 1).numpy(), abs=1e-5)


def test_audio_features_do_not_depend_on_the_batch(model: Synchformer) -> None:
    waveforms = noise(2, 15_360) * torch.tensor([[0.01], [10]])
    together = audio_tokens(model, front_end(waveforms))
    alone = torch.cat([audio_tokens(model, front_end(waveform[None])) for waveform in waveforms])
    assert together.shape == (2, 2, 6, 768)
    assert together.numpy() == pytest.approx(alone.numpy(), abs=1e-5)


def test_video_features_depend_neither_on_the_batch_nor_on_other_segments(
    one_block: VideoEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchformer, "VIDEO_SEGMENTS_AT_ONCE", 3)
    frames = (10 * noise(2, 24, 3, 224, 224)).clamp(-1, 1)
    together = video_features(one_block, frames)
    # One of the first chunk of three and the one in the second, of another clip and another time.
    pieces = [frames[0, None, :16], frames[1, None, 8:]]
    alone = torch.cat([video_features(one_block, piece) for piece in pieces])
    assert together.shape == (2, 2, 8, 768)
    found = torch.stack([together[0, 0], together[1, 1]])
    assert found.numpy() == pytest.approx(alone[:, 0].numpy(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_offsets_of_real_clips_are_those_of_the_reference_evaluator(
    shared: Path, golden: dict[str, np.ndarray], model: Synchformer
) -> None:
    tokens = {name: audio_tokens(model, front_end(audio(shared, name))) for name in AUDIO_NAMES}
    seen = {name: video_features(model, video(shared, name)) for name in VIDEOS}
    audio, video = torch.cat(list(tokens.values())), torch.cat(list(seen.values()))
    assert relative_errors(audio[:, KEPT], golden["audio_feat"]).max() < 1e-4
    assert relative_errors(audio.mean(2), golden["audio_feat_mean"]).max() < 1e-4
    assert relative_errors(video[:, KEPT], golden["video_feat"]).max() < 1e-3
    assert relative_errors(video.mean(2), golden["video_feat_mean"]).max() < 1e-3
    pairs = [pair.split("|") for pair in golden["pairs"]]
    logits = torch.cat([offset_logits(model, seen[left], tokens[right]) for left, right in pairs])
    assert relative_errors(logits, golden["logits"]).max() < 1e-3
    assert np.array_equal(logits.argmax(-1), golden["choice_offset_margin"][..., 0])
    assert desync(logits).mean() == pytest.approx(float(golden["f64_desync_mean_abs"]), abs=1e-6)


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        ((1, 24, 8, 768), (1, 23, 6, 768)),
        ((2, 24, 8, 768), (1, 24, 6, 768)),
        ((1, 24, 6, 768), (1, 24, 8, 768)),
        ((192, 768), (144, 768)),
    ],
)
def test_features_that_do_not_belong_together_are_refused(
    video: tuple[int, ...], audio: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        model = Synchformer()
    with pytest.raises(ValueError, match=r"features must be \[B, S, 8, 768\] of video"):
        offset_logits(model, torch.zeros(video), torch.zeros(audio))


def test_clips_of_thirteen_segments_cannot_be_scored() -> None:
    with torch.device("meta"):
        model = Synchformer()
    with pytest.raises(MediaError, match=r"14 segments \(4\.8 s\) .* these clips have 13"):
        offset_logits(model, torch.zeros(1, 13, 8, 768), torch.zeros(1, 13, 6, 768))
