"""Drawn weights instead of those that come with the package."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from acfoley.codec import griffin_lim
from acfoley.mini import variants
from acfoley.mini.pca_autoencoder import LinearAutoencoder
from acfoley.mini.variants import CODEC, ENCODER_FILES, VARIANTS, ship, variant_recipe, weights_path
from tests.acfoley.seeded import ACFOLEY_GAIN, draw, seeded_state


def ship_drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let ``folder`` hold weights of every variant and of the codec, and be the package's own.

    Griffin-Lim takes one step: what it makes of drawn weights is noise in any case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENCODER_FILES.values():
        copy(weights_path(name), folder)
    monkeypatch.setattr(variants, "FOLDER", folder)
    variants.weights_hash.cache_clear()
    monkeypatch.setattr(griffin_lim, "N_MAGNITUDE_STEPS", 1)
    monkeypatch.setattr(griffin_lim, "N_PHASE_STEPS", 1)
    for variant in VARIANTS:
        ship(seeded_state(variant_recipe(variant).params, ACFOLEY_GAIN), variant)
    codec = LinearAutoencoder().state_dict()
    ship({name: draw(name, tuple(value.shape), 0.01) for name, value in codec.items()}, CODEC)
    return folder
