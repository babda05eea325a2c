"""Designs for tests, without media."""

from __future__ import annotations

from bench.study.design import (
    FORMAT,
    IDENTICAL,
    MISMATCH,
    PRACTICE,
    Check,
    Design,
    Loudness,
    Question,
    Rules,
    StudyClip,
    format_design,
)

FIDELITY = Question("fidelity", "Whose audio is most similar to that of the real video?")
SYNC = Question("sync", "Whose audio is better in sync?", "Both good / difficult to choose")


def make_design(n_clips=16, per_rater=None, systems=("one", "two"), **changes) -> Design:
    clips = tuple(StudyClip(f"clip_{i:06d}", f"class {i}", 8.0, 2.0) for i in range(n_clips))
    checks = (
        Check(PRACTICE, "spare_000000", other=clips[0].name),
        Check(MISMATCH, "spare_000001", other=clips[1 % n_clips].name),
        Check(MISMATCH, "spare_000002", other=clips[2 % n_clips].name),
        Check(IDENTICAL, "spare_000003", system=systems[0]),
    )
    values = {
        "format": FORMAT,
        "split": "mini",
        "is_mini": True,
        "seed": 0,
        "per_rater": per_rater or min(16, n_clips),
        "min_play_s": 5.0,
        "asks_panel_id": False,
        "systems": tuple(systems),
        "power": "",
        "rules": Rules(),
        "loudness": Loudness(),
        "questions": (FIDELITY, SYNC),
        "clips": clips,
        "checks": checks,
    }
    return Design(**{**values, **changes})


def write_study(folder, design: Design | None = None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.toml").write_text(format_design(design or make_design()), encoding="utf-8")
    return folder
