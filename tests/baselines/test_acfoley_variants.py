"""Variants of AC-Foley as systems: those of the mini world, and those that users train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import acfoley.generate
import acfoley.loading
from acfoley.mini import variants
from acfoley.mini.variants import weights_hash, weights_path
from acfoley.train.recipe import RECIPES
from baselines import SYSTEMS
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.digests import file_digest
from bench.errors import MissingError
from bench.pipeline import provenance
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.plan import RunPlan
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.provenance import origin_of
from bench.plugins import open_system
from bench.splits import open_split
from bench.types import COMPONENTS, Condition, Request
from tests.acfoley.fakes import fake_model
from tests.acfoley.shipping import ship_drawn
from tests.baselines.calls import generate_one

Ask = Callable[..., Request]

#: Those with a precision are the first variant again (test_acfoley_precision.py).
NAMES = [name for name in SYSTEMS if ":" not in name]
MINI = [name for name in NAMES if name.startswith("acfoley-mini")]
#: By the authors' own code, in an environment of its own.
OFFICIAL = "acfoley-official"
TRAINED = [n for n in NAMES if n.startswith("acfoley-") and n not in (*MINI, OFFICIAL)]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Drawn weights of every mini variant, and one step of sampling."""
    quick = partial(acfoley.generate.Settings, n_steps=1)
    monkeypatch.setattr(acfoley.generate, "Settings", quick)
    yield ship_drawn(tmp_path / "shipped", monkeypatch)
    weights_hash.cache_clear()


def test_every_variant_of_the_mini_world_is_a_system_with_all_masks() -> None:
    names = {name.removeprefix("acfoley-mini").removeprefix("-") or "two-stage" for name in MINI}
    assert names == set(variants.VARIANTS)
    for name in (*MINI, *TRAINED):
        system = open_system(name)
        assert system.name == name
        assert system.masks == set(COMPONENTS)
        assert ("Apache-2.0" in system.licence) == (name in MINI)


@pytest.mark.parametrize("name", MINI)
def test_the_reference_changes_the_audio_of_a_mini_variant(
    name: str, shipped: Path, ask: Ask
) -> None:
    system = open_system(name)
    assert system.lacks is not None
    assert system.lacks() == ""
    generate = system.open("cpu")
    audio = generate_one(generate, ask(system))
    assert audio.sample_rate_hz == system.sample_rate_hz
    assert audio.samples.shape == (1, round(2.5 * 44_100))
    masked = generate_one(generate, ask(system, condition=Condition(frozenset({"audio"}))))
    assert not np.allclose(audio.samples, masked.samples, atol=1e-4)


def test_a_mini_variant_without_weights_names_the_command_that_trains_them(shipped: Path) -> None:
    (shipped / "overlap-only.safetensors").unlink()
    lacking, whole = open_system("acfoley-mini-overlap-only"), open_system("acfoley-mini")
    assert lacking.lacks is not None
    assert whole.lacks is not None
    assert (lacking.lacks(), whole.lacks()) == ("weights: make mini-weights", "")
    with pytest.raises(MissingError, match=r"no .*overlap-only\.safetensors: .*make mini-weights"):
        lacking.open("cpu")


def test_a_mini_variant_without_torch_names_the_package_and_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("baselines.acfoley_mini.has_module", lambda name: name != "torch")
    system = open_system("acfoley-mini")
    assert system.lacks is not None
    assert system.lacks() == "the package torch: pip install 'foley-bench[judges]'"


def planned(name: str, clicks_folder: Path, tmp_path: Path) -> RunPlan:
    split = open_split(f"folder:{clicks_folder}")
    options = RunOptions(model=name, split=split, limit=1, workers=0, runs=tmp_path / "runs")
    judging = JudgeOptions(metrics="onset_acc", judge="signal")
    return plan_run(options, judging, print)


