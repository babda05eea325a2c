"""Studies from runs: blinded media of one loudness, nothing half-written, clear errors."""

from __future__ import annotations

import errno
import json
import re
import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError, MediaError
from bench.media import read_audio, write_audio
from bench.study import media
from bench.study.assignment import assign_trials
from bench.study.clips import choose_clips, measure_clarity, open_runs
from bench.study.create import StudyOptions, create_study
from bench.study.design import Loudness, read_design
from bench.study.media import (
    find_common_target,
    measure_loudness,
    media_name,
    name_trial_media,
    read_key,
    require_media,
)
from bench.types import Audio, Clip, Excerpt
from tests.study.conftest import ignore
from tests.study.served import write_served_study


@pytest.fixture
def options(run_folders, mini_home, tmp_path, monkeypatch):
    """Encoding takes most of the time, and ``finished_study`` has real videos."""

    def write(video, audio, destination, *, start_s):
        destination.write_bytes(str(destination).encode())

    monkeypatch.setattr("bench.study.media.mux_audio", write)
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    return StudyOptions(tuple(run_folders[:2]), tmp_path / "study", videos=2)


def media_list(study):
    return json.loads((study / "private" / "media.json").read_text("utf-8"))


def test_every_trial_has_its_three_videos(finished_study):
    design, described = read_design(finished_study), media_list(finished_study)
    key = read_key(finished_study)
    require_media(finished_study, design)
    names_used = set()
    for number in range(8):
        for trial in assign_trials(design, number):
            names = name_trial_media(key, trial)
            assert len(set(names.values())) == 3
            assert described[names["true"]]["source"] == "true"
            for side in ("a", "b"):
                about = described[names[side]]
                assert (about["clip"], about["source"]) == (trial.clip, getattr(trial, side))
            names_used |= set(names.values())
    assert names_used == set(described)
    assert {path.stem for path in (finished_study / "media").iterdir()} == names_used


def test_the_versions_of_a_clip_are_equally_loud_and_equally_long(finished_study):
    described = media_list(finished_study)
    loudness = read_design(finished_study).loudness
    by_clip = {}
    for name, about in described.items():
        audio = read_audio(Excerpt(finished_study / "media" / f"{name}.mp4", 0.0, 8.0))
        assert audio.sample_rate_hz == 48_000
        assert audio.samples.shape == (1, 8 * 48_000)
        level = measure_loudness(audio.samples, 48_000)
        by_clip.setdefault(about["clip"], []).append(level)
        assert level == pytest.approx(about["lufs_after"], abs=0.3)  # AAC changes it a little
        assert about["lufs_after"] <= loudness.target_lufs + 0.01
    for levels in by_clip.values():
        assert max(levels) - min(levels) < 0.3


def test_files_reveal_neither_system_nor_order(finished_study):
    files = sorted((finished_study / "media").iterdir())
    assert {path.stat().st_mtime for path in files} == {0.0}
    for path in files:
        assert re.fullmatch(r"[0-9a-f]{32}\.mp4", path.name)
        content = path.read_bytes()
        assert not any(word in content for word in (b"ground-truth", b"reference-loop", b"mini_"))


def test_names_depend_on_the_key_and_on_all_parts():
    names = {
        media_name(key, clip, source, role)
        for key in (b"1", b"2")
        for clip in ("a", "b")
        for source in ("x", "y")
        for role in ("sample", "twin")
    }
    assert len(names) == 16


def test_what_is_private_is_readable_by_the_owner_alone(finished_study):
    private = finished_study / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((private / "key").stat().st_mode) == 0o600
    text = (finished_study / "design.toml").read_text("utf-8")
    assert read_key(finished_study).hex() not in text
    assert not any(name in text for name in media_list(finished_study))


def test_the_same_seed_gives_the_same_design_under_other_names(finished_study, options):
    design, _ = create_study(options, ignore)
    assert design == read_design(finished_study)
    assert not set(media_list(options.out)) & set(media_list(finished_study))


