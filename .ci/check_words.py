"""Refuse identifiers that speak the old dialect: the table of words in CONTRIBUTING.md decides.

python .ci/check_words.py [FILE ...]    all Python files of the repository where none is named

An identifier is split at underscores and capitals; a part that the table's first column lists is
refused with the words of its second column. Names of other packages, and of the adapter contract
that users' systems declare, are accepted. Prose is not checked: no list can write plainly.
"""

from __future__ import annotations

import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("acfoley", "baselines", "bench", "benchmarks", "reports", "tests")
#: Names of soundfile and hear21passt, and a field of ``bench.system.System`` that users set.
ACCEPTED = {"SoundFileError", "hear21passt", "lacks"}
PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
ROW = re.compile(r"^\| `(?P<words>[^|]+)` \| (?P<use>[^|]+) \|$", re.MULTILINE)


def main() -> int:
    """Print every refused identifier with its position; 1 if there is one."""
    words = read_words(ROOT / "CONTRIBUTING.md")
    named = [Path(name) for name in sys.argv[1:]]
    files = named or [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    problems = [problem for path in files for problem in find_problems(path, words)]
    print("\n".join(problems) or f"words: {len(files)} files, no identifier in the old dialect")
    return 1 if problems else 0


def read_words(page: Path) -> dict[str, str]:
    """Each refused word with what to use instead, from the table of the page."""
    rows = ROW.finditer(page.read_text(encoding="utf-8"))
    words = {word: row["use"] for row in rows for word in row["words"].split("`, `")}
    if not words:
        raise SystemExit(f"{page} has no table of words: rows like | `picture` | video |")
    return words


def find_problems(path: Path, words: dict[str, str]) -> list[str]:
    """One line per identifier of a file that has a refused part, where it occurs first."""
    found: dict[str, str] = {}
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type != tokenize.NAME or token.string in ACCEPTED | found.keys():
                continue
            refused = [part for part in PARTS.findall(token.string) if part.lower() in words]
            if refused:
                found[token.string] = (
                    f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:"
                    f"{token.start[0]}: {token.string}: not {refused[0].lower()!r} but "
                    f"{words[refused[0].lower()]}"
                )
    return list(found.values())


if __name__ == "__main__":
    sys.exit(main())
