"""Which samples of a run exist, which of them other code or devices made, which are to be made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.digests import file_identity
from bench.errors import RunError
from bench.pipeline.estimate import estimate
from bench.pipeline.journal import Entry, Journal
from bench.pipeline.plan import RunPlan
from bench.pipeline.provenance import UNKNOWN, SampleOrigin
from bench.types import Clip

#: Samples that take longer than this are not made again unless the user agrees.
LONGEST_UNASKED_S = 600.0


@dataclass(frozen=True)
class Samples:
    """The clips of a run by the state of their samples.

    ``changed`` were made by another version, code or weights; ``elsewhere`` by the same on another
    kind of device or in another precision. ``reasons`` are the differences in words.
    """

    missing: tuple[Clip, ...]
    changed: tuple[Clip, ...]
    elsewhere: tuple[Clip, ...]
    reasons: tuple[str, ...]

    @property
    def stale(self) -> tuple[Clip, ...]:
        """Samples that exist, but are not those that would be made now."""
        return self.changed + self.elsewhere


def examine_samples(plan: RunPlan, journal: Journal) -> Samples:
    """Compare the samples of a run with what the plan would make now."""
    found: dict[str, list[Clip]] = {"same": [], "changed": [], "elsewhere": [], "missing": []}
    reasons: dict[str, None] = {}
    origins: dict[str, SampleOrigin] = {}
    for clip in plan.recalled(plan.clips):
        entry = journal.find("sample", clip.name, plan.sample_fingerprint(clip))
        # A sample that was deleted, or replaced by another file, is not the one of the entry.
        if entry is None or entry["file"] != file_identity(plan.sample_path(clip)):
            found["missing"].append(clip)
            continue
        made_by = str(entry.get("made_by"))
        if made_by not in origins:
            origins[made_by] = recorded_origin(journal, entry)
        origin = origins[made_by]
        kinship = origin.compare(plan.origin)
        found[kinship].append(clip)
        if kinship == "changed":
            reasons.update(dict.fromkeys(origin.describe_changes(plan.origin)))
        elif kinship == "elsewhere":
            reasons[
                f"made on {_describe_device(origin)}, this is {_describe_device(plan.origin)}"
            ] = None
    return Samples(
        tuple(found["missing"]),
        tuple(found["changed"]),
        tuple(found["elsewhere"]),
        tuple(reasons),
    )


def _describe_device(origin: SampleOrigin) -> str:
    return f"{origin.device} in {origin.dtype}" if origin.dtype else origin.device


def choose_clips(plan: RunPlan, samples: Samples) -> list[Clip]:
    """Return the clips to make samples for, in the order of the run.

    Raises:
        RunError: samples would be made over again, and that is long, or only the device differs;
            the message names the options.
    """
    if plan.stale == "keep":
        return list(samples.missing)
    if plan.stale == "ask" and samples.elsewhere:
        raise RunError(
            f"{len(samples.elsewhere)} of {len(plan.clips)} samples in {plan.directory} were "
            f"{'; '.join(samples.reasons)}: --keep-samples scores them as they are, "
            "--yes makes them again here"
        )
    n_again = len(samples.stale)
    seconds = estimate(plan, to_generate=n_again, to_score=0).times["generate"].seconds
    if plan.stale == "ask" and seconds > LONGEST_UNASKED_S:
        raise RunError(
            f"{describe_stale(plan, samples)}; to make them again takes about "
            f"{seconds / 60:.0f} min: --yes does that, --keep-samples scores them as they are"
        )
    wanted = {clip.name for clip in (*samples.missing, *samples.stale)}
    return [clip for clip in plan.clips if clip.name in wanted]


def describe_stale(plan: RunPlan, samples: Samples) -> str:
    """Return how many samples would be made otherwise now, and why; "" where none."""
    if not samples.stale:
        return ""
    return (
        f"{len(samples.stale)} of {len(plan.clips)} samples were made otherwise than they would be "
        f"now ({'; '.join(samples.reasons)})"
    )


def remember_sample(
    plan: RunPlan, journal: Journal, clip: Clip, made_from: str, notes: Mapping[str, Any]
) -> None:
    """Write to the journal that a sample exists, what it was made from, and what made it."""
    origin = plan.origin
    if journal.find("origin", origin.key, origin.key) is None:
        journal.add("origin", origin.key, origin.key, origin=asdict(origin))
    journal.add(
        "sample",
        clip.name,
        made_from,
        file=file_identity(plan.sample_path(clip)),
        made_by=origin.key,
        **notes,
    )


def recorded_origin(journal: Journal, entry: Entry) -> SampleOrigin:
    """Return what made the sample of a journal's entry."""
    found = journal.latest("origin", str(entry.get("made_by")))
    return SampleOrigin(**found["origin"]) if found else UNKNOWN


def count_origins(journal: Journal, clips: Iterable[Clip]) -> tuple[dict[str, Any], ...]:
    """Return what made the samples of these clips, the most frequent first, with their number."""
    entries = (journal.latest("sample", clip.name) for clip in clips)
    made_by = Counter(str(each.get("made_by")) for each in entries if each and "file" in each)
    count: Counter[str] = Counter()
    by_key: dict[str, SampleOrigin] = {}
    for name, n in made_by.items():
        origin = recorded_origin(journal, {"made_by": name})
        count[origin.key] += n
        by_key[origin.key] = origin
    ordered = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    return tuple({"samples": n, **asdict(by_key[key])} for key, n in ordered)
