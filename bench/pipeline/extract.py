"""The second stage: each clip's media are decoded once, and become features in the stores.

Without networks, worker processes share the clips. With networks there is one pass in one process:
threads load the next clips (decode, resample, signal extractors, front ends) while the networks
compute batches of those that are ready, and features are written by a thread of their own. What is
loaded ahead is bounded, so memory does not grow with the number of clips.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.engine import Outcome, StreamEngine, attempt, open_engine
from bench.features import ExtractorCache, checked, excerpt_key, prompt_key
from bench.judges import ClipMedia, NetworkExtractor, SignalExtractor
from bench.pipeline.batches import Batches, Need
from bench.pipeline.roles import REMARKS, ROLES, Keys, Pair, Role, Scoring, can_sense, feature_key
from bench.types import Excerpt

#: What became of a pair: its ``keys``, and the ``seconds_spent`` on it.
Extracted = Outcome[Pair, dict[str, Any]]


@dataclass(frozen=True)
class Loaded:
    """A clip that was decoded: its keys, and what is left for the networks."""

    keys: Keys
    needs: tuple[Need, ...]
    seconds: float


def extract_features(
    pairs: Sequence[Pair], scoring: Scoring, workers: int
) -> Iterator[Outcome[Pair, dict[str, Any]]]:
    """Extract what the metrics read; an outcome's value holds ``keys`` and ``seconds_spent``.

    The seconds are those of one worker; beside networks, those that the whole pass takes longer.
    ``workers`` are processes or, beside networks, threads that load; 0 works in this process.
    """
    if not scoring.networks():
        return open_engine(workers).map(partial(_open_signal, scoring), pairs)
    # Of a group that is computed, as many more that are loaded, and the one that is asked for next.
    ahead = 2 * scoring.judge.batch_size + 2
    stream = StreamEngine(ahead, is_apart=workers > 0)
    return stream.map(partial(open_pass, scoring, max(1, workers)), pairs)


def _open_signal(scoring: Scoring) -> Callable[[Pair], dict[str, Any]]:
    bench = ExtractorCache()

    def work(pair: Pair) -> dict[str, Any]:
        loaded = load(scoring, bench, pair)
        return {"keys": loaded.keys, "seconds_spent": round(loaded.seconds, 4)}

    return work


def load(scoring: Scoring, bench: ExtractorCache, pair: Pair) -> Loaded:
    """Decode what features are missing of, store the signal's, and prepare for the networks."""
    started = time.perf_counter()
    excerpts, suited = _excerpts(pair), scoring.suited(pair.clip.seconds)
    wanted = {role: suited.extractors(role) for role in ROLES}
    roles = [role for role in ROLES if wanted[role] and role in excerpts]
    keys: dict[Role, str] = {role: excerpt_key(checked(excerpts[role])) for role in roles}
    if wanted["prompt"] and pair.clip.prompt:
        keys["prompt"] = prompt_key(pair.clip.prompt)
    needs: list[Need] = []
    for role in keys:
        store = scoring.store(role)
        heard = None if role == "picture" else excerpts.get(role)
        media = ClipMedia(heard, excerpts.get("picture"), pair.clip.prompt)
        extractors = [*wanted[role], *([REMARKS[role]] if role in REMARKS else [])]
        # Networks first: some hear the whole file, and the window is cut out of that.
        for extractor in sorted(extractors, key=lambda each: isinstance(each, SignalExtractor)):
            if not can_sense(extractor, keys):
                continue
            key = feature_key(extractor, role, keys)
            if store.has(extractor, key):
                continue
            if isinstance(extractor, SignalExtractor):
                store.save(extractor, key, bench.extract(extractor, media))
            elif isinstance(extractor, NetworkExtractor):
                needs.append(Need(extractor, key, store, extractor.prepare(media), keys))
    return Loaded(keys, tuple(needs), time.perf_counter() - started)


def _excerpts(pair: Pair) -> dict[Role, Excerpt]:
    found: dict[Role, Excerpt | None] = {
        "target": pair.clip.audio,
        "reference": pair.clip.reference,
        "picture": pair.clip.video,
        "generated": pair.generated,
    }
    return {role: excerpt for role, excerpt in found.items() if excerpt is not None}


def open_pass(
    scoring: Scoring, n_threads: int, bench: ExtractorCache | None = None
) -> Callable[[Iterator[Pair]], Iterator[Extracted]]:
    """The one pass: loads with so many threads, and computes with the networks on the bench."""
    bench, size = bench or ExtractorCache(), scoring.judge.batch_size

    def work(pairs: Iterator[Pair]) -> Iterator[Extracted]:
        with _threads(n_threads) as loaders, _threads(1) as writer, _full_precision():
            loaded = _ahead(loaders, partial(load, scoring, bench), pairs, size + 1)
            while group := list(itertools.islice(loaded, size)):
                batches = Batches(scoring, bench, writer)
                yield from _finished(group, batches, n_threads)

    return work


@contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that compute with one core each; what they have not begun is dropped at the end."""
    import torch

    n_cores = torch.get_num_threads()  # asked here, or this thread would take over the others' 1
    pool = ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_cores)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Convolutions in float32; left alone, torch lets a GPU round what goes into them to TF32."""
    import torch

    earlier = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = earlier


def _ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[Pair], Loaded],
    pairs: Iterable[Pair],
    number: int,
) -> Iterator[Outcome[Pair, Loaded]]:
    """What the function makes of each pair, in order, begun for up to ``number`` in advance."""
    begun: deque[Future[Outcome[Pair, Loaded]]] = deque()
    for pair in pairs:
        begun.append(pool.submit(attempt, function, pair))
        if len(begun) == number:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _finished(
    group: Sequence[Outcome[Pair, Loaded]], batches: Batches, n_threads: int
) -> Iterator[Extracted]:
    """Compute what the networks owe to a group of clips, and tell what became of each."""
    started = time.perf_counter()
    failures = batches.compute([outcome.value.needs for outcome in group if outcome.value])
    share = (time.perf_counter() - started) / len(group)
    remaining = iter(failures)
    for outcome in group:
        failure = outcome.failure if outcome.value is None else next(remaining)
        if failure is not None or outcome.value is None:
            yield Outcome(outcome.item, failure=failure)
            continue
        # There is one pass: its threads load side by side, while the networks have all cores.
        spent = round(outcome.value.seconds / n_threads + share, 4)
        yield Outcome(outcome.item, {"keys": outcome.value.keys, "seconds_spent": spent})
