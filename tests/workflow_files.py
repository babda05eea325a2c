"""What tests read of workflow files: their scripts, and the calls of ``bench`` in a script."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer
import yaml
from typer.main import get_command

from bench.cli.app import app

#: What a command raises: ``click.UsageError``, or that of the click that newer typer brings along.
UsageError: type[Any] = typer.BadParameter.__mro__[1]
#: The arguments after ``bench``, up to a redirection, a pipe, a comment or another command.
CALL = re.compile(r"^\s*bench (.*?)(?:\s*(?:\d?>|\||#|&&).*)?$", re.MULTILINE)


def read_workflow(path: Path) -> dict[str, Any]:
    """Return a workflow; its key ``on`` is a truth value to YAML 1.1."""
    found = yaml.safe_load(path.read_text())
    return {"on": found.pop(True), **found}


def read_scripts(workflow: dict[str, Any]) -> list[str]:
    """Return the shell scripts of all steps."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["run"] for step in steps if "run" in step]


def read_commands(script: str) -> list[list[str]]:
    """Return the arguments of each call of ``bench`` in a shell script, without redirections."""
    text = re.sub(r"\\\n\s*", " ", script)
    # ``${RULES:+--rules "$RULES"}`` is an option where the variable is set.
    text = re.sub(r"\$\{\w+:\+([^}]*)\}", r"\1", text)
    return [shlex.split(each) for each in CALL.findall(text)]


def find_mistake(arguments: list[str]) -> str:
    """What ``bench`` refuses of these arguments before it does anything; "" if nothing.

    Values are not converted: in a script they are variables.
    """
    command: Any = get_command(app)
    words = list(arguments)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"no command {' '.join(arguments)}"
        command = command.commands[words.pop(0)]
    parser = command.make_parser(command.context_class(command))
    try:
        found, rest, _ = parser.parse_args(words)
    except UsageError as error:
        return error.format_message()
    missing = [each.name for each in command.params if each.required and not found.get(each.name)]
    if rest or missing:
        return f"more than expected: {rest}, missing: {missing}"
    return ""
