"""The notes of results about their media, and that a second run prints the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.judges import open_judge
from bench.pipeline.folders import FolderPlan, score_folders, score_unpaired
from bench.pipeline.notes import sample_notes
from bench.pipeline.run import run
from bench.suite import select
from bench.types import Waveform
from tests.media.samples import write_clip, write_tracks
from tests.pipeline.test_unpaired import JUDGE

RATE = 48_000
GAP = "of {} {} have audio and video that start more than 20 ms apart ({}): published evaluators count from the first sample"  # noqa: E501


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that prints nothing."""


def pulses(seconds: float) -> Waveform:
    """Noise that comes and goes after 0.6 s of silence, mono."""
    rng = np.random.default_rng(5)
    envelope = np.abs(np.sin(np.arange(round(seconds * RATE)) / RATE * 5)) ** 8
    envelope[: round(0.6 * RATE)] = 0
    return (0.3 * envelope * rng.standard_normal(envelope.size)).clip(-0.9, 0.9)[None].astype("f4")


def write_wav(path: Path, samples: Waveform, gain: float = 1.0) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, gain * samples.T, RATE, "FLOAT")


@pytest.fixture
def folders(tmp_path: Path, home: Path) -> tuple[Path, Path]:
    """Five pairs: late audio, two tracks, two loud ones, and one with nothing to remark."""
    samples, true, made = pulses(2.0), tmp_path / "true", tmp_path / "made"
    for name in ("late", "loud", "louder", "plain", "tracks", "torn"):
        write_wav(true / f"{name}.wav", samples)
    write_wav(made / "loud.wav", samples, 2 / np.abs(samples).max())
    write_wav(made / "louder.wav", samples, 4 / np.abs(samples).max())
    write_wav(made / "plain.wav", samples)
    write_clip(made / "late.mkv", [(0.5, samples[:, RATE // 2 :])], RATE, "flac", "s16")
    parts = [(0.0, samples[:, :RATE]), (1.5, samples[:, RATE * 3 // 2 :])]
    write_clip(made / "torn.mkv", parts, RATE, "flac", "s16", video_start_s=None)
    write_tracks(made / "tracks.mkv", [(1, False), (2, True)])
    return made, true


def folder_plan(folders: tuple[Path, Path], **changes: object) -> FolderPlan:
    made, true = folders
    metrics = select("av-benchmark", ("env_corr",))
    plan = FolderPlan(made, true, None, None, open_judge("signal", "av-benchmark"), metrics, 0)
    return replace(plan, **changes)


def media_notes_of(notes: tuple[str, ...]) -> list[str]:
    topics = ("full scale", "audio tracks", "20 ms apart", "time stamps")
    return [note for note in notes if any(each in note for each in topics)]


def test_a_comparison_of_folders_counts_and_names_what_is_unusual(folders):
    first = score_folders(folder_plan(folders), quiet)
    assert media_notes_of(first.results.notes) == [
        "1 " + GAP.format(6, "samples", "late"),
        "1 of 6 samples have several audio tracks (tracks): the default one is read",
        "2 of 6 samples exceed full scale (loud, louder), up to 4",
        "1 of 6 samples have holes or overlaps in their audio time stamps (torn): "
        "up to 0.5 s of silence were put in, or cut",
    ]
    again = score_folders(folder_plan(folders), quiet)
    assert again.results == first.results
    values = {row["clip"]: row["env_corr"] for row in first.rows}
    assert values["late"] == pytest.approx(1.0, abs=1e-3)


def test_unusual_true_audio_is_reported_for_the_clips(folders):
    made, true = folders
    notes = score_folders(folder_plan((true, made)), quiet).results.notes
    assert "2 of 6 clips exceed full scale (loud, louder), up to 4" in notes
    assert not any("samples exceed" in note for note in notes)


def test_sets_without_pairs_have_remarks_for_each_side(folders):
    metrics = select("av-benchmark", ("fd_panns",))
    plan = folder_plan(folders, metrics=metrics, judge=JUDGE, seconds=1.0)
    notes = score_unpaired(plan, quiet).results.notes
    [tracks] = [note for note in notes if "several audio tracks" in note]
    assert tracks.startswith("1 of 6 generated files have")
    assert not any("reference files exceed" in note for note in notes)


def test_remarks_add_no_column(folders):
    result = score_folders(folder_plan(folders), quiet)
    assert set(result.results.metrics) == {"env_corr"}
    assert set(result.rows[0]) == {
        *("clip", "group", "cluster"),
        *("env_corr", "true_onsets", "generated_onsets"),
    }


def test_a_run_on_late_audio_is_aligned_and_reports_it_every_time(make_plan, tmp_path):
    clips, made, samples = tmp_path / "clips", tmp_path / "made", pulses(8.2)
    clips.mkdir()
    for name, late_s in (("even", 0.0), ("late", 0.5)):
        late = samples[:, round(late_s * RATE) :]
        write_clip(clips / f"{name}.mkv", [(late_s, late)], RATE, "flac", "s16", n_frames=205)
        write_wav(made / f"{name}.wav", samples)
    how = {"metrics": ("env_corr",), "split": f"folder:{clips}"}
    for model in (f"precomputed:{made}", "ground-truth"):
        plan = make_plan(model, **how)
        first = run(plan, quiet).results
        assert first.metrics["env_corr"].value == pytest.approx(1.0, abs=1e-3)
        assert media_notes_of(first.notes) == ["1 " + GAP.format(2, "clips", "late")]
        assert run(plan, quiet).results == first


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("LOUD", "3 of 3 samples exceeded full scale and were limited to it "),
        (
            "ALMOST",
            "3 of 3 samples ended early (clip_000000, clip_000001, clip_000002): up to 0.01",
        ),
    ],
)
def test_a_run_reports_what_was_changed_in_its_samples(make_plan, model, note):
    plan = make_plan(f"tests.pipeline.systems:{model}", metrics=("env_corr",))
    for _ in range(2):
        notes = run(plan, quiet).results.notes
        assert [each for each in notes if each.startswith(note)], notes


def test_up_to_three_clips_are_named_and_all_are_counted():
    entries = {name: {"peak": 1.0 + number / 8} for number, name in enumerate("abcdef", 1)}
    [note] = sample_notes({**entries, "g": {}}.items())
    assert note == (
        "6 of 7 samples exceeded full scale and were limited to it (a, b, c and 3 more), up to 1.75"
    )