def test_the_design_states_power_clips_and_checks(finished_study):
    design = read_design(finished_study)
    assert design.systems == ("ground-truth", "reference-loop")
    assert design.is_mini
    assert "tell a win rate of 60 % from 50 %" in design.power
    assert [check.kind for check in design.checks] == [
        *("practice", "mismatch", "mismatch", "identical")
    ]
    assert all(check.other != check.clip for check in design.checks)
    assert design.rules.min_median_s == 15.0


def test_a_list_of_clips_is_taken_as_it_is(options, tmp_path):
    (tmp_path / "clips.txt").write_text("mini_000002\nmini_000000\nmini_000001\n")
    options = replace(options, clips=tmp_path / "clips.txt", per_rater=2)
    design, notes = create_study(options, ignore)
    assert {clip.name for clip in design.clips} == {f"mini_00000{i}" for i in range(3)}
    assert design.per_rater == 2
    assert "checks show clips of the study: the runs have too few others" in notes


def test_silence_stays_silent_and_is_noted(options, run_folders):
    options = replace(options, runs=(run_folders[0], run_folders[2]))
    _, notes = create_study(options, ignore)
    rows = [about for about in media_list(options.out).values() if about["source"] == "silence"]
    assert rows
    assert all(about["lufs_after"] is None and about["gain_db"] == 0 for about in rows)
    assert any(note.startswith("silence is silent in mini_") for note in notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"videos": 9}, "have 4 different clips in common, the study needs 9"),
        ({"per_rater": 3}, "--per-rater 3 needs as many clips, the study has 2"),
        ({"split": "mini-hits"}, "--split mini-hits is mini-hits, the runs are of mini"),
    ],
)
def test_what_cannot_be_designed_is_refused_and_leaves_nothing(options, tmp_path, change, message):
    with pytest.raises(BenchError, match=message):
        create_study(replace(options, **change), ignore)
    assert [path.name for path in tmp_path.iterdir() if "study" in path.name] == []


def test_runs_are_two_different_finished_ones(options, run_folders, tmp_path):
    for runs, message in (
        (run_folders[:1], "a study compares two or more runs"),
        ((run_folders[0], run_folders[0]), "two of the runs are the same: ground-truth seed"),
        ((run_folders[0], tmp_path), "holds no finished run"),
    ):
        with pytest.raises(BenchError, match=message):
            create_study(replace(options, runs=tuple(runs)), ignore)


def test_a_folder_that_is_in_use_is_not_overwritten(options):
    options.out.mkdir()
    (options.out / "notes.txt").write_text("mine")
    with pytest.raises(BenchError, match="exists already: name a folder that does not"):
        create_study(options, ignore)
    assert [path.name for path in options.out.iterdir()] == ["notes.txt"]


def test_a_full_disk_leaves_nothing(options, tmp_path, monkeypatch):
    calls = []

    def write(*arguments, **named):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments, **named)

    real = media.mux_audio
    monkeypatch.setattr("bench.study.media.mux_audio", write)
    with pytest.raises(OSError, match="No space left"):
        create_study(options, ignore)
    assert list(tmp_path.glob("*study*")) == []
    assert list(tmp_path.glob(".*study*")) == []


