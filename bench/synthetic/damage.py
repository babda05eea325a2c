"""Known damage to known truth: what an oracle needs to prove that a metric ranks as it claims.

Every function takes a scene and returns another; the picture of a clip is that of the scene before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.synthetic.materials import MATERIALS
from bench.synthetic.world import Scene, Timbre, draw_timbre
from bench.types import FloatArray

DIRECTIONS = 64


def shift_events(scene: Scene, offset_s: float) -> Scene:
    """The scene with every event ``offset_s`` later; those that do not fit the clip are dropped."""
    moved = (replace(event, time_s=event.time_s + offset_s) for event in scene.events)
    kept = tuple(
        event
        for event in moved
        if event.time_s >= 0.0 and event.time_s + event.duration_s < scene.seconds
    )
    return replace(scene, events=kept)


def with_timbre_at(scene: Scene, distance: float, seed: int) -> Scene:
    """The same class with a timbre at Euclidean ``distance`` from the true one, in [0, 1]^K.

    The direction is drawn from ``seed``; it leans towards the farthest corner as far as it must to
    stay in bounds. Raises BenchError where even that corner is nearer than ``distance``.
    """
    start = scene.timbre.vector()
    corner = np.where(start < 0.5, 1.0, 0.0) - start
    if not 0.0 <= distance <= float(np.linalg.norm(corner)):
        raise BenchError(
            f"the timbre distance is {distance:g}, expected 0 to {np.linalg.norm(corner):.3f}: "
            f"the farthest timbre there is from that of {scene.name}"
        )
    rng = np.random.default_rng(stable_seed("timbre direction", scene.name, seed))
    for lean in np.linspace(0.0, 1.0, DIRECTIONS):
        direction = (1.0 - lean) * _unit(rng.normal(size=start.size)) + lean * _unit(corner)
        moved = start + distance * _unit(direction)
        if moved.min() >= 0.0 and moved.max() <= 1.0:
            return replace(scene, timbre=Timbre(*moved.tolist()))
    # The last try points at the corner itself and can leave the box by rounding only.
    return replace(scene, timbre=Timbre(*np.clip(moved, 0.0, 1.0).tolist()))


def with_other_class(scene: Scene, seed: int) -> Scene:
    """The same events on another material, with a timbre of that material, drawn from ``seed``."""
    rng = np.random.default_rng(stable_seed("other class", scene.name, seed))
    others = [name for name in MATERIALS if name != scene.material]
    return replace(scene, material=str(rng.choice(others)), timbre=draw_timbre(rng))


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)