@pytest.mark.parametrize("changed", ["two-stage", variants.CODEC])
def test_samples_of_changed_weights_are_made_again(
    changed: str, shipped: Path, clicks_folder: Path, tmp_path: Path, home: Path
) -> None:
    names = ("acfoley-mini", "acfoley-mini-clap-encoder")
    before = [planned(name, clicks_folder, tmp_path).origin for name in names]
    path = weights_path(changed)
    path.write_bytes(path.read_bytes()[::-1])
    after = [planned(name, clicks_folder, tmp_path).origin for name in names]
    is_same = [old == new for old, new in zip(before, after, strict=True)]
    assert is_same == [False, changed != variants.CODEC]


@pytest.mark.parametrize("name", TRAINED)
def test_an_unpublished_variant_names_the_commands_that_train_it(name: str, home: Path) -> None:
    system = open_system(name)
    assert system.lacks is not None
    missing = system.lacks()
    recipe = missing.partition("acfoley train --preset ")[2].split()[0]
    assert recipe in RECIPES
    assert f"acfoley ema RUN -o {home / 'weights' / name}.safetensors" in missing
    with pytest.raises(MissingError, match=f"{name} cannot generate, it needs weights of your own"):
        system.open("cpu")


@pytest.fixture
def trained(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Files of every name that exists, and a fake that lists the files it is asked to open."""
    (home / "weights").mkdir(parents=True)
    for row in OFFICIAL_FILES.values():
        (home / "weights" / row.file).touch()
    for name in TRAINED:
        (home / "weights" / f"{name}.safetensors").touch()
    asked: list[tuple[object, ...]] = []

    def open_model(*arguments: object, **options: object) -> acfoley.generate.Model:
        asked.append(arguments)
        return fake_model()

    monkeypatch.setattr(acfoley.loading, "open_model", open_model)
    return asked


def test_a_trained_variant_opens_its_own_checkpoint_under_its_preset(
    trained: list[tuple[object, ...]], home: Path
) -> None:
    presets = {
        "acfoley-attention-pooling": "acfoley_attention",
        "acfoley-clap-encoder": "mmaudio_clap",
    }
    for name in TRAINED:
        open_system(name).open("cpu")
        preset, folder, loading = trained[-1]
        assert preset == presets.get(name, "acfoley")
        assert folder == home / "weights"
        assert loading == acfoley.loading.Loading(flow=home / "weights" / f"{name}.safetensors")


def test_a_trained_variant_without_the_official_codec_names_the_command_that_fetches_it(
    trained: list[tuple[object, ...]], home: Path
) -> None:
    (home / "weights" / OFFICIAL_FILES["vocoder"].file).unlink()
    with pytest.raises(MissingError, match="needs weights: acfoley fetch --preset acfoley"):
        open_system("acfoley-overlap-only").open("cpu")


def test_a_variant_with_clap_names_its_missing_file(
    trained: list[tuple[object, ...]], home: Path
) -> None:
    (home / "weights" / OFFICIAL_FILES["clap"].file).unlink()
    with pytest.raises(MissingError, match="needs the encoder CLAP: bench weights fetch clap"):
        open_system("acfoley-clap-encoder").open("cpu")


def test_a_new_checkpoint_changes_the_origin_of_samples(
    trained: list[tuple[object, ...]], clicks_folder: Path, tmp_path: Path, home: Path
) -> None:
    before = planned("acfoley-two-stage", clicks_folder, tmp_path).origin
    (home / "weights" / "acfoley-two-stage.safetensors").write_bytes(b"trained on")
    now = planned("acfoley-two-stage", clicks_folder, tmp_path).origin
    changes = before.describe_changes(now)
    assert changes == ["the weights acfoley-two-stage.safetensors have changed"]


@pytest.mark.parametrize("file", ["resample.py", "resize.py"])
def test_samples_are_made_again_where_references_or_frames_are_prepared_otherwise(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = open_system("acfoley-mini")
    before = origin_of(system, "cpu")
    monkeypatch.setattr(
        provenance, "file_digest", lambda path: "other" if path.name == file else file_digest(path)
    )
    assert origin_of(system, "cpu").code != before.code
