"""The workflows: no more rights than needed, commands that exist, scripts that do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow_files import find_mistake, read_commands, read_scripts, read_workflow

FOLDER = ROOT / "docs" / "workflows"
FILES = [*sorted(FOLDER.glob("*.yml")), *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
PAGES = [ROOT / "docs" / "leaderboard.md", ROOT / "docs" / "ci.md"]
#: The rights of each job.
RIGHTS = {
    "verify-submission": {"verify": {"contents": "read"}},
    "comment-submission": {
        "comment": {"actions": "read", "contents": "read", "pull-requests": "write"}
    },
    "publish-board": {
        "build": {"contents": "read"},
        "deploy": {"pages": "write", "id-token": "write"},
    },
    "regression-gate": {"gate": {"contents": "read", "actions": "read"}},
}
#: What a job with the right to write may use, since none of it runs what a submission contains.
WITH_RIGHTS = {"actions/download-artifact@v4", "actions/deploy-pages@v4"}

#: Stands for bench: repeats what it is given, and refuses a run that is called bad.
BENCH = """#!/bin/bash
echo "$@" >> "$CALLS"
case "$1" in
  verify)
    printf '@someone **wins**\\r[a link](https://example.org)\\033[31m\\n'
    echo '{}' > "${@: -1}"
    case "$2" in *bad*) exit 1 ;; esac ;;
  compare) [ -e "$2" ] && echo '| a table |' ;;
esac
"""
#: Stands for git-lfs and gh: writes down how it is called; gh prints what FAKE_* say.
LFS = '#!/bin/bash\necho "lfs $@" >> "$CALLS"\n'
GH = """#!/bin/bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
  "pr list"*) printf '%s\\n' "$FAKE_OPEN" ;;
  *"contents/"*"ref=$HEAD_SHA"*) echo "$FAKE_BLOB" ;;
  *"contents/"*) echo blob-of-main ;;
  *"actions/workflows/"*) printf '%s\\n' "$FAKE_RUNS" ;;
esac
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_job_has_the_rights_that_it_needs_and_no_others(path):
    found = read_workflow(path)
    rights = {
        name: job.get("permissions", found["permissions"]) for name, job in found["jobs"].items()
    }
    assert rights == RIGHTS[path.stem]
    for job in found["jobs"].values():
        used = {step["uses"] for step in job["steps"] if "uses" in step}
        if "write" in job.get("permissions", found["permissions"]).values():
            assert used <= WITH_RIGHTS
        checkouts = [each for each in job["steps"] if "checkout" in each.get("uses", "")]
        assert all(each["with"]["persist-credentials"] is False for each in checkouts)
    # Text of others inside a script would be a part of the script.
    assert not any("${{" in script for script in read_scripts(found))


def test_nothing_is_kept_in_the_checkout_of_a_pull_request():
    for path in FILES:
        text = path.read_text()
        assert "github.workspace" not in text
        places = re.findall(r"^ +path: (.*)$", text, re.MULTILINE)
        where = "outcome" if path.stem == "comment-submission" else "${{ runner.temp }}/"
        assert all(place.startswith(where) for place in places)
    (job,) = read_workflow(FOLDER / "verify-submission.yml")["jobs"].values()
    # Whatever a pull request brings, it is not here yet while packages are installed.
    used = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
    assert used[-3:] == ["actions/checkout", "", "actions/upload-artifact"]


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.stem)
def test_every_call_of_bench_parses(path):
    if path.suffix == ".md":
        scripts = re.findall(r"```bash\n(.*?)```", path.read_text(), re.DOTALL)
    else:
        scripts = read_scripts(read_workflow(path))
    calls = [call for script in scripts for call in read_commands(script)]
    assert calls or path.stem == "comment-submission"
    assert [(call, find_mistake(call)) for call in calls if find_mistake(call)] == []


