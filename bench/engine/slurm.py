"""Slurm as a back end: each chunk is a job of an array, submitted by submitit.

``submitit`` writes the batch script, starts Python on the node and submits a job again that was
preempted or reached its time limit, up to three times: the job goes on with what it had answered.
Its own results and its view of the state of a job are not used: the outcome file of a chunk counts
(``bench.engine.chunks``), and ``squeue`` for what was lost. A job has a node for itself and its
GPUs, or a part of it; its workers share the items of the chunk.

``--slurm cluster=local`` runs the jobs as processes of this machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.engine import slurm_cluster as cluster
from bench.engine.backend import Layout
from bench.engine.choice import SlurmOptions
from bench.engine.chunks import complete_path, run_chunk
from bench.engine.settings import WorkerSettings, core_count
from bench.errors import BenchError

#: So many chunks per node are submitted: in most maps all, as one array.
CHUNKS_SUBMITTED = 16
#: Sites accept arrays of 1001 jobs (``MaxArraySize``), and often fewer jobs of one user.
MOST_SUBMITTED = 400
#: A job without GPUs asks for so many cores where ``--workers`` does not decide. It would wait
#: longer for a whole node.
DEFAULT_CPUS = 16
#: A job gets a signal so long before its time limit, and submits itself again.
SIGNAL_S = 90
#: Submitted again after its time limit so many times.
MAX_TIMEOUTS = 3
#: How often the controller is asked, which serves everybody.
ASK_S = 10.0


class Answer:
    """What a job executes, for submitit."""

    def __call__(self, job: str) -> None:
        """Answer a chunk. SIGTERM ends the workers, too; submitit would ignore it."""
        signal.signal(signal.SIGTERM, _leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        run_chunk(Path(job))

    def checkpoint(self, job: str) -> Any:
        """Return what is submitted when the job is preempted, or at its time limit: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job)


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


