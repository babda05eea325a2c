"""What a Slurm cluster has and what became of jobs, by its own commands, each with a time limit.

Not by ``sacct``, on which submitit relies: it needs an accounting database, and where there is none
the state of every job stays unknown.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.errors import BenchError

#: The time limit of a job, where the partition has none that is shorter.
DEFAULT_MINUTES = 240

#: A busy controller answers within seconds; one that is down is asked again and again by commands.
LIMIT_S = 20.0
#: A local job that is interrupted may take so long, before it is killed.
GRACE_S = 5.0

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "sinfo")

#: Jobs in these states, or whose state is not known, have ended.
ENDED = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled",
    "COMPLETED": None,
    "DEADLINE": "its deadline passed",
    "FAILED": "it failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it ran out of memory: --slurm mem=64G asks for more",
    "PREEMPTED": "it was preempted",
    "REVOKED": "it was revoked",
    "TIMEOUT": "it reached its time limit: --slurm time=HOURS:00:00 sets it",
}
#: Reasons for which a job that Slurm holds back would wait for ever.
HELD = {"launch failed requeued held", "JobHoldMaxRequeue"}

#: What Slurm answers where a job could run, but not now.
_LATER = re.compile(r"\b(busy|down|drained|reserved)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Nodes:
    """Equal nodes of a partition: how many cores and GPUs each has."""

    partition: str
    is_default: bool
    is_up: bool
    limit_min: int | None
    cpus: int
    gpus: int


@dataclass(frozen=True)
class JobState:
    """What ``squeue`` reports of a job."""

    state: str
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more."""
        return self.state in ENDED or self.reason in HELD

    @property
    def loss(self) -> str | None:
        """Why it has failed; None if it ended by itself."""
        if self.reason in HELD:
            return f"Slurm holds it back: {self.reason}"
        return ENDED.get(self.state)


def ask(command: Sequence[str], *, is_quiet: bool = False) -> str:
    """Return what a command of Slurm writes; a quiet one fails with a word, or had nothing to do.

    Raises:
        BenchError: it is not there, fails, or does not answer in time.
    """
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise BenchError(f"there is no command {command[0]}, which is a part of Slurm") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(
            f"the Slurm controller does not answer: {command[0]} took more than {LIMIT_S:g} s"
        ) from error
    if done.returncode and (done.stderr.strip() or not is_quiet):
        raise BenchError(f"{command[0]} of Slurm fails: {find_error(done.stderr)}")
    return done.stdout


def find_error(text: str) -> str:
    r"""Return the line of a command's messages that names the reason, which is the last error.

    >>> find_error("sbatch: error: a\nallocation failure: Invalid feature\n")
    'Invalid feature'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if re.search(r"\b(error|failure|fatal|option)\b", line)]
    line = (named or lines or ["no reason given"])[-1]
    return re.sub(r"^(\w+: )?((error|fatal|allocation failure): +)?", "", line).strip()


def require_commands() -> None:
    """Refuse a machine without the commands of Slurm.

    Raises:
        BenchError: one is missing.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise BenchError(
            f"--engine slurm needs the commands of Slurm, and {missing[0]} is not on this machine: "
            "run it on a login node (--slurm cluster=local tries it without Slurm)"
        )


def read_nodes(partition: str | None) -> list[Nodes]:
    """Return the nodes of a partition, of several ``a,b``, or of the default one.

    Raises:
        BenchError: the controller does not answer, or there is no such partition.
    """
    rows = ask(["sinfo", "--all", "--noheader", "--exact", "--format=%P|%a|%l|%c|%G"])
    nodes = [_parse_nodes(line) for line in rows.splitlines() if line.count("|") >= 4]
    names = sorted({each.partition for each in nodes})
    partition = partition or os.environ.get("SBATCH_PARTITION")
    wanted = partition.split(",") if partition else [e.partition for e in nodes if e.is_default]
    if not wanted:
        raise BenchError(
            f"this Slurm has no default partition: --partition names one of {', '.join(names)}"
        )
    for name in wanted:
        if name not in names:
            raise BenchError(f"no partition {name!r} in this Slurm; there are: {', '.join(names)}")
    found = [each for each in nodes if each.partition in wanted]
    if not any(each.is_up for each in found):
        raise BenchError(f"the partition {', '.join(wanted)} of this Slurm is down")
    return found


def _parse_nodes(row: str) -> Nodes:
    name, available, limit, cpus, gres = (part.strip() for part in row.split("|", 4))
    counts = [int(n) for n in re.findall(r"(?:^|,)gpu:(?:[^,:(]+:)?(\d+)", gres)]
    return Nodes(
        name.removesuffix("*"),
        name.endswith("*"),
        available == "up",
        None if limit in ("infinite", "n/a") else parse_minutes(limit),
        int(cpus.rstrip("+")),
        sum(counts),
    )


