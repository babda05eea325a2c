"""The column clap: prompts and audio are encoded once; clips without a prompt are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import clap
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.errors import BenchError, MissingError
from bench.inputs import Labels
from bench.inputs.labels import Label
from bench.judges import ClipMedia, open_judge
from bench.media import write_audio
from bench.pipeline.columns import JudgeOptions, choose_columns
from bench.pipeline.folders import FolderPlan, score_folders
from bench.suite import select
from bench.types import Audio, Excerpt
from tests.backbones import clap_inputs

PROMPTS = {"a": "a dog", "b": "a dog", "c": "rain on a roof"}


@pytest.fixture
def folders(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Path]:
    """Generated and true audio of 1 s: ``a`` to ``d``, of which ``d`` has no prompt."""
    for kind in ("made", "true"):
        (tmp_path / kind).mkdir()
        for name in "abcd":
            noise = rng.normal(0, 0.1, (2, 44_100)).clip(-1, 1).astype(np.float32)
            write_audio(tmp_path / kind / f"{name}.flac", Audio(noise, 44_100))
    return tmp_path / "made", tmp_path / "true"


@pytest.fixture
def stand_in(monkeypatch) -> list[object]:
    """Towers that answer unit vectors 60 degrees apart, and log what they are given."""
    given: list[object] = []

    def embed_audio(tower, log_mels):
        given.append(tuple(log_mels.shape))
        return {"embedding": torch.tensor([[1.0, 0.0]]).repeat(len(log_mels), 1)}

    def embed_text(tower, tokeniser, prompts):
        given.extend(prompts)
        return {"embedding": torch.tensor([[0.5, 0.75**0.5]]).repeat(len(prompts), 1)}

    for name in ("load_clap_audio", "load_clap_text", "load_tokeniser"):
        monkeypatch.setattr(clap, name, lambda *files: torch.nn.Identity())
    monkeypatch.setattr(clap, "embed_audio", embed_audio)
    monkeypatch.setattr(clap, "embed_text", embed_text)
    return given


def scored(folders: tuple[Path, Path], weights: Path, prompts=PROMPTS):
    judge = open_judge("paper", "av-benchmark", weights)
    metrics = select("av-benchmark", ["clap"])
    labels = Labels(Path("labels.csv"), tuple(Label(*each, 1) for each in prompts.items()))
    plan = FolderPlan(*folders, None, None, judge, metrics, 0, labels=labels)
    return score_folders(plan, lambda stage, done, total: None)


def test_clips_without_a_prompt_are_counted_and_not_scored(folders, stand_in, home):
    found = scored(folders, Path("w"))
    assert found.failures == ()
    score = found.results.metrics["clap"]
    assert score.n == 3
    assert score.value == pytest.approx(50.0, abs=1e-4)
    assert "1 of 4 clips have no prompt: no clap there" in found.results.notes
    assert "3 of 4 clips have a prompt (labels.csv)" in found.results.notes


def test_a_prompt_of_several_clips_is_read_once_and_prompts_share_a_batch(folders, stand_in, home):
    scored(folders, Path("w"))
    assert [each for each in stand_in if isinstance(each, str)] == ["a dog", "rain on a roof"]
    assert [each for each in stand_in if isinstance(each, tuple)] == [(4, 1001, 64)]
    stand_in.clear()
    scored(folders, Path("w"), {"d": "a dog"})
    assert stand_in == []  # all features are in the store


@pytest.mark.slow
def test_the_column_of_an_official_file_is_the_cosine_of_its_towers(folders, home, tmp_path):
    pytest.importorskip("transformers", reason="needs the extra clap")
    checkpoint = tmp_path / OFFICIAL_FILES["clap"].file
    state = {f"module.{name}": tensor for name, tensor in clap_inputs.official_state().items()}
    torch.save({"state_dict": state}, checkpoint)
    files = [tmp_path / OFFICIAL_FILES[name].file for name in ("roberta-vocab", "roberta-merges")]
    for path, place in zip(clap_inputs.write_vocabulary(tmp_path), files, strict=True):
        path.rename(place)
    score = scored(folders, tmp_path, {"a": "a dog"}).results.metrics["clap"]

    waveform = torch.from_numpy(ClipMedia(Excerpt(folders[0] / "a.flac")).signal(48_000))[None]
    audio_tower, text_tower = clap.load_clap_audio(checkpoint), clap.load_clap_text(checkpoint)
    audio = clap.embed_audio(audio_tower, clap.front_end(waveform))["embedding"]
    words = clap.embed_text(text_tower, clap.load_tokeniser(*files), ["a dog"])["embedding"]
    checkpoint.unlink()  # it is large
    assert score.n == 1
    assert score.value == pytest.approx(100 * float((audio * words).sum()), abs=1e-3)


def chosen(**others: object):
    options = JudgeOptions(**{"profile": "strict", "clap": True, **others})
    return choose_columns(options, ["mcd"], 8.0, print, is_mini=False)


def test_a_judge_without_clap_is_refused_in_one_sentence(home):
    for judge in ("mini", "signal"):
        message = f"the judge {judge} cannot compute clap: only --judge paper has CLAP"
        with pytest.raises(BenchError, match=message):
            chosen(judge=judge)


def test_missing_weights_are_named_with_the_command_that_fetches_them(home):
    with pytest.raises(BenchError) as caught:
        chosen()
    command = str(caught.value).split("`")[1]
    assert command.startswith("bench weights fetch ")
    assert set(command.split()[3:]) == {"clap", "roberta-vocab", "roberta-merges"}


def test_without_transformers_the_command_stops_before_the_first_clip(home, monkeypatch):
    (home / "weights").mkdir(parents=True)
    for name in ("clap", "roberta-vocab", "roberta-merges"):
        (home / "weights" / OFFICIAL_FILES[name].file).write_bytes(b"x")
    monkeypatch.setattr(clap, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'foley-bench\[clap\]'"):
        chosen()
