"""The list of clips that reach a threshold of ImageBind, and how far it can be trusted.

The paper keeps 8,676 test clips with a score of at least 0.3, and states neither its list nor how
its scores were computed. The report beside a list counts what can make another one of it: clips
that are not here, scores near the threshold, other windows of the audio.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.datasets.vggsound import vggsound_directory
from bench.errors import BenchError
from bench.inputs import read_lines
from bench.io import atomic_path, read_json, write_json
from bench.matching import parse_canonical_name
from bench.pipeline.ib_filter import NEAR, FilterPlan, ScoredClip, is_near
from bench.splits.vggsound import FILTERED, PAPER_CLIPS

#: The two distances from the threshold within which clips are counted.
BORDERS = (0.005, 0.01)
#: Where fine-tuning looks for scores: ``acfoley.train.clips``.
TRAINING_SCORES = "scores.csv"


@dataclass(frozen=True)
class Windows:
    """What the windows of pytorchvideo 0.1.5 would change: ``clips`` near the threshold by both.

    ``gained`` of them reach it in those windows alone, ``lost`` in the pinned ones alone; clips
    farther from the threshold than ``within`` were scored in the pinned windows only.
    """

    within: float
    clips: int
    gained: int
    lost: int
    largest_change: float | None


@dataclass(frozen=True)
class Overlap:
    """What a list and another one share. ``unscored`` of the other's clips have no score here."""

    file: str
    names: int
    both: int
    only_here: int
    only_there: int
    unscored: int


@dataclass(frozen=True)
class FilterReport:
    """The list, and what decides its length. ``paper`` is the paper's number where it has one."""

    file: str
    list: str
    profile: str
    min_ib: float
    kept: int
    sha256: str
    paper: int | None
    clips: int
    scored: int
    missing: int
    unusable: int
    failed: int
    border: Mapping[str, int]
    windows: Windows
    compared: Overlap | None
    extractors: Mapping[str, str]


def list_path(plan: FilterPlan) -> Path:
    """Return the file of the list: names of test clips, or the scores of clips to train on."""
    name = f"ib{plan.min_ib:g}.txt" if plan.list_name == "test" else TRAINING_SCORES
    return vggsound_directory() / name


def report_path(plan: FilterPlan) -> Path:
    """Return the file of the report."""
    suffix = "" if plan.list_name == "test" else f"-{plan.list_name}"
    return vggsound_directory() / f"ib{plan.min_ib:g}{suffix}.json"


def require_own_list(plan: FilterPlan) -> None:
    """Refuse to replace a list that is not one of these scores, such as a published one.

    Raises:
        BenchError: the list is there, and no report beside it has its SHA-256 and this profile.
    """
    path = list_path(plan)
    if not path.is_file():
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    reports = [read_json(each) for each in sorted(vggsound_directory().glob("ib*.json"))]
    own = [each for each in reports if each.get("sha256") == digest]
    if not any(each.get("profile") == plan.judge.profile for each in own):
        raise BenchError(
            f"{path} is there already, and was not computed by the profile {plan.judge.profile} "
            f"here (SHA-256 {digest[:12]}): move it away, or replace it with --force"
        )


@dataclass(frozen=True)
class OtherList:
    """The canonical names of a list to compare with, and the name of its file."""

    file: str
    names: frozenset[str]


def read_other_list(plan: FilterPlan, path: Path) -> OtherList:
    """Return the list in ``path``: names of clips in any published scheme, one a line.

    Raises:
        BenchError: it cannot be read, or has no name of the plan's list.
    """
    written = [line.removesuffix(".mp4") for _, line in read_lines(path, "the names of clips in")]
    names = frozenset(parse_canonical_name(name) or name for name in written)
    if names.isdisjoint(row.clip for row in plan.rows):
        raise BenchError(
            f"{path} names no clip of the {plan.list_name} list of VGGSound: expected one name a "
            "line, <id>_<start second, six digits> or <id>_<start ms>_<end ms>"
        )
    return OtherList(path.name, names)