def test_a_missing_sample_is_one_clear_line(options, run_folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(run_folders[1].parents[0], folder)
    copied = folder / run_folders[1].name
    for path in (folder / "samples").glob("*.flac"):
        path.unlink()
    with pytest.raises(MediaError, match=r"\.flac is missing: the same `bench run` again makes it"):
        create_study(replace(options, runs=(run_folders[0], copied)), ignore)
    assert not options.out.exists()


def test_missing_and_changed_videos_are_found(options):
    design, _ = create_study(options, ignore)
    first, second, *_ = sorted((options.out / "media").iterdir())
    first.unlink()
    second.write_bytes(b"other")
    with pytest.raises(BenchError, match=r"2 of \d+ videos .* missing or changed, first"):
        require_media(options.out, design)
    added = replace(design, systems=(*design.systems, "third"))
    with pytest.raises(BenchError, match=r"4 of \d+ videos"):  # its samples on both clips
        require_media(options.out, added)
    (options.out / "private" / "key").write_text("no key")
    with pytest.raises(BenchError, match="cannot read the key of the study"):
        read_key(options.out)


def test_the_target_is_lower_where_a_peak_allows_no_more():
    loudness = Loudness(-23.0, -1.0)
    assert find_common_target([(-30.0, 0.1), (-20.0, 0.9), (None, 0.0)], loudness) == -23.0
    # From -30 LUFS with a peak at -6.02 dB, 5.02 dB are left up to -1 dB.
    assert find_common_target([(-30.0, 0.5)], loudness) == pytest.approx(-24.98, abs=0.01)


def test_loudness_is_that_of_the_standard():
    # ITU-R BS.1770: 997 Hz at 0 dBFS in one channel has -3.01 LUFS.
    times = np.arange(48_000 * 4) / 48_000
    tone = np.sin(2 * np.pi * 997 * times, dtype=np.float32)[np.newaxis]
    assert measure_loudness(tone, 48_000) == pytest.approx(-3.01, abs=0.05)
    assert measure_loudness(np.zeros((1, 48_000), np.float32), 48_000) is None
    with pytest.raises(MediaError, match="cannot measure the loudness of 0.10 s"):
        measure_loudness(tone[:, :4_800], 48_000)


def clip(name, label, cluster=""):
    return Clip(name, None, 8.0, prompt=label, cluster=cluster)


def test_one_clip_of_each_class_first_and_the_clearest_of_five():
    clips = [clip(f"{label}{i}", label) for label in "abc" for i in range(9)]
    found = choose_clips(clips, 3, 0, lambda each: float(each.name[1]))
    assert sorted(each.prompt for each, _ in found) == ["a", "b", "c"]
    assert all(clarity >= 4 for _, clarity in found)  # the best of five of nine
    more = choose_clips(clips, 5, 0, lambda each: float(each.name[1]))
    assert more[:3] == found
    assert len({each.name for each, _ in more}) == 5
    assert choose_clips(clips, 3, 1, lambda each: 0.0) != choose_clips(
        clips, 3, 0, lambda each: 0.0
    )


def test_excerpts_of_one_video_never_come_together():
    clips = [clip("a1", "a", "v"), clip("b1", "b", "v"), clip("c1", "c")]
    assert len(choose_clips(clips, 2, 0, lambda each: 1.0)) == 2
    with pytest.raises(BenchError, match="have 2 different clips in common, the study needs 3"):
        choose_clips(clips, 3, 0, lambda each: 1.0)


def test_a_system_with_a_name_of_a_check_is_refused_before_anything_is_made(options, monkeypatch):
    def call_one_other(directories):
        first, second = open_runs(directories)
        return first, replace(second, label="other")

    monkeypatch.setattr("bench.study.clips.open_runs", call_one_other)
    with pytest.raises(BenchError, match="none called true or other"):
        create_study(options, ignore)
    assert list(options.out.parent.iterdir()) == []


@pytest.mark.parametrize("content", ["[]", '{"x": 3}', '{"x": {"clip": "c"}}', "{"])
def test_a_damaged_list_of_media_is_one_clear_line(tmp_path, content):
    study = write_served_study(tmp_path / "study")
    (study / "private" / "media.json").write_text(content)
    with pytest.raises(BenchError, match=r"media\.json (is no list of videos|as JSON)"):
        require_media(study, read_design(study))


def test_separate_blows_are_clearer_than_noise(tmp_path, rng):
    noise = 0.1 * rng.normal(size=22_050 * 4).astype(np.float32)
    blows = np.zeros_like(noise)
    for start in range(5_000, len(blows) - 3_000, 20_000):
        blows[start : start + 2_000] = noise[:2_000]
    found = {}
    for name, samples in (("noise", noise), ("blows", blows), ("none", 0 * noise)):
        write_audio(tmp_path / f"{name}.wav", Audio(samples[np.newaxis], 22_050))
        found[name] = measure_clarity(Clip(name, Excerpt(tmp_path / f"{name}.wav"), 4.0))
    assert found["blows"] > 2 * found["noise"]
    assert found["none"] == 0.0
