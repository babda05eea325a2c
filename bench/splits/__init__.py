"""Splits: named lists of clips, each with its protocol. One file per source of clips.

split.py        Split, the protocol of the paper, selection of clips (--limit, --only, --clip)
verify.py       check that all files decode, and what is silent or still
coverage.py     how many clips of each list of VGGSound are here, and why others are not
references.py   references from the clip itself, from one of its class, or of another class
the others       the sources of clips
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.plugins import OURS, Row, Table, join_rows, read_declarations
from bench.splits.split import Refusal, Split, require_files

__all__ = [
    "SPLITS",
    "Refusal",
    "Split",
    "SplitEntry",
    "find_splits",
    "open_split",
    "require_files",
]


class SplitEntry(NamedTuple):
    """One row of the table: a description, and a function of the argument after the colon."""

    summary: str
    open: Callable[[str], Split]
    argument: str = ""


def _opener(module: str, function: str) -> Callable[[str], Split]:
    """Return ``bench.splits.<module>.<function>`` as the function of a row."""

    def open_it(argument: str) -> Split:
        # Imported only now: the mini world alone takes longer to import than the command line, and
        # listing the splits does not need it.
        split_of = getattr(import_module(f"bench.splits.{module}"), function)
        split: Split = split_of(Path(argument)) if argument else split_of()
        return split

    return open_it


SPLITS: dict[str, SplitEntry] = {
    "mini": SplitEntry(
        "128 procedural clips, 8 s targets, 2 s references", _opener("mini", "open_mini")
    ),
    "mini-hits": SplitEntry(
        "2 s targets, three conditions each (Greatest Hits)", _opener("mini", "open_mini_hits")
    ),
    "mini-references": SplitEntry(
        "16 targets under five references (Table 7)", _opener("mini", "open_mini_references")
    ),
    "mini-conflict": SplitEntry(
        "16 targets under five prompts, from true to unrelated",
        _opener("mini", "open_mini_conflict"),
    ),
    "vggsound-test": SplitEntry(
        "the official test clips of VGGSound", _opener("vggsound", "open_vggsound_test")
    ),
    "vggsound-ib0.3": SplitEntry(
        "those with an ImageBind score of at least 0.3",
        _opener("vggsound", "open_vggsound_filtered"),
    ),
    "vggsound-clean": SplitEntry(
        "those whose label people hear and see (VGGSounder), no music, voice-over or still picture",
        _opener("vggsound", "open_vggsound_clean"),
    ),
    "vggsound-foley": SplitEntry(
        "of these, those in which nobody speaks", _opener("vggsound", "open_vggsound_foley")
    ),
    "vggsound-onscreen": SplitEntry(
        "those in which people see all that they hear",
        _opener("vggsound", "open_vggsound_onscreen"),
    ),
    "vggsound-tvc": SplitEntry(
        "VGGSound clips under five prompts, from true to unrelated (VGGSound-TVC)",
        _opener("tvc", "open_vggsound_tvc"),
    ),
    "greatesthits-pairs": SplitEntry(
        "CondFoley's 582 pairs of Greatest Hits, 2 s each",
        _opener("greatesthits", "open_greatesthits_pairs"),
    ),
    "wavcaps-references": SplitEntry(
        "VGGSound test clips under five references of WavCaps (Table 7)",
        _opener("wavcaps", "open_wavcaps_references"),
    ),
    "foleybench": SplitEntry(
        "the clips of FoleyBench, 8 s targets, 2 s references",
        _opener("foleybench", "open_foleybench"),
    ),
    "moviegen": SplitEntry(
        "the generated videos of Movie Gen Audio Bench, without true audio",
        _opener("moviegen", "open_moviegen"),
    ),
    "vggsound-list": SplitEntry(
        "clips of VGGSound that a list of yours names (MMAudio's, V-AURA's, ...)",
        _opener("vggsound", "open_vggsound_list"),
        "FILE",
    ),
    "folder": SplitEntry(
        "every video in a folder of yours, 10 s each", _opener("folder", "open_folder"), "PATH"
    ),
    "pairs": SplitEntry(
        "targets and conditions from a list of yours", _opener("pairs", "open_pairs"), "FILE"
    ),
}


def find_splits() -> Table:
    """Return the built-in splits and those that installed packages declare, by name."""
    declared = read_declarations("split")
    built_in = [Row(name, entry.argument, entry, OURS) for name, entry in SPLITS.items()]
    return join_rows("split", [*built_in, *declared], declared.problems)


def open_split(spec: str) -> Split:
    """Return the split named by ``name`` or ``name:argument``.

    Raises:
        BenchError: no such split, a missing or superfluous argument, or clips that cannot be
            listed.
    """
    name, _, argument = spec.partition(":")
    splits = find_splits()
    row = splits.find(name)
    if row is None:
        known = ", ".join(dict.fromkeys(each.name for each in splits))
        raise BenchError("; ".join((f"no split {name!r}; there are: {known}", *splits.problems)))
    # Both ways: ``folder`` without a path, and ``mini:something`` whose argument would be ignored.
    if bool(row.argument) != bool(argument):
        raise BenchError(f"split {spec!r} is not understood; write it as {row.usage}")
    # A row of another package may hold anything, and its mistake should not surface later.
    entry = row.load()
    if not isinstance(entry, SplitEntry):
        raise BenchError(
            f"the split {name!r} of {row.package} is a {type(entry).__name__}, expected a "
            "bench.splits.SplitEntry"
        )
    return entry.open(argument)
