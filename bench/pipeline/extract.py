"""The second stage: the media of each clip are decoded once, and their features are stored.

Worker processes share the clips. The networks of a judge, which have to stay in memory, are

- in none of them, where no column needs one;
- in each of them, where they are small and run on the CPU: a worker loads its clips and computes
  them with one thread, so that workers are as fast as they are many;
- in a process of their own, with all cores or a GPU, where they are large: workers extract what
  needs no network, and hand each clip on. Threads of that process load the next clips (decode,
  resample, front ends) while the networks compute batches of those that are ready.

Where workers are on other machines, a process here could not keep up with them: each worker then
does all of it for its clips, the networks included, with as many threads as it has cores.

What is loaded in advance is bounded, so memory does not grow with the number of clips. A thread of
its own writes the features.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from bench.engine import (
    Engine,
    LocalEngine,
    Outcome,
    Work,
    WorkerSettings,
    attempt,
    keep_freed_memory,
)
from bench.judges import ClipMedia, Extractor, NetworkExtractor, SignalExtractor
from bench.pipeline.batches import Batches, PendingFeatures
from bench.pipeline.feature_store import ExtractorCache, excerpt_key, prompt_key, require_file
from bench.pipeline.roles import REMARKS, ROLES, Keys, Pair, Role, Scoring, feature_key, has_inputs
from bench.pipeline.workers import (
    are_networks_small,
    extract_timeout_s,
    limit_time,
    place_networks,
)
from bench.types import Excerpt


@dataclass(frozen=True)
class Loaded:
    """A clip that was decoded: the keys of its features, and what the networks have to compute."""

    keys: Keys
    pending: tuple[PendingFeatures, ...]


def extract_features(
    pairs: Sequence[Pair], scoring: Scoring, engine: Engine, timeout_s: float | None = None
) -> Iterator[Outcome[Pair, Keys]]:
    """Extract the features that the metrics read; the value of an outcome is their keys.

    ``timeout_s`` limits one clip; by default it comes from the expected time. The seconds of an
    outcome are those of one worker; of large networks, those that the pass takes longer by this
    clip.
    """
    if not (engine.is_remote or engine.workers):  # workers do so by themselves
        keep_freed_memory()
    longest_s = max((pair.clip.seconds for pair in pairs), default=0.0)
    single = limit_time(timeout_s, extract_timeout_s(scoring, longest_s))
    if not scoring.networks():
        return engine.map(partial(_open_signal, scoring), pairs, single)
    batch_size = scoring.judge.batch_size
    if (engine.is_remote or engine.workers) and are_networks_small(scoring):
        batches = replace(single, batch_size=batch_size)
        return engine.stream(partial(open_pass, scoring, 0), pairs, batches)
    # A group that is computed, as many clips that are loaded, and those of ``_load_ahead``.
    ahead = 2 * batch_size + 2
    # The networks have all cores.
    batches = replace(single, batch_size=batch_size, ahead=ahead, threads=None)
    if engine.is_remote:
        placed = place_networks(scoring.judge.device, batches)
        return engine.stream(partial(open_pass, scoring, placed.cpus), pairs, placed)
    if not engine.workers:
        return engine.stream(partial(open_pass, scoring, 1), pairs, batches)
    return _extract_beside(engine, single, batches, pairs, scoring)


def _extract_beside(
    engine: Engine,
    single: WorkerSettings,
    batches: WorkerSettings,
    pairs: Sequence[Pair],
    scoring: Scoring,
) -> Iterator[Outcome[Pair, Keys]]:
    """Run the signal extractors in worker processes, and the networks in another one.

    Workers because threads that compute in Python do no more than one of them: they hold the same
    lock, and would keep the networks waiting for it.
    """
    failed: deque[Outcome[Pair, Keys]] = deque()
    signal_s: dict[str, float] = {}
    # So many clips wait for the networks at most; with fewer, workers would idle while a batch of
    # the networks is computed.
    ahead = -(-batches.n_ahead // engine.workers)
    signals = engine.map(partial(_open_signal, scoring), pairs, replace(single, ahead=ahead))

    def ready() -> Iterator[Pair]:
        for outcome in signals:
            if outcome.failure is None:
                signal_s[outcome.item.clip.name] = outcome.seconds / engine.workers
                yield outcome.item
            else:
                failed.append(outcome)

    networks = partial(open_pass, scoring, engine.workers)
    for outcome in LocalEngine(1).stream(networks, ready(), batches):
        while failed:
            yield failed.popleft()
        # Both happen at the same time: the slower one decides how long the pass takes.
        seconds = max(outcome.seconds, signal_s[outcome.item.clip.name])
        yield replace(outcome, seconds=seconds)
    yield from failed


def _open_signal(scoring: Scoring) -> Callable[[Pair], Keys]:
    cache = ExtractorCache()
    return lambda pair: load(scoring, cache, pair, has_networks=False).keys


def load(
    scoring: Scoring, cache: ExtractorCache, pair: Pair, *, has_networks: bool = True
) -> Loaded:
    """Decode the media whose features are missing, store the signal's, prepare for networks.

    Raises:
        BenchError: a file is missing, cannot be decoded or is too short.
    """
    excerpts, keys = _excerpts(pair), media_keys(scoring, pair)
    pending: list[PendingFeatures] = []
    for role, extractors in needed_extractors(scoring, pair, keys).items():
        store = scoring.store(role)
        audio = None if role == "picture" else excerpts.get(role)
        media = ClipMedia(audio, excerpts.get("picture"), pair.clip.prompt)
        # Networks first: some read the whole file, and the window is then cut out of that instead
        # of being decoded again.
        for extractor in sorted(extractors, key=lambda each: isinstance(each, SignalExtractor)):
            key = feature_key(extractor, role, keys)
            if store.has(extractor, key):
                continue
            if isinstance(extractor, SignalExtractor):
                store.save(extractor, key, cache.extract(extractor, media))
            elif has_networks and isinstance(extractor, NetworkExtractor):
                prepared = extractor.prepare(media)
                pending.append(PendingFeatures(extractor, key, store, prepared, keys))
    return Loaded(keys, tuple(pending))


def media_keys(scoring: Scoring, pair: Pair) -> Keys:
    """Return the keys of the features of a pair, from the bytes of its files as they are now.

    Raises:
        BenchError: a file is missing.
    """
    excerpts, suited = _excerpts(pair), scoring.suited(pair.clip.seconds)
    roles = [role for role in ROLES if role in excerpts and suited.extractors(role)]
    keys: dict[Role, str] = {role: excerpt_key(require_file(excerpts[role])) for role in roles}
    if suited.extractors("prompt") and pair.clip.prompt:
        keys["prompt"] = prompt_key(pair.clip.prompt)
    return keys


def needed_extractors(
    scoring: Scoring, pair: Pair, keys: Keys
) -> dict[Role, tuple[Extractor, ...]]:
    """Return what is extracted of each role of a pair, the remarks on its files included."""
    suited = scoring.suited(pair.clip.seconds)
    needed: dict[Role, tuple[Extractor, ...]] = {}
    for role in keys:
        remarks = (REMARKS[role],) if role in REMARKS else ()
        found = (*suited.extractors(role), *remarks)
        needed[role] = tuple(each for each in found if has_inputs(each, keys))
    return needed


def _excerpts(pair: Pair) -> dict[Role, Excerpt]:
    found: dict[Role, Excerpt | None] = {
        "target": pair.clip.audio,
        "reference": pair.clip.reference,
        "picture": pair.clip.video,
        "generated": pair.generated,
    }
    return {role: excerpt for role, excerpt in found.items() if excerpt is not None}


def open_pass(
    scoring: Scoring, n_threads: int, cache: ExtractorCache | None = None
) -> Work[Pair, Keys]:
    """Return the pass: ``n_threads`` threads load, and this one computes with the networks.

    With 0 this thread loads too.
    """
    from bench.backbones.precision import full_precision  # only here: it imports torch

    cache, size = cache or ExtractorCache(), scoring.judge.batch_size

    def work(pairs: Iterator[Pair]) -> Iterator[Outcome[Pair, Keys]]:
        load_one = partial(attempt, partial(load, scoring, cache))
        with _threads(max(1, n_threads)) as loaders, _threads(1) as writer, full_precision():
            loaded = (
                _load_ahead(loaders, load_one, pairs, size + 1)
                if n_threads
                else map(load_one, pairs)
            )
            while group := list(itertools.islice(loaded, size)):
                yield from _compute(group, Batches(scoring, cache, writer), max(1, n_threads))

    return work


@contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that compute with one core each; tasks not begun are dropped at the end."""
    import torch

    # Read here first: a thread that asks torch later would get the 1 that the loaders set.
    n_cores = torch.get_num_threads()
    pool = ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_cores)


def _load_ahead(
    pool: ThreadPoolExecutor,
    load_one: Callable[[Pair], Outcome[Pair, Loaded]],
    pairs: Iterable[Pair],
    number: int,
) -> Iterator[Outcome[Pair, Loaded]]:
    """Yield the outcome of each pair in order, with up to ``number`` begun in advance."""
    begun: deque[Future[Outcome[Pair, Loaded]]] = deque()
    for pair in pairs:
        begun.append(pool.submit(load_one, pair))
        if len(begun) == number:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _compute(
    group: Sequence[Outcome[Pair, Loaded]], batches: Batches, n_threads: int
) -> Iterator[Outcome[Pair, Keys]]:
    """Compute what is pending for a group of clips, and yield the outcome of each."""
    started = time.perf_counter()
    failures = iter(batches.compute([each.value.pending for each in group if each.value]))
    share_s = (time.perf_counter() - started) / len(group)
    for loaded in group:
        # The threads load side by side, while the networks have all cores.
        seconds = loaded.seconds / n_threads + share_s
        failure = loaded.failure if loaded.value is None else next(failures)
        keys = loaded.value.keys if loaded.value and failure is None else None
        yield Outcome(loaded.item, keys, failure, seconds)