def write_list(
    plan: FilterPlan, rows: Sequence[ScoredClip], other: OtherList | None = None
) -> FilterReport:
    """Write the list and its report, and return the report."""
    kept = [row.clip for row in rows if row.score is not None and row.score >= plan.min_ib]
    if plan.list_name == "test":
        content = "".join(f"{name}\n" for name in kept)
    else:
        # All of them: the stage of training that selects has a threshold of its own.
        scored = (f"{row.clip},{row.score!r}\n" for row in rows if row.score is not None)
        content = "".join(["name,score\n", *scored])
    path = list_path(plan)
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    problems = {row.clip: row for row in plan.rows if row.problem}
    n_missing = sum(not row.path for row in problems.values())
    report = FilterReport(
        file=path.name,
        list=plan.list_name,
        profile=plan.judge.profile,
        min_ib=plan.min_ib,
        kept=len(kept),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        paper=PAPER_CLIPS if path.name == FILTERED else None,
        clips=len(rows),
        scored=sum(row.score is not None for row in rows),
        missing=n_missing,
        unusable=len(problems) - n_missing,
        failed=sum(row.score is None and row.clip not in problems for row in rows),
        border={f"{d:g}": sum(is_near(row, plan.min_ib, d) for row in rows) for d in BORDERS},
        windows=_compare_windows(rows, plan.min_ib),
        compared=_compare(rows, kept, other) if other else None,
        extractors=plan.versions,
    )
    write_json(report_path(plan), asdict(report))
    return report


def _compare_windows(rows: Sequence[ScoredClip], min_ib: float) -> Windows:
    near = [
        (row.score, row.release_score)
        for row in rows
        if is_near(row, min_ib) and row.score is not None and row.release_score is not None
    ]
    sides = [(pinned >= min_ib, release >= min_ib) for pinned, release in near]
    return Windows(
        within=NEAR,
        clips=len(near),
        gained=sum(release and not pinned for pinned, release in sides),
        lost=sum(pinned and not release for pinned, release in sides),
        largest_change=max((abs(a - b) for a, b in near), default=None),
    )


def _compare(rows: Sequence[ScoredClip], kept: Sequence[str], other: OtherList) -> Overlap:
    here, scores = set(kept), {row.clip: row.score for row in rows}
    return Overlap(
        file=other.file,
        names=len(other.names),
        both=len(here & other.names),
        only_here=len(here - other.names),
        only_there=len(other.names - here),
        unscored=sum(scores.get(name) is None for name in other.names),
    )


def describe_report(report: FilterReport) -> list[tuple[str, str]]:
    """Return the lines of a table: what, and how many."""

    def count(number: int) -> str:
        return f"{number:,}"

    windows = report.windows
    lines = [
        ("kept", count(report.kept)),
        *([("the paper's", count(report.paper))] if report.paper is not None else []),
        (f"clips of the {report.list} list", count(report.clips)),
        ("missing here", count(report.missing)),
        ("not usable", count(report.unusable)),
        ("failed", count(report.failed)),
        ("scored", count(report.scored)),
        *(
            (f"within {distance} of {report.min_ib:g}", count(n))
            for distance, n in report.border.items()
        ),
        (f"within {windows.within:g}, scored in both windows", count(windows.clips)),
    ]
    if windows.largest_change is not None:
        other = report.kept + windows.gained - windows.lost
        lines += [
            ("  kept by windows at 0, 2, 4 s instead of 0, 3, 6 s", count(other)),
            ("  of them new / lost", f"{windows.gained:,} / {windows.lost:,}"),
            ("  largest change of a score", f"{windows.largest_change:.4f}"),
        ]
    if compared := report.compared:
        lines += [
            (f"names in {compared.file}", count(compared.names)),
            ("  in both", count(compared.both)),
            ("  only here / only there", f"{compared.only_here:,} / {compared.only_there:,}"),
            ("  without a score here", count(compared.unscored)),
        ]
    return lines
