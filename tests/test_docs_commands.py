"""Every command line in the documentation is one that the commands here accept; none is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from tests.conftest import ROOT

#: Not CHANGELOG.md: it names what there was.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
#: What readers type; blocks in other languages are files and output.
SHELLS = ("", "bash", "sh", "console")
FENCED = re.compile(r"^ {0,3}```(\w*)\n(.*?)^ {0,3}```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
INLINE = re.compile(r"`((?:bench|acfoley|make) [^`\n]+)`")
COMMANDS = ("bench", "acfoley", "make")
STARTED = re.compile(r"(?:^|[;&|] |\bdo |-m )\s*(?:\$ )?(?:\S+/)?(?:bench|acfoley|make) (?! )")
#: A word that stands for something of the reader's: RUN, $model, ...
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|\$\w+|\.\.\.")
#: How a command fails that is only a part of one.
PARTS = ("MissingParameter", "BadOptionUsage", "NoArgsIsHelpError")
#: What pages declare themselves: docs/your-model.md.
DECLARED = {"my-model"}


def read_commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the words of each command of a page, and whether it is whole: prose may name a part."""
    fenced = [code for language, code in FENCED.findall(text) if language in SHELLS]
    prose = FENCED.sub("", text)
    for block in (*fenced, *INDENTED.findall(prose)):
        for line in block.replace("\\\n", " ").splitlines():
            yield from ((words, True) for words in _split(line))
    for line in INLINE.findall(INDENTED.sub("", prose)):
        yield from ((words, False) for words in _split(line))


def _split(line: str) -> Iterator[list[str]]:
    # Brackets are around what may be left out.
    line = re.sub(r"(?<= )\[(--[^\]]+)\]", r"\1", line)
    if not STARTED.search(line):
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in (*lexer, ";"):
        if set(word) - set("();<>|&"):
            words.append(word)
            continue
        for i, each in enumerate(words):
            is_module = i > 0 and words[i - 1] == "-m"
            if Path(each).name in COMMANDS and (is_module or not i or words[:i] == ["do"]):
                yield [Path(each).name, *words[i + 1 :]]
                break
        words = []


def find_problem(words: list[str], is_whole: bool = True) -> str:
    """Return what is wrong with a command, "" for nothing."""
    name, *rest = words
    if name == "make":
        unknown = {each for each in rest if "=" not in each} - make_targets()
        return f"no target {', '.join(sorted(unknown))} in the Makefile" if unknown else ""
    command = root_command(name)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return "" if PLACEHOLDER.fullmatch(rest[0]) else f"no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    rest = ["1" if word == "N" else word for word in rest]
    try:
        context = command.make_context(name, rest)
    except (typer.Exit, SystemExit):  # --help, --version
        return ""
    except Exception as error:
        is_part = type(error).__name__ in PARTS
        return "" if is_part and not is_whole else f"{type(error).__name__}: {error}"
    problems = (_find_unknown(context, each) for each in command.params)
    return next((problem for problem in problems if problem), "")


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def root_command(name: str) -> Any:
    if name == "acfoley":
        from acfoley.cli import app
    else:
        from bench.cli.app import app
    return get_command(app)


def _find_unknown(context: Any, parameter: Any) -> str:
    """Return a sentence on a value that the shell would not complete, where it completes any."""
    given = context.params.get(parameter.name)
    if parameter._custom_shell_complete is None or not given:
        return ""
    for value in given if isinstance(given, (list, tuple)) else str(given).split(","):
        if PLACEHOLDER.fullmatch(value) or value in DECLARED:
            continue
        name, colon, _ = value.partition(":")
        known = {item.value for item in parameter.shell_complete(context, name)}
        is_of_reader = parameter.name != "split" and re.fullmatch(r"[\w.]+:[A-Z]\w*", value)
        if f"{name}{colon}" not in known and not is_of_reader:
            return f"no {parameter.name} {value!r}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_parses(page):
    text = page.read_text(encoding="utf-8")
    problems = [
        f"{' '.join(words)}: {problem}"
        for words, is_whole in read_commands(text)
        if (problem := find_problem(words, is_whole))
    ]
    assert problems == []


def test_commands_are_found():
    found = [command for page in PAGES for command in read_commands(page.read_text("utf-8"))]
    assert len([whole for _, whole in found if whole]) > 150
    assert {words[0] for words, _ in found} == set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("bench rnu --split mini", "no command 'rnu'"),
        ("bench run --splt mini", "NoSuchOption"),
        ("bench run --limit 0", "BadParameter"),
        ("bench score --generated OUT", "MissingParameter"),
        ("bench run --split mni", "no split 'mni'"),
        ("bench run --model acfoley,silense", "no model 'silense'"),
        ("bench run --profile published", "no profile 'published'"),
        ("bench table 8 --world mars", "no world 'mars'"),
        ("bench data prepare mini --clip 3", "NoSuchOption"),
        ("bench compare A B C", "UsageError"),
        ("for i in 1 2; do bench verify; done", "MissingParameter"),
        ("acfoley generate --vidio in.mp4", "NoSuchOption"),
        ("torchrun -m acfoley trian", "no command 'trian'"),
        ("make demmo", "no target demmo"),
    ],
)
def test_a_wrong_command_is_found(line, problem):
    ((words, is_whole),) = read_commands(f"```bash\n{line}\n```")
    assert problem in find_problem(words, is_whole)


def test_prose_may_name_a_part_of_a_command_but_no_option_that_there_is_not():
    parts = list(read_commands("Use `bench score --clap` and `bench score --clapp`."))
    assert [bool(find_problem(*part)) for part in parts] == [False, True]
