"""Make mini_judges.npz: the outputs of the mini judges of the package for one scene.

Run at the root of the checkout after `make judges`, which replaces their weights:

    python -m tests.golden.make_mini_judges

It guards against change: an edit of a front end or a network that changes a number must come with
other weights. Arrays are named ``<network>.<feature>``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bench.mini_judges.dataset import FULL_SCALE, render_block
from bench.mini_judges.weights import load_network

HERE = Path(__file__).parent
SPLIT, INDEX = "mini-golden", 7


@torch.inference_mode()
def compute_outputs() -> dict[str, np.ndarray]:
    """All outputs of the networks for the first 8 s of the scene."""
    block = render_block(SPLIT, [INDEX])
    at_32k, at_16k = (
        torch.from_numpy(audio[:, 0, : 8 * rate].astype(np.float32) / FULL_SCALE)
        for audio, rate in ((block.audio_32k, 32_000), (block.audio_16k, 16_000))
    )
    passt, panns = load_network("passt")(at_32k), load_network("panns")(at_16k)
    imagebind, synchformer = load_network("imagebind"), load_network("synchformer")
    stills, grey = torch.from_numpy(block.stills[:, :17]), torch.from_numpy(block.grey[:, :200])
    video, audio = synchformer.encode_video(grey), synchformer.encode_audio(at_16k)
    return {
        "passt.embedding": passt[0][0].numpy(),
        "passt.logits": passt[1][0].numpy(),
        "panns.embedding": panns[0][0].numpy(),
        "panns.logits": panns[1][0].numpy(),
        "vggish.embedding": load_network("vggish")(at_16k)[0].numpy(),
        "imagebind.audio": imagebind.encode_audio(at_16k)[0].numpy(),
        "imagebind.video": imagebind.encode_video(stills)[0].numpy(),
        "synchformer.logits": synchformer.offset_logits(video, audio)[0].numpy(),
    }


if __name__ == "__main__":
    np.savez(HERE / "mini_judges.npz", **compute_outputs())
