import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backbones.imagebind import (
    HUGE,
    OTHER_MODALITIES,
    SIDE,
    ImageBind,
    ImageBindParams,
    TrunkParams,
    embed_audio,
    embed_video,
    load_imagebind,
    reference_clips,
)
from bench.checkpoints.load import assign_state
from bench.errors import BenchError
from tests.backbones.imagebind_inputs import (
    VIDEO_NAMES,
    clips_by_torchvision,
    file_samples,
    noise,
    our_clips,
)
from tests.backbones.seeded import drawn_state

SMALL = replace(
    HUGE, vision=replace(HUGE.vision, n_blocks=2), audio=replace(HUGE.audio, n_blocks=2)
)
AUDIO_NAMES = ["v1_gt", "v1_predA", "v2_gt", "v2_predA"]
#: A few of the tensors of the official file that are of no use here.
OTHERS = [
    "modality_preprocessors.text.mask",
    "modality_trunks.imu.blocks.0.norm_1.weight",
    "modality_heads.thermal.2.weight",
    "modality_postprocessors.depth.1.log_logit_scale",
]

Fill = Callable[..., nn.Module]


@pytest.fixture(scope="module")
def fill(shared: Path) -> Fill:
    """Seeded weights for a module, by the names of its tensors."""
    path = shared / "golden" / "seed_weights.py"
    spec = importlib.util.spec_from_file_location("seed_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill


def write_checkpoint(path: Path, params: ImageBindParams, fill: Fill) -> None:
    """A file in the official layout, with seeded weights and tensors of the other modalities."""
    state = fill(ImageBind(params), skip="log_logit_scale").state_dict()
    torch.save({**state, **{name: torch.ones(2) for name in OTHERS}}, path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("imagebind") / "small.pth"
    write_checkpoint(path, SMALL, fill)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> ImageBind:
    """Two vision and two audio blocks, through a file."""
    return load_imagebind(checkpoint, params=SMALL)


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m5_imagebind_small.npz"))


@pytest.fixture(scope="module")
def loading(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m1_audio_loading.npz"))


def relative_error(ours: Tensor, golden: np.ndarray) -> float:
    return float(np.linalg.norm(ours.numpy() - golden) / np.linalg.norm(golden))


def test_names_and_shapes_are_those_of_the_official_checkpoint(shared: Path) -> None:
    with torch.device("meta"):
        ours = {name: list(t.shape) for name, t in ImageBind(HUGE).state_dict().items()}
    official = {}
    for name, shape in json.loads(
        (shared / "golden" / "m5_imagebind_state.json").read_text()
    ).items():
        last = re.search(r"\{0\.\.(\d+)\}", name)
        for block in range(int(last[1]) + 1 if last else 1):
            official[re.sub(r"\{.*\}", str(block), name)] = shape
    assert ours == official


def test_the_audio_trunk_gives_the_embeddings_of_the_reference_from_its_images(
    model: ImageBind, golden: dict[str, np.ndarray], loading: dict[str, np.ndarray]
) -> None:
    images = torch.from_numpy(loading["v1_gt.ib_clips"])
    with torch.inference_mode():
        embeddings = model.audio(images)
    for ours, expected in zip(embeddings, golden["audio_clip_emb_first_wav"], strict=True):
        assert relative_error(ours, expected) < 1e-5
    mean = embed_audio(model, images[None])["embedding"][0]
    assert relative_error(mean, golden["audio_emb"][0]) < 1e-5


def test_the_vision_trunk_gives_the_embeddings_of_the_reference_from_its_pixels(
    shared: Path, model: ImageBind, golden: dict[str, np.ndarray]
) -> None:
    clips = clips_by_torchvision(shared, VIDEO_NAMES[0])
    with torch.inference_mode():
        centre_crop_frames_0_and_1 = model.video(clips[3:4])[0]
    expected = golden["video_clip_emb_first_video_center_crop_frames01"]
    assert relative_error(centre_crop_frames_0_and_1, expected) < 1e-5
    mean = embed_video(model, clips[None])["embedding"][0]
    assert relative_error(mean, golden["video_emb"][0]) < 1e-5


def test_embeddings_and_scores_from_files_are_those_of_the_reference(
    shared: Path, model: ImageBind, golden: dict[str, np.ndarray]
) -> None:
    mels = torch.stack([reference_clips(file_samples(shared, name)) for name in AUDIO_NAMES])
    audio_embeddings = embed_audio(model, mels)["embedding"]
    for ours, expected in zip(audio_embeddings, golden["audio_emb"], strict=True):
        assert relative_error(ours, expected) < 1e-4
    clips = torch.stack([our_clips(shared, name) for name in VIDEO_NAMES])
    video_embeddings = embed_video(model, clips)["embedding"]
    for ours, expected in zip(video_embeddings, golden["video_emb"], strict=True):
        assert relative_error(ours, expected) < 1e-3
    assert audio_embeddings.norm(dim=1).numpy() == pytest.approx(golden["audio_emb_norm"], rel=1e-4)
    assert video_embeddings.norm(dim=1).numpy() == pytest.approx(golden["video_emb_norm"], rel=1e-4)
    scores = functional.cosine_similarity(video_embeddings[:, None], audio_embeddings[None], dim=-1)
    assert scores.numpy() == pytest.approx(golden["cosine"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_published_size_gives_the_embeddings_of_the_reference(
    shared: Path, fill: Fill, tmp_path: Path, loading: dict[str, np.ndarray]
) -> None:
    """Three gigabytes on disk and, mapped to the file, as much in memory."""
    golden = np.load(shared / "golden" / "m5_imagebind_huge.npz")
    checkpoint = tmp_path / "imagebind_huge.pth"
    write_checkpoint(checkpoint, HUGE, fill)
    huge = load_imagebind(checkpoint)
    checkpoint.unlink()  # what is mapped stays readable
    from_images = embed_audio(huge, torch.from_numpy(loading["v1_gt.ib_clips"])[None])
    assert relative_error(from_images["embedding"][0], golden["audio_emb"][0]) < 1e-5
    mels = torch.stack([reference_clips(file_samples(shared, name)) for name in AUDIO_NAMES])
    audio_embeddings = embed_audio(huge, mels)["embedding"]
    for ours, expected in zip(audio_embeddings, golden["audio_emb"], strict=True):
        assert relative_error(ours, expected) < 1e-4
    exact = embed_video(huge, clips_by_torchvision(shared, VIDEO_NAMES[0])[None])["embedding"]
    assert relative_error(exact[0], golden["video_emb"][0]) < 1e-5
    video_embeddings = [
        embed_video(huge, our_clips(shared, name)[None])["embedding"] for name in VIDEO_NAMES
    ]
    for ours, expected in zip(video_embeddings, golden["video_emb"], strict=True):
        assert relative_error(ours[0], expected) < 1e-2
    scores = functional.cosine_similarity(
        torch.cat(video_embeddings)[:, None], audio_embeddings[None], dim=-1
    )
    assert scores.numpy() == pytest.approx(golden["cosine"], abs=1e-3)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the one release that installs; its licence is non-commercial."""
    spec = importlib.util.find_spec("imagebind")
    if spec is None:
        pytest.skip("needs imagebind-unofficial, which is no dependency: non-commercial licence")
    # The package's own __init__ imports a module that torchvision no longer has. It imports its
    # parts by their full names, so that the stand-in has to have the package's name.
    package = ModuleType("imagebind")
    package.__path__ = list(spec.submodule_search_locations or ())
    monkeypatch.setitem(sys.modules, "imagebind", package)
    yield pytest.importorskip("imagebind.models.imagebind_model")
    for name in [name for name in sys.modules if name.startswith("imagebind.")]:
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_both_trunks_give_the_embeddings_of_the_published_package(published: Any) -> None:
    tiny = ImageBindParams(
        vision=TrunkParams(width=64, n_blocks=3, n_heads=4),
        audio=TrunkParams(width=48, n_blocks=2, n_heads=6),
        width=32,
    )
    ours = ImageBind(tiny)
    state = drawn_state(ours.state_dict())
    assign_state(ours, state, Path("drawn"))
    others = {f"{name}_num_blocks": 1 for name in ("text", "depth", "thermal", "imu")}
    theirs = published.ImageBindModel(
        out_embed_dim=32,
        vision_embed_dim=64,
        vision_num_blocks=3,
        vision_num_heads=4,
        audio_embed_dim=48,
        audio_num_blocks=2,
        audio_num_heads=6,
        **others,
    )
    unfit = theirs.load_state_dict(state, strict=False)
    assert not unfit.unexpected_keys
    assert all(name.startswith(OTHER_MODALITIES) for name in unfit.missing_keys)
    mels, clips = noise(2, 3, 128, 204, level=1.0), noise(2, 2, 3, 2, SIDE, SIDE, level=1.0)
    with torch.inference_mode():
        expected = theirs.eval()({"vision": clips, "audio": mels.unsqueeze(2)})
    video, audio = embed_video(ours, clips)["embedding"], embed_audio(ours, mels)["embedding"]
    assert relative_error(video, expected["vision"].numpy()) < 1e-5
    assert relative_error(audio, expected["audio"].numpy()) < 1e-5


def test_embeddings_do_not_depend_on_the_batch(model: ImageBind) -> None:
    mels = noise(2, 2, 128, 204, level=1.0)
    clips = noise(2, 1, 3, 2, SIDE, SIDE, level=1.0)
    for embed_batch, batch in ((embed_audio, mels), (embed_video, clips)):
        together = embed_batch(model, batch)["embedding"]
        assert together.shape == (2, 1024)
        for item in range(2):
            alone = embed_batch(model, batch[item : item + 1])["embedding"][0]
            assert relative_error(together[item], alone.numpy()) < 1e-5


def test_one_clip_of_audio_has_length_20_and_one_of_video_length_1(model: ImageBind) -> None:
    audio = embed_audio(model, noise(1, 1, 128, 204, level=1.0))["embedding"]
    assert audio.norm().item() == pytest.approx(20, rel=1e-5)
    one = embed_video(model, noise(1, 1, 3, 2, SIDE, SIDE, level=1.0))["embedding"]
    assert one.norm().item() == pytest.approx(1, rel=1e-5)


def test_the_other_modalities_are_ignored_and_nothing_else(
    checkpoint: Path, tmp_path: Path
) -> None:
    state = torch.load(checkpoint, weights_only=True, mmap=True)
    assert set(OTHERS) <= set(state)
    damaged = tmp_path / "damaged.pth"
    tiny = {name: torch.zeros(1) for name in state}
    torch.save(tiny, damaged)
    with pytest.raises(
        BenchError, match=r"damaged\.pth does not fit ImageBind: .* of another shape"
    ):
        load_imagebind(damaged, params=SMALL)
    torch.save({**tiny, "modality_heads.smell.2.weight": torch.zeros(1)}, damaged)
    with pytest.raises(BenchError, match=r"1 unexpected \(modality_heads\.smell\.2\.weight\)"):
        load_imagebind(damaged, params=SMALL)


def test_a_file_of_another_depth_is_refused(checkpoint: Path) -> None:
    with pytest.raises(BenchError, match="500 missing"):
        load_imagebind(checkpoint)


def test_a_loaded_network_is_frozen(model: ImageBind) -> None:
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
