"""Notes of a result on its media: choices that were made in reading them, and what is unusual.

They are counted over the scored clips, from remarks that are stored beside the features, so that a
second run has the same notes as the first. No note changes a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.errors import format_names
from bench.pipeline.journal import Entry
from bench.pipeline.roles import Keys, Pair, Role, Scoring, remarks_of

#: The roles of the true side of a clip.
TRUE_ROLES: tuple[Role, ...] = ("target", "reference", "picture")
GENERATED_ROLES: tuple[Role, ...] = ("generated",)


@dataclass(frozen=True)
class Rule:
    """Above which limit a number of a file is noted, and the text of the note.

    ``before`` precedes the names of the clips; ``after`` follows, with the maximum as ``most``.
    """

    number: str
    limit: float
    before: str
    after: str


MEDIA_RULES = (
    Rule(
        "start_gap_s",
        0.02,
        "have audio and video that start more than 20 ms apart",
        ": published evaluators count from the first sample",
    ),
    Rule("n_audio_tracks", 1, "have several audio tracks", ": the default one is read"),
    Rule("n_video_tracks", 1, "have several video tracks", ": the default one is read"),
    # Half a step of 16 bits beyond is rounding.
    Rule("peak", 1 + 0.5 / 32768, "exceed full scale", ", up to {most:.4g}"),
    Rule(
        "repaired_s",
        0,
        "have holes or overlaps in their audio time stamps",
        ": up to {most:.3g} s of silence were put in, or cut",
    ),
)

#: What ``bench.pipeline.generate.fit`` writes to the journal.
SAMPLE_RULES = (
    Rule("peak", 1, "exceeded full scale and were limited to it", ", up to {most:.4g}"),
    Rule("padded_s", 0, "ended early", ": up to {most:.3g} s of silence were added"),
)


def media_notes(
    scored: Sequence[tuple[Pair, Keys]], scoring: Scoring, noun: str, roles: Sequence[Role]
) -> tuple[str, ...]:
    """Return the notes on the files in these ``roles``, which together are one ``noun`` a clip."""

    def numbers_of(pair: Pair, keys: Keys) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for role in roles:
            for name, value in remarks_of(role, keys, scoring).items():
                numbers[name] = max(numbers.get(name, 0.0), abs(value.item()))
        return numbers

    found = ((pair.clip.name, numbers_of(pair, keys)) for pair, keys in scored)
    return _notes(noun, found, MEDIA_RULES)


def sample_notes(entries: Iterable[tuple[str, Entry]]) -> tuple[str, ...]:
    """Return what was done to samples to fit them, from each clip and its entry in the journal."""
    names = [rule.number for rule in SAMPLE_RULES]
    found = ((clip, {name: float(entry.get(name, 0)) for name in names}) for clip, entry in entries)
    return _notes("samples", found, SAMPLE_RULES)


def _notes(
    noun: str, found: Iterable[tuple[str, Mapping[str, float]]], rules: Sequence[Rule]
) -> tuple[str, ...]:
    """Count the clips above each limit; only those are kept, of which there are few."""
    names, above = set[str](), {rule.number: dict[str, float]() for rule in rules}
    for clip, numbers in found:
        names.add(clip)  # that of one reference may come several times
        for rule in rules:
            if (number := numbers.get(rule.number, 0)) > rule.limit:
                above[rule.number][clip] = max(number, above[rule.number].get(clip, 0))
    notes = []
    for rule in rules:
        if clips := above[rule.number]:
            after = rule.after.format(most=max(clips.values()))
            counted = f"{len(clips)} of {len(names)} {noun} {rule.before}"
            notes.append(f"{counted} ({format_names(sorted(clips))}){after}")
    return tuple(notes)
