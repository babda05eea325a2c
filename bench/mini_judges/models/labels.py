"""The classes of the mini judges: every action on every material."""

from __future__ import annotations

from bench.synthetic.actions import ACTIONS
from bench.synthetic.materials import MATERIALS

ACTION_NAMES = tuple(ACTIONS)
MATERIAL_NAMES = tuple(MATERIALS)
N_ACTIONS = len(ACTION_NAMES)
N_MATERIALS = len(MATERIAL_NAMES)
N_LABELS = N_ACTIONS * N_MATERIALS

#: Label n is action ``ACTION_OF[n]`` on material ``MATERIAL_OF[n]``.
ACTION_OF = [label // N_MATERIALS for label in range(N_LABELS)]
MATERIAL_OF = [label % N_MATERIALS for label in range(N_LABELS)]