class SlurmBackend:
    """Chunks are jobs of Slurm, ``options.nodes`` at a time, each with the workers that fit.

    ``workers`` is the most workers of all jobs; None for as many as there are cores and GPUs.
    """

    def __init__(self, options: SlurmOptions, folder: Path, workers: int | None) -> None:
        self.options, self.workers = options, workers
        self.logs = folder.absolute() / "logs"
        self.name = cluster.make_job_name(folder)
        self.is_submitting = False
        self.is_local = options.extra.get("cluster") == "local"
        self.jobs: dict[str, _Sent] = {}
        self.nodes: list[cluster.Nodes] | None = None
        self.states: dict[str, cluster.JobState] = {}
        self.asked_s = 0.0
        self.trouble = ""

    def layout(self, settings: WorkerSettings) -> Layout:
        """Return how many jobs run at a time, and the workers of each.

        Raises:
            BenchError: Slurm does not answer.
        """
        n_jobs = min(self.options.nodes or 1, self.workers or sys.maxsize)
        per_job = -(-self.workers // n_jobs) if self.workers else sys.maxsize
        n_gpus = (self.options.gpus_per_node or 1) if settings.gpus else 0
        if n_gpus:
            fitting = n_gpus * max(1, int(1 / settings.gpus + 1e-6))
        else:
            fitting = max(1, self._cores(settings, n_jobs) // (settings.cpus or sys.maxsize))
        n_submitted = min(MOST_SUBMITTED, CHUNKS_SUBMITTED * n_jobs)
        if self.is_local:  # all that are submitted run
            n_submitted = n_jobs
        return Layout(n_jobs, max(n_jobs, n_submitted), min(per_job, fitting), settings, n_gpus)

    def submit(self, jobs: Sequence[Path], settings: WorkerSettings) -> list[str]:
        """Submit one array.

        Raises:
            BenchError: Slurm refuses it.
        """
        import submitit

        if "%" in str(self.logs):  # Slurm, and submitit, would replace what follows
            raise BenchError(
                f"the path of a run cannot have the character % with Slurm: {self.logs}"
            )
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)  # its pickles are loaded by jobs
        kind = "local" if self.is_local else "slurm"
        self.is_submitting = True
        with _environment(), _uninterrupted(self.is_local), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            executor = submitit.AutoExecutor(
                self.logs, cluster=kind, **{f"{kind}_max_num_timeout": MAX_TIMEOUTS}
            )
            executor.update_parameters(**self._parameters(settings))
            try:
                sent = executor.map_array(Answer(), [str(job) for job in jobs])
            except submitit.core.utils.FailedJobError as error:
                reason = cluster.find_error(str(error))
                raise BenchError(f"Slurm does not take the jobs: {reason}") from error
        for each, job in zip(sent, jobs, strict=True):
            self.jobs[each.job_id] = _Sent(job, getattr(each, "_process", None))
        self.is_submitting = False
        return [each.job_id for each in sent]

    def ended(self) -> list[tuple[str, str | None]]:
        """Return the jobs that ended, and why those were lost that were."""
        if self.is_local:
            ended = [(name, sent.loss()) for name, sent in self.jobs.items() if sent.has_ended()]
        else:
            ended = self._ended_in_slurm()
        for name, _ in ended:
            del self.jobs[name]
        return ended

    def waiting(self) -> str:
        """Return how many jobs are in which state, with Slurm's reason."""
        if self.is_local:
            return f"{len(self.jobs)} local jobs"
        if self.trouble:
            return f"Slurm ({self.trouble})"
        known = [self.states[name] for name in self.jobs if name in self.states]
        return cluster.describe_jobs(known) if known else f"{len(self.jobs)} jobs of Slurm"

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs, those of an earlier process included."""
        if self.is_local:
            cluster.interrupt_jobs(ids, self.logs)
        elif ids:
            cluster.cancel_jobs(ids, self.name)

    def close(self) -> None:
        """Cancel what runs, and jobs whose submission was interrupted."""
        jobs, self.jobs = self.jobs, {}
        if self.is_local:  # those that have answered are about to end
            deadline_s = time.monotonic() + cluster.GRACE_S
            for sent in jobs.values():
                sent.wait(deadline_s)
        running = [name for name, sent in jobs.items() if not complete_path(sent.job).exists()]
        # The controller may be gone; the jobs end by themselves, and the next run cancels them.
        with suppress(BenchError):
            if self.is_submitting and not self.is_local:
                self.is_submitting = False
                cluster.cancel_jobs([], self.name)
            self.cancel(running)
        for sent in jobs.values():
            sent.reap()

    def _nodes(self) -> list[cluster.Nodes]:
        if self.nodes is None:
            self.nodes = [] if self.is_local else cluster.read_nodes(self.options.partition)
        return self.nodes

    def _cores(self, settings: WorkerSettings, n_jobs: int) -> int:
        """Return the cores of a job without GPUs."""
        if given := self.options.extra.get("cpus-per-task"):
            return int(given)
        if self.is_local:
            return max(1, core_count() // n_jobs)
        most = max(each.cpus for each in self._nodes())
        if not settings.cpus:
            return most
        wanted = -(-self.workers // n_jobs) * settings.cpus if self.workers else DEFAULT_CPUS
        return min(most, wanted)

    def _parameters(self, settings: WorkerSettings) -> dict[str, Any]:
        """Return the options of a job, as submitit names them."""
        layout = self.layout(settings)
        if layout.gpus:
            cpus = self._cpus_beside_gpus(layout)
        else:
            cpus = self._cores(settings, layout.n_slots)
            if settings.cpus:  # no more than its workers use
                cpus = min(cpus, layout.workers * settings.cpus)
        extra = dict(self.options.extra)
        given = extra.pop("time", "10080" if self.is_local else None)
        minutes = cluster.limit_minutes(self._nodes(), given)
        for key in ("cluster", "cpus-per-task", *([] if layout.gpus else ["gres"])):
            extra.pop(key, None)
        found = {"name": self.name, "timeout_min": minutes, "cpus_per_task": cpus, "nodes": 1}
        if layout.gpus and "gres" not in extra:
            found["gpus_per_node"] = layout.gpus
        if self.is_local:
            return found
        return found | {
            "slurm_partition": self.options.partition,
            "slurm_array_parallelism": layout.n_slots,
            "slurm_signal_delay_s": min(SIGNAL_S, 15 * minutes),
            # Slurm 22.05 and later give a step one core, unless it asks for them, too.
            "slurm_srun_args": [f"--cpus-per-task={cpus}"],
            "slurm_additional_parameters": {"requeue": True, **extra},
        }

    def _cpus_beside_gpus(self, layout: Layout) -> int:
        """Return the cores of a job with GPUs: no more than go with them on the largest node."""
        if given := self.options.extra.get("cpus-per-task"):
            return int(given)
        wanted = layout.workers * max(1, layout.settings.cpus)
        if self.is_local:
            return min(wanted, core_count())
        nodes = [each for each in self._nodes() if each.gpus >= layout.gpus]
        shares = [each.cpus * layout.gpus // each.gpus for each in nodes]
        return max(1, min(wanted, max(shares, default=wanted)))

    def _ended_in_slurm(self) -> list[tuple[str, str | None]]:
        now_s = time.monotonic()
        if not self.jobs or now_s - self.asked_s < ASK_S:
            return []
        self.asked_s = now_s
        try:
            self.states, self.trouble = cluster.read_jobs(), ""
        except BenchError as error:  # jobs go on without the controller
            self.trouble = str(error)
            return []
        ended: list[tuple[str, str | None]] = []
        for name, sent in self.jobs.items():
            job = self.states.get(name)
            if job is None:  # ended, and forgotten: its file may come late
                ended.append((name, None))
            elif job.has_ended:
                ended.append((name, self._explain(name, sent, job.loss)))
                if job.reason in cluster.HELD:
                    cluster.cancel_jobs([name], self.name)
        return ended

    def _explain(self, name: str, sent: _Sent, loss: str | None) -> str | None:
        """Return why a job was lost, with the last line of its log."""
        if loss is None or complete_path(sent.job).exists():
            return None
        line = _last_line(self.logs / f"{name}_0_log.err")
        return f"{loss}; its log ends with: {line}" if line else loss


@dataclass(frozen=True)
class _Sent:
    """A chunk's job file; on this machine, the process that submitit has started for it."""

    job: Path
    process: Any = None

    def has_ended(self) -> bool:
        """Whether it is a process here, and has ended."""
        return self.process is not None and self.process.poll() is not None

    def wait(self, deadline_s: float) -> None:
        """Let it end, if it is a process here that has answered."""
        if self.process is not None and complete_path(self.job).exists():
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(max(0.0, deadline_s - time.monotonic()))

    def reap(self) -> None:
        """Take note of its end; one that was cancelled is gone by now."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(cluster.GRACE_S)

    def loss(self) -> str | None:
        """Return why a process here that has ended is lost."""
        # Of one machine: a file that is not there now does not come later.
        return None if complete_path(self.job).exists() else "its process ended"


@contextmanager
def _environment() -> Iterator[None]:
    """Give jobs this very package, and nothing of the job in which this process may run."""
    before = dict(os.environ)
    if "SLURM_JOB_ID" in before:
        inherited = ("SLURM_", "SLURMD_", "SRUN_", "SUBMITIT_")
        for name in [each for each in before if each.startswith(inherited)]:
            if name != "SLURM_CONF":
                del os.environ[name]
    root = str(Path(bench.__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, before.get("PYTHONPATH")]))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _uninterrupted(is_local: bool) -> Iterator[None]:
    """Keep Ctrl-C from processes that are started here: this one ends them, in silence."""
    if not is_local:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:200]
