"""The workflows of docs/ are valid, use commands that exist, and their script does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from bench.cli.app import app
from tests.conftest import ROOT

FILES = sorted((ROOT / "docs" / "workflows").glob("*-submission.yml")) + [
    ROOT / "docs" / "workflows" / "publish-board.yml"
]
#: Stands for bench: repeats what it is given, and refuses a run that is called bad.
STAND_IN = """#!/bin/bash
echo "$@" >> "$CALLS"
case "$1" in
  verify) echo '```'; echo 'said of <b>a run</b>'; case "$2" in *bad*) exit 1 ;; esac ;;
  compare) [ -e "$2" ] && echo '| a table |' > "${@: -1}" ;;
esac
"""


def scripts(path: Path) -> list[str]:
    """The shell scripts of a workflow."""
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def bench_calls(text: str) -> list[list[str]]:
    """The arguments of every call of bench in a text."""
    return [shlex.split(line) for line in re.findall(r"^\s*bench ([^#\n>|]*)", text, re.MULTILINE)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_has_steps_and_no_more_rights_than_it_needs(path):
    found = yaml.safe_load(path.read_text())
    assert all(job["steps"] for job in found["jobs"].values())
    rights = found["permissions"]
    # YAML reads the key ``on`` as true.
    if "pull_request" in found[True]:
        assert rights == {"contents": "read"}
    if "pull-requests" in rights:
        assert not any("checkout" in line for line in path.read_text().splitlines())
    # Text of others inside a script would be a part of the script.
    assert not any("${{" in script for script in scripts(path))


@pytest.mark.parametrize("path", [*FILES, ROOT / "docs" / "leaderboard.md"], ids=lambda p: p.stem)
def test_every_command_and_option_exists(path):
    text = path.read_text() if path.suffix == ".md" else "\n".join(scripts(path))
    calls = bench_calls(text)
    assert calls or path.stem == "comment-submission"
    for command, *arguments in calls:
        found = get_command(app).commands[command]
        while arguments and hasattr(found, "commands"):
            found = found.commands[arguments.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {each for each in arguments if each.startswith("--")} <= known


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *names, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("name", "code"), [("good", 0), ("bad", 1), ("$(touch owned)", 1)])
def test_the_script_verifies_what_is_new_and_quotes_what_it_reads(tmp_path, name, code):
    repository = tmp_path / "repository"
    (repository / "submissions" / "reference").mkdir(parents=True)
    (repository / "submissions" / "reference" / "scores.json").write_text("{}")
    git(tmp_path, "init", "-q", str(repository))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "base")
    base = git(repository, "rev-parse", "HEAD").strip()
    (repository / "submissions" / name).mkdir()
    (repository / "submissions" / name / "scores.json").write_text("{}")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "a run")
    (tmp_path / "bench").write_text(STAND_IN)
    (tmp_path / "bench").chmod(0o755)
    script = next(s for s in scripts(ROOT / "docs/workflows/verify-submission.yml") if "diff" in s)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "BASE_SHA": base,
        "BASE_RUN": "submissions/reference",
        "PULL_REQUEST": "7",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    done = subprocess.run(["bash", "-e", "-c", script], cwd=repository, env=environment)  # noqa: S603, S607
    assert done.returncode == code
    assert not (repository / "owned").exists()
    comment = (repository / "outcome" / "comment.md").read_text()
    if "$" in name:
        assert "nothing was verified" in comment
        return
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith(f"verify submissions/{name} --sample 32 --json outcome/")
    assert calls[1].startswith(f"compare base/submissions/reference submissions/{name} ")
    assert "    said of <b>a run</b>\n" in comment
    assert "\n| a table |\n" in comment
    assert (repository / "outcome" / "number").read_text() == "7"
