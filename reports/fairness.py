"""What systems declare about a fair comparison, as footnotes of a table and as cells of CSV.

One note for each fact, with the systems that it holds for. A system that has seen a judge is noted
only below tables with a column of that judge. Anchors do not compete and have no notes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from bench.results import Column, Fairness, Results

#: The columns of CSV with what a system declares; several names are separated by "; ".
FAIRNESS_FIELDS = ("given", "trained_on", "judges_seen", "candidates", "non_commercial")
#: Their headings on pages, and what pages print for an empty list.
FAIRNESS_HEADINGS = ("given", "trained on", "judges seen", "candidates", "non-commercial")
NONE = "none"


def fairness_notes(results: Sequence[Results], columns: Sequence[Column]) -> tuple[str, ...]:
    """Return one footnote for each fact that systems with these columns declare."""
    # Conditions and seeds of one system declare the same.
    facts = {each.system: each.fairness for each in results if each.fairness and not each.is_anchor}
    notes = (
        _note("given: ", facts, lambda each: _join(each.given)),
        _note("trained on: ", facts, lambda each: ", ".join(each.trained_on)),
        *_judge_notes(facts, columns),
        _note(
            "candidates per clip, of which the system picks one: ",
            facts,
            lambda each: str(each.candidates) if each.candidates > 1 else "",
        ),
        _note("", facts, lambda each: "not for commercial use" if each.non_commercial else ""),
        _undeclared_note(facts),
    )
    return tuple(note for note in notes if note)


def is_declared(facts: Fairness | None) -> bool:
    """Whether anything is known of a system; nothing is of samples that were made elsewhere."""
    return bool(facts and (facts.given or facts.trained_on or facts.judges_seen))


def _undeclared_note(facts: Mapping[str, Fairness]) -> str:
    """Name the systems of which nothing is known, such as samples that were made elsewhere."""
    names = [name for name, each in facts.items() if not is_declared(each)]
    what = "what it was given and trained on, and which judges it saw, is not declared"
    return f"{what}: {', '.join(names)}" if names else ""


def _judge_notes(facts: Mapping[str, Fairness], columns: Sequence[Column]) -> Iterator[str]:
    """Yield a note for each network that computes some of the columns and that a system has seen.

    It names the systems even where they are all: a reader asks which, not whether.
    """
    networks = dict.fromkeys(seen.network for each in facts.values() for seen in each.judges_seen)
    for network in networks:
        systems: dict[str, list[str]] = {}
        labels: dict[str, None] = {}
        for name, each in facts.items():
            for seen in each.judges_seen:
                found = [column.label for column in columns if column.name in seen.columns]
                if seen.network == network and found:
                    systems.setdefault(seen.how, []).append(name)
                    labels |= dict.fromkeys(found)
        if systems:
            seen_by = (
                f"{_join([*labels])} ({network}) is no independent judge of systems that saw it"
            )
            yield f"{seen_by}: {_by(systems)}"


def _note(text: str, facts: Mapping[str, Fairness], describe: Callable[[Fairness], str]) -> str:
    """Return ``text`` and what is declared, each with its systems unless all declare the same."""
    systems: dict[str, list[str]] = {}
    for name, each in facts.items():
        if found := describe(each):
            systems.setdefault(found, []).append(name)
    if not systems:
        return ""
    if [len(names) for names in systems.values()] == [len(facts)]:
        return text + next(iter(systems))
    return text + _by(systems)


def _by(systems: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{found} ({', '.join(names)})" for found, names in systems.items())


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def fairness_cells(results: Results) -> list[Hashable]:
    """Return the cells of ``FAIRNESS_FIELDS``; empty ones where nothing is declared."""
    facts = results.fairness
    if facts is None:
        return [""] * len(FAIRNESS_FIELDS)
    seen = (f"{judge.network}: {judge.how}" for judge in facts.judges_seen)
    return [
        "; ".join(facts.given),
        "; ".join(facts.trained_on),
        "; ".join(seen),
        facts.candidates,
        facts.non_commercial,
    ]