def test_a_call_that_bench_would_refuse_is_found():
    calls = read_commands('bench compare "$a" "$b" ${R:+--ruled "$R"} > x 2>&1 || failed=1')
    assert calls == [["compare", "$a", "$b", "--ruled", "$R"]]
    assert "--ruled" in find_mistake(calls[0])
    assert "no command" in find_mistake(["verified", "x"])
    assert "missing: ['run']" in find_mistake(["verify"])
    assert "['y']" in find_mistake(["verify", "x", "y"])


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *names, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def add_file(folder: Path, name: str, text: str = "{}") -> None:
    """Write a file and the folders above it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@dataclass(frozen=True)
class Checked:
    """What the script of verify-submission.yml did."""

    code: int
    text: str
    summary: str
    calls: Sequence[str]
    files: Sequence[str]


def run_script(script: str, folder: Path, place: Path, **variables: str) -> int:
    """Run a step as a runner does, with stand-ins for bench, gh and git-lfs."""
    for name, text in {"bench": BENCH, "gh": GH, "git-lfs": LFS}.items():
        add_file(place, f"bin/{name}", text)
        (place / "bin" / name).chmod(0o755)
    (place / "temp").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(place / "calls"),
        "RUNNER_TEMP": str(place / "temp"),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        **variables,
    }
    return subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=environment).returncode  # noqa: S603, S607


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


Check = Callable[[Callable[[Path], object]], Checked]


@pytest.fixture
def check(tmp_path) -> Check:
    """Merge the changes of a pull request and check the result, as the workflow does."""
    repository = tmp_path / "repository"
    for name in ("submissions/reference", "submissions/known"):
        add_file(repository, f"{name}/scores.json")
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "base")
    git(repository, "checkout", "-qb", "theirs")
    git(repository, "commit", "-q", "--allow-empty", "-m", "one of several commits")

    def call(change: Callable[[Path], object]) -> Checked:
        change(repository)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "a run")
        # What others have merged since is no change of this pull request.
        git(repository, "checkout", "-q", "main")
        add_file(repository, "submissions/meanwhile/scores.json")
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "another run")
        git(repository, "merge", "-q", "--no-ff", "-m", "merged", "theirs")
        scripts = read_scripts(read_workflow(FOLDER / "verify-submission.yml"))
        (script,) = (each for each in scripts if "bench verify" in each)
        code = run_script(script, repository, tmp_path, BASE_RUN="submissions/reference")
        outcome = tmp_path / "temp" / "outcome"
        return Checked(
            code,
            (outcome / "outcome.txt").read_bytes().decode(),
            "\n".join(read_lines(tmp_path / "summary")),
            read_lines(tmp_path / "calls"),
            sorted(path.name for path in outcome.glob("*.json")),
        )

    return call


@pytest.mark.parametrize(("name", "code"), [("mine", 0), ("bad-1", 1)])
def test_a_new_run_is_verified_and_compared(check, name, code):
    def change(repository: Path) -> None:
        for file in ("scores.json", ".lock", "samples/-dA_000030.flac"):
            add_file(repository, f"submissions/{name}/{file}")

    found = check(change)
    assert found.code == code
    lfs, verify, compare = found.calls
    assert lfs.endswith(f"--include submissions/{name}/,submissions/reference/")
    assert verify.startswith(f"verify submissions/{name} --sample 32 --json ")
    assert compare == f"compare submissions/reference submissions/{name}"
    assert found.files == [f"{name}.1.json"]
    assert "| a table |" in found.text


def test_what_a_run_prints_is_no_markup_in_the_summary(check):
    found = check(lambda repository: add_file(repository, "submissions/mine/scores.json"))
    assert "\r" in found.text
    lines = found.summary.split("\n")
    assert "    @someone **wins**[a link](https://example.org)[31m" in lines
    assert all(line.startswith("    ") for line in lines)


def test_runs_of_one_submission_whose_names_meet_have_an_outcome_each(check):
    def change(repository: Path) -> None:
        for name in ("a/b", "a_b"):
            add_file(repository, f"submissions/mine/{name}/scores.json")

    found = check(change)
    assert found.code == 0
    assert found.files == ["mine.1.json", "mine.2.json"]
    assert {call.split()[1] for call in found.calls if call.startswith("verify")} == {
        "submissions/mine/a/b",
        "submissions/mine/a_b",
    }


def add_run(name: str, *others: str) -> Callable[[Path], None]:
    """A change that adds a run and other files."""

    def change(repository: Path) -> None:
        for each in (f"submissions/{name}/scores.json", *others):
            add_file(repository, each)

    return change


def delete_run(repository: Path) -> None:
    add_run("mine")(repository)
    shutil.rmtree(repository / "submissions" / "known")


def change_run(repository: Path) -> None:
    add_run("mine")(repository)
    add_file(repository, "submissions/reference/scores.json", '{"better": 1}')


def rename_run(repository: Path) -> None:
    (repository / "submissions" / "known").rename(repository / "submissions" / "mine")


def add_link(repository: Path) -> None:
    add_run("mine")(repository)
    (repository / "submissions" / "mine" / "samples").symlink_to("/etc")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (add_run("$(touch owned)"), r"in its name: submissions/\$\(touch\ owned\)/scores.json"),
        (add_run("mine/b\nc"), r"in its name: $'submissions/mine/b\nc/scores.json'"),
        (add_run("-é"), r"in its name: $'submissions/-\303\251/scores.json'"),
        (add_run("mine", "submissions/mine/.gitattributes"), "hidden"),
        (delete_run, "it deletes submissions/known/scores.json"),
        (change_run, "it changes submissions/reference/scores.json"),
        (rename_run, "it deletes submissions/known/scores.json"),
        (add_run("mine", "submissions/yours/scores.json"), "a second submission"),
        (add_run("mine", "submissions/known/more.json"), "a second submission"),
        (add_run("known/more"), "there is a submission of this name already: submissions/known"),
        (add_run("Known"), "there is a submission of this name already: submissions/Known"),
        (add_run("mine", "verified/mine.json"), "outside a folder of submissions/: verified/mine"),
        (add_run("mine", ".github/workflows/verify-submission.yml"), ": .github/workflows/verify"),
        (add_run("mine", "submissions/mine.json"), "outside a folder of submissions/: submissions"),
        (add_link, "a link or a repository, not a file: submissions/mine/samples"),
        (lambda r: add_file(r, "submissions/mine/samples/a.flac"), "no scores.json"),
    ],
)
def test_a_pull_request_that_is_more_than_one_new_submission_is_refused(check, change, reason):
    found = check(change)
    assert found.code == 1
    (line, *_) = [line for line in found.text.splitlines() if reason in line]
    assert line.startswith("refused: ")
    assert "nothing was verified" in found.text
    assert line in found.summary
    # Nothing of it is read.
    assert found.calls == []
    assert found.files == []


@pytest.fixture
def comment(tmp_path) -> Callable[..., tuple[int, str, str]]:
    """Run the script of comment-submission.yml; return exit code, calls of gh and comment."""
    folder = tmp_path / "empty"
    add_file(folder, "outcome/outcome.txt", "@someone\r# wins\n<b>x</b>\n")

    def call(fake_open: str = "5 old\n7 abc", blob: str = "blob-of-main") -> tuple[int, str, str]:
        (script,) = read_scripts(read_workflow(FOLDER / "comment-submission.yml"))
        code = run_script(
            script, folder, tmp_path, REPOSITORY="o/r", BRANCH="main", HEAD_SHA="abc",
            FAKE_OPEN=fake_open, FAKE_BLOB=blob,
        )  # fmt: skip
        written = folder / "comment.md"
        text = written.read_bytes().decode() if written.is_file() else ""
        return code, "\n".join(read_lines(tmp_path / "calls")), text

    return call


def test_the_outcome_goes_to_the_pull_request_of_the_checked_commit_as_plain_text(comment):
    code, calls, text = comment()
    assert code == 0
    assert "pr comment 7 --repo o/r --body-file comment.md" in calls
    assert text.split("\n")[1:] == ["", "    @someone# wins", "    <b>x</b>", ""]


def test_a_pull_request_with_its_own_version_of_the_check_gets_no_outcome(comment):
    code, calls, text = comment(blob="blob-of-theirs")
    assert code == 0
    assert "pr comment 7" in calls
    assert "counts for nothing" in text
    assert "someone" not in text


def test_there_is_no_comment_where_no_pull_request_ends_with_the_checked_commit(comment):
    code, calls, _ = comment(fake_open="7 newer\n8 abcd")
    assert code == 0
    assert "pr comment" not in calls


def test_a_link_in_the_artifact_is_refused(comment, tmp_path):
    (tmp_path / "empty" / "outcome" / "outcome.txt").unlink()
    (tmp_path / "empty" / "outcome" / "outcome.txt").symlink_to("/etc/passwd")
    code, calls, text = comment()
    assert (code, calls, text) == (1, "", "")


def test_only_the_workflow_of_this_name_and_path_on_a_pull_request_is_commented():
    (job,) = read_workflow(FOLDER / "comment-submission.yml")["jobs"].values()
    assert job["if"].split(" && ") == [
        "github.event.workflow_run.event == 'pull_request'",
        "github.event.workflow_run.path == '.github/workflows/verify-submission.yml'",
    ]


@pytest.mark.parametrize(
    ("runs", "code"), [("3 fork/r\n2 o/r\n1 o/r", 0), ("3 fork/r", 1), ("", 1)]
)
def test_the_base_of_the_gate_is_a_push_to_this_repository(tmp_path, runs, code):
    scripts = read_scripts(read_workflow(ROOT / ".github/workflows/regression-gate.yml"))
    (script,) = (each for each in scripts if "gh run download" in each)
    found = run_script(
        script, tmp_path, tmp_path, GITHUB_REPOSITORY="o/r", BASE_BRANCH="main", ARTIFACT="kept",
        GITHUB_WORKFLOW_REF="o/r/.github/workflows/audio.yml@refs/pull/1/merge", FAKE_RUNS=runs,
        HEAD_SHA="",
    )  # fmt: skip
    assert found == code
    query, *downloads = read_lines(tmp_path / "calls")
    assert "repos/o/r/actions/workflows/audio.yml/runs -f branch=main -f event=push" in query
    expected = f"run download 2 --repo o/r --name kept --dir {tmp_path / 'temp' / 'base'}"
    assert downloads == [expected] * (code == 0)