def parse_minutes(text: str) -> int:
    """Return a time of Slurm in minutes, at least 1.

    Raises:
        BenchError: it is none.

    >>> [parse_minutes(text) for text in ("90", "30:00", "2:00:00", "1-12", "1-00:30:00")]
    [90, 30, 120, 2160, 1470]
    """
    if not re.fullmatch(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}", text):
        raise BenchError(f"the time {text!r} is none of Slurm's: MINUTES, HOURS:MINUTES:SECONDS")
    days, _, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if days:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    else:
        hours, minutes, seconds = (0, 0, 0, *parts, *([0] if len(parts) == 1 else []))[-3:]
    total_s = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
    return max(1, total_s // 60)


def limit_minutes(nodes: Sequence[Nodes], given: str | None = None) -> int:
    """Return the time limit of jobs on these nodes: as given, or what the partition allows."""
    if given is not None:
        return parse_minutes(given)
    return min([DEFAULT_MINUTES, *(n.limit_min for n in nodes if n.limit_min is not None)])


def read_jobs() -> dict[str, JobState]:
    """Return the jobs of this user, those that ended in the last minutes included.

    Raises:
        BenchError: the controller does not answer.
    """
    command = ["squeue", "--noheader", "--array", "--states=all", f"--user={getpass.getuser()}"]
    rows = ask([*command, "--format=%i|%T|%r"])
    found = {}
    for row in rows.splitlines():
        name, _, rest = row.strip().partition("|")
        state, _, reason = rest.partition("|")
        found[name] = JobState(state, reason)
    return found


def describe_jobs(jobs: Sequence[JobState]) -> str:
    """Return how many jobs are in which state, and why they wait.

    >>> describe_jobs([JobState("PENDING", "Priority"), JobState("RUNNING", "None")])
    'Slurm: 1 job pending (Priority), 1 running'
    """
    counts: Mapping[tuple[str, str], int] = Counter(
        (job.state.lower(), "" if job.reason in ("", "None") else f" ({job.reason})")
        for job in jobs
    )
    first, *others = [f"{n} {state}{reason}" for (state, reason), n in sorted(counts.items())]
    n_first, _, rest = first.partition(" ")
    unit = "job" if n_first == "1" else "jobs"
    return f"Slurm: {', '.join([f'{n_first} {unit} {rest}', *others])}"


def cancel_jobs(names: Sequence[str], job_name: str) -> None:
    """Cancel those of these jobs, or all, that are of this user and have this name.

    Raises:
        BenchError: the controller does not answer.
    """
    command = ["scancel", "--quiet", f"--user={getpass.getuser()}", f"--name={job_name}"]
    ids = [name for name in names if re.fullmatch(r"\d+(_\d+)?", name)]
    if not names:
        ask(command, is_quiet=True)
    for start in range(0, len(ids), 200):
        ask([*command, *ids[start : start + 200]], is_quiet=True)


def interrupt_jobs(ids: Sequence[str], logs: Path) -> None:
    """End local jobs, and what they have started: by a signal that they pass on, then by force."""
    found: list[psutil.Process] = []
    for name in ids:
        with suppress(psutil.Error, ValueError):
            controller = psutil.Process(int(name))
            # The number may be that of another process by now.
            if {"submitit.local._local", str(logs)} <= {*controller.cmdline()}:
                found += [controller, *controller.children(recursive=True)]
                controller.terminate()
    _, alive = psutil.wait_procs(found, timeout=GRACE_S)
    for process in alive:
        with suppress(psutil.Error):
            process.suspend()  # one that was about to start its task has children only now
            alive = [*alive, *process.children(recursive=True)]
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_S)


def cancel_left(folder: Path) -> None:
    """Cancel the jobs of a command that was killed, whichever engine its run goes on with.

    They would write to the same files, maybe with code of before.

    Raises:
        BenchError: the controller of Slurm does not answer.
    """
    logs = folder.absolute() / "logs"
    for submitted in folder.glob("*/submitted"):
        names = submitted.read_text(encoding="utf-8").split()
        interrupt_jobs(names, logs)
        # Those of this machine have no such file, nor have chunks of Ray, whose actors have ended.
        if any((logs / f"{n.partition('_')[0]}_submission.sh").exists() for n in names):
            cancel_jobs([], make_job_name(folder))
        submitted.unlink()


def make_job_name(folder: Path) -> str:
    """Return a name of jobs that is the same for the driver that comes after this one."""
    return f"foley-bench-{hashlib.sha256(bytes(folder.absolute())).hexdigest()[:8]}"


def try_submission(options: Sequence[str]) -> None:
    """Ask the controller whether it would take a job with these options of ``sbatch``.

    Raises:
        BenchError: it would not, ever.
    """
    try:
        ask(["sbatch", "--test-only", *options, "--wrap=true"])
    except BenchError as error:
        if not _LATER.search(str(error)):
            raise BenchError(f"{error} (asked with {' '.join(options) or 'no options'})") from error
