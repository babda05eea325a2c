"""The values that a shell completes.

The shell runs ``bench`` after every Tab, so completion loads no model, no torch and no pandas.
"""

from __future__ import annotations

from collections.abc import Iterable


def complete_model(incomplete: str) -> list[str]:
    """Systems by name; those that take an argument end in a colon."""
    from bench.plugins import read_declarations

    rows = read_declarations("system")
    return _matching([f"{row.name}:" if row.argument else row.name for row in rows], incomplete)


def complete_isolated(incomplete: str) -> list[str]:
    """Systems that run in an environment of their own."""
    from bench.isolation import IsolatedSystem
    from bench.plugins import open_system, read_declarations

    rows = [row for row in read_declarations("system") if not row.argument]
    isolated = [row.name for row in rows if isinstance(open_system(row.name), IsolatedSystem)]
    return _matching(isolated, incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Systems by name, after those that are given already, or all of them."""
    return _complete_list(["all", *complete_model("")], incomplete)


def complete_split(incomplete: str) -> list[str]:
    """Splits by name; those that take an argument end in a colon."""
    from bench.splits import find_splits

    rows = find_splits()
    return _matching([f"{row.name}:" if row.argument else row.name for row in rows], incomplete)


def complete_metrics(incomplete: str) -> list[str]:
    """Columns by name, after those that are given already."""
    from bench.suite import DEFAULT_PROFILE, find_metrics

    return _complete_list([row.name for row in find_metrics(DEFAULT_PROFILE)], incomplete)


def complete_profile(incomplete: str) -> list[str]:
    """The profiles of the suite."""
    from bench.suite import PROFILES

    return _matching(PROFILES, incomplete)


def complete_engine(incomplete: str) -> list[str]:
    """Where workers run."""
    from bench.engine.choice import ENGINES

    return _matching(ENGINES, incomplete)


def complete_judge(incomplete: str) -> list[str]:
    """The judges."""
    from bench.judges import JUDGES

    return _matching(JUDGES, incomplete)


def complete_mask(incomplete: str) -> list[str]:
    """Components that can be masked, after those that are given already."""
    from bench.types import COMPONENTS

    return _complete_list(COMPONENTS, incomplete)


def complete_ablated(incomplete: str) -> list[str]:
    """Components to mask in a run each, after those that are given already, or all of them."""
    from bench.types import COMPONENTS

    return _complete_list([*COMPONENTS, "all"], incomplete)


def complete_scope(incomplete: str) -> list[str]:
    """How much of a component is masked."""
    from bench.types import SCOPES

    return _matching(SCOPES, incomplete)


def complete_origin(incomplete: str) -> list[str]:
    """Where references are from."""
    from bench.splits.references import ORIGINS

    return _matching(ORIGINS, incomplete)


def complete_weights(incomplete: str) -> list[str]:
    """The checkpoints of the judges."""
    from bench.checkpoints.registry import OFFICIAL_FILES

    return _matching(OFFICIAL_FILES, incomplete)


def complete_stage(incomplete: str) -> list[str]:
    """The trained variants of Table 4, after those that are given already."""
    return _complete_variants("stage", incomplete)


def complete_pooling(incomplete: str) -> list[str]:
    """The trained variants of Table 5, after those that are given already."""
    return _complete_variants("pooling", incomplete)


def _complete_variants(option: str, incomplete: str) -> list[str]:
    from bench.pipeline.ablation import ABLATIONS

    names = [variant.name for table in ABLATIONS.values() for variant in table[option]]
    return _complete_list([*dict.fromkeys(names), "all"], incomplete)


def complete_conflict(incomplete: str) -> list[str]:
    """The inputs that can be in conflict with the video."""
    from bench.pipeline.ablation import CONFLICTS

    return _matching(CONFLICTS, incomplete)


def complete_match(incomplete: str) -> list[str]:
    """How files of two folders are paired."""
    from bench.pipeline.pairing import MATCHES

    return _matching(MATCHES, incomplete)


def complete_compare_format(incomplete: str) -> list[str]:
    """The formats of a comparison."""
    from bench.cli.compare import FORMATS

    return _matching(FORMATS, incomplete)


def complete_results_format(incomplete: str) -> list[str]:
    """The formats of all results."""
    from bench.cli.results import FORMATS

    return _matching(FORMATS, incomplete)


def complete_lists(incomplete: str) -> list[str]:
    """What ``bench list`` lists."""
    return _matching(("models", "splits", "metrics"), incomplete)


def complete_axis(incomplete: str) -> list[str]:
    """The axes by which clips are in groups."""
    from bench.grouping import KNOWN_AXES

    return _matching(KNOWN_AXES, incomplete)


def complete_format(incomplete: str) -> list[str]:
    """The formats of tables."""
    from reports.formats import STYLES

    return _matching(["terminal", *STYLES], incomplete)


def complete_world(incomplete: str) -> list[str]:
    """Real clips or rendered ones."""
    from reports.published import WORLDS

    return _matching(WORLDS, incomplete)


def complete_figure_format(incomplete: str) -> list[str]:
    """The formats of figures."""
    from bench.figures import FORMATS

    return _matching(FORMATS, incomplete)


def complete_number(incomplete: str) -> list[str]:
    """The tables of the paper."""
    from reports.published import NUMBERS

    return _matching((*NUMBERS, "all"), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _complete_list(names: Iterable[str], incomplete: str) -> list[str]:
    """Completions of the last of several names between commas, with those before it."""
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in _matching(names, last) if name not in given]
