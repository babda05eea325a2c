"""``--reference-from``: which audio is the reference of a clip, and how far it is from the clip.

same-clip      the clip's own audio after its target: the paper's protocol, which is unchanged
same-class     that of another clip with the same label
other-class    that of another clip with a different label

The clip whose audio it is is drawn by the clip's name and the run's seed, among those whose files
are here. A clip for which there is none is refused, with the reason. Systems receive the reference
and do not learn where it is from.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.archives import is_file
from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.splits.split import Refusal, Split
from bench.types import Clip

SAME_CLIP, SAME_CLASS, OTHER_CLASS = "same-clip", "same-class", "other-class"
ORIGINS = (SAME_CLIP, SAME_CLASS, OTHER_CLASS)
#: The distance from the reference, which these splits are about.
METRIC = "mcd_ref"


@dataclass(frozen=True)
class _Ring:
    """Clips by a random position each, which depends on the name of the clip and on the seed.

    Whoever has a few clips fewer draws the same clip for all others: only draws of those that are
    missing go on to the next one.
    """

    positions: Sequence[int]
    clips: Sequence[Clip]

    @classmethod
    def of(cls, clips: Iterable[Clip], seed: int) -> _Ring:
        placed = sorted((stable_seed("source", each.name, seed), each.name, each) for each in clips)
        return cls([position for position, *_ in placed], [clip for *_, clip in placed])

    def draw(self, clip: Clip, position: int, *, is_same_class: bool) -> Clip | None:
        """Return the first clip from ``position`` on that can give ``clip`` its reference."""
        start, n, own = bisect(self.positions, position), len(self.clips), _label(clip)
        turned = (self.clips[(start + i) % n] for i in range(n))
        return next(
            (
                each
                for each in turned
                if _source(each) != _source(clip) and (_label(each) == own) == is_same_class
            ),
            None,
        )


def draw_references(split: Split, origin: str, seed: int) -> Split:
    """Return ``split`` with references of ``origin``, and ``mcd_ref`` among its columns.

    ``same-clip`` changes nothing else: it is the run that has no such option.

    Raises:
        BenchError: there is no such origin, no clip of the split has a reference from its own
            audio, or none has a partner.
    """
    if origin not in ORIGINS:
        raise BenchError(f"no references from {origin!r}; there are: {', '.join(ORIGINS)}")
    _require_own_references(split)
    metrics = tuple(dict.fromkeys((*split.metrics, METRIC)))
    if origin == SAME_CLIP:
        return replace(split, metrics=metrics)
    givers, among = _find_givers(split)
    sources = _draw_sources(split.clips, givers, seed, is_same_class=origin == SAME_CLASS)
    clips = [
        replace(clip, reference=source.reference)
        for clip in split.clips
        if (source := sources[clip.name])
    ]
    remedy = f"; run: {split.preparation}" if among and split.preparation else ""
    refused = [
        Refusal(clip.name, f"{_explain(clip, origin)}{among}{remedy}")
        for clip in split.clips
        if sources[clip.name] is None
    ]
    if not clips:
        raise BenchError(
            f"no clip of {split.name} has a reference from {origin}, e.g. {refused[0].clip}: "
            f"{refused[0].reason}"
        )
    return replace(
        split,
        clips=tuple(clips),
        metrics=metrics,
        refused=(*split.refused, *refused),
        notes=(*split.notes, _describe(origin, seed, among)),
        references=origin,
        sources={name: source.name for name, source in sources.items() if source},
    )


def _find_givers(split: Split) -> tuple[list[Clip], str]:
    """The clips that can give a reference, and words on how many, where files of some are missing.

    Where all are missing, all count: the command that prepares them is named before a run.
    """
    able = [clip for clip in split.clips if clip.reference and _label(clip)]
    here = [clip for clip in able if clip.reference and is_file(clip.reference.path)]
    if len(here) in (0, len(able)):
        return able, ""
    return here, f", among the {len(here)} of {len(able)} clips that are here"


def _draw_sources(
    clips: Sequence[Clip], givers: Sequence[Clip], seed: int, *, is_same_class: bool
) -> dict[str, Clip | None]:
    """The clip that gives each clip its reference, None where there is none."""
    # One clip for each reference: a target under five prompts has one five times.
    givers = list({clip.reference: clip for clip in reversed(givers)}.values())
    by_label: dict[str, list[Clip]] = {}
    for each in givers:
        by_label.setdefault(_label(each), []).append(each)
    everyone = _Ring.of(givers, seed)
    rings = {label: _Ring.of(alike, seed) for label, alike in by_label.items()}
    sources: dict[str, Clip | None] = {}
    for clip in clips:
        ring = rings.get(_label(clip)) if is_same_class else everyone
        position = stable_seed("reference", clip.name, seed)
        # Without a label it is not known what another clip has in common with this one.
        sources[clip.name] = (
            ring.draw(clip, position, is_same_class=is_same_class)
            if ring and _label(clip)
            else None
        )
    return sources


def _require_own_references(split: Split) -> None:
    """Refuse a protocol with references of its own, and clips that are all too short for one."""
    found = [clip for clip in split.clips if clip.reference]
    if not found:
        raise BenchError(f"no clip of {split.name} has a reference: all end with their targets")
    foreign = [
        clip.name
        for clip in found
        if clip.audio is None or (clip.reference and clip.reference.path != clip.audio.path)
    ]
    if foreign:
        raise BenchError(
            f"--reference-from takes references from the clips' own audio, and split {split.name} "
            f"has clips whose reference is not their own, such as {foreign[0]}; choose another one"
        )


def _label(clip: Clip) -> str:
    """The label for comparison: case and blanks do not count."""
    return " ".join((clip.label or clip.prompt).casefold().split())


def _source(clip: Clip) -> str:
    """What clips share that are of one recording, whose reference would be the clip's own."""
    return clip.cluster or clip.name


def _explain(clip: Clip, origin: str) -> str:
    if not _label(clip):
        return f"it has no label, which a reference from {origin} needs"
    which = "the label" if origin == SAME_CLASS else "another label than"
    return f"no other clip with a reference has {which} {clip.label or clip.prompt!r}"


def _describe(origin: str, seed: int, among: str) -> str:
    label = "the same label" if origin == SAME_CLASS else "another label"
    return f"references are from another clip with {label}, drawn by seed {seed}{among} (run.json)"
