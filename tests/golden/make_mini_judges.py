"""Make mini_judges.npz: what the small judges as shipped say of one scene.

Run at the root of the checkout after `make judges`, which replaces their weights:

    python -m tests.golden.make_mini_judges

It guards against change: an edit of a front end or a network that moves a number must come with
other weights. Arrays are named ``<network>.<feature>``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bench.mini_judges.examples import FULL_SCALE, render_block
from bench.mini_judges.shipped import load_network

HERE = Path(__file__).parent
SPLIT, INDEX = "mini-golden", 7


@torch.inference_mode()
def answers() -> dict[str, np.ndarray]:
    """Everything that the networks say of the first 8 s of the scene."""
    block = render_block(SPLIT, [INDEX])
    at_32k, at_16k = (
        torch.from_numpy(sounds[:, 0, : 8 * rate].astype(np.float32) / FULL_SCALE)
        for sounds, rate in ((block.sounds_32k, 32_000), (block.sounds_16k, 16_000))
    )
    passt, panns = load_network("passt")(at_32k), load_network("panns")(at_16k)
    imagebind, synchformer = load_network("imagebind"), load_network("synchformer")
    video = synchformer.see(torch.from_numpy(block.grey[:, :200]))
    return {
        "passt.embedding": passt[0][0].numpy(),
        "passt.logits": passt[1][0].numpy(),
        "panns.embedding": panns[0][0].numpy(),
        "panns.logits": panns[1][0].numpy(),
        "vggish.embedding": load_network("vggish")(at_16k)[0].numpy(),
        "imagebind.sound": imagebind.hear(at_16k)[0].numpy(),
        "imagebind.picture": imagebind.see(torch.from_numpy(block.stills[:, :17]))[0].numpy(),
        "synchformer.logits": synchformer.offsets(video, synchformer.hear(at_16k))[0].numpy(),
    }


if __name__ == "__main__":
    np.savez(HERE / "mini_judges.npz", **answers())
