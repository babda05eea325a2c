"""Make audio_networks.npz: inputs and outputs of the published packages for two seconds of noise.

The packages run as published, front ends and plain attention included. At the root of the checkout:

    python -m tests.golden.make_audio_networks

A stretch of the noise is digital silence, which reaches the floor of every logarithm. Weights are
those of ``tests.backbones.seeded.drawn_state``. Arrays: ``noise`` [32000] int16, taken as
16 kHz (PANNs, VGGish) or 32 kHz (PaSST); ``<network>.input``: every fourth frame of [201, 64] dB
(PANNs) and of [2, 96, 64] (VGGish), every eighth of [128, 1000] (PaSST); ``<network>.embedding``;
``<network>.logits``, of which the PANNs package returns the sigmoid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hear21passt.models import passt as published_passt
from hear21passt.models.preprocess import AugmentMelSTFT
from torch import Tensor, nn
from torchvggish.torchvggish import VGG, make_layers
from torchvggish.vggish_input import waveform_to_examples

from bench.backbones.requirements import import_published
from tests.backbones.seeded import drawn_state

HERE = Path(__file__).parent


def noise_and_silence() -> np.ndarray:
    noise = np.random.default_rng(4).normal(scale=3277, size=32_000).astype(np.int16)
    noise[8_000:14_000] = 0
    return noise


def panns(waveforms: Tensor) -> dict[str, Tensor]:
    # Importing the package downloads a list of labels; its module alone does not.
    Cnn14 = import_published("panns_inference", "models").Cnn14
    network = Cnn14(16_000, 512, 160, 64, 50, 8000, classes_num=527)
    constants = {name: value for name, value in network.state_dict().items() if "extractor" in name}
    network.load_state_dict({**drawn_state(network.state_dict()), **constants})
    log_mel = network.logmel_extractor(network.spectrogram_extractor(waveforms))[0, 0]
    result = network.eval()(waveforms)
    probabilities = result["clipwise_output"].double()
    return {
        "input": log_mel[::4],
        "embedding": result["embedding"],
        "logits": torch.logit(probabilities).float(),
    }


def vggish(waveforms: Tensor) -> dict[str, Tensor]:
    network = filled(VGG(make_layers(), postprocess=False))
    network.embeddings = network.embeddings[:-1]  # as the reference evaluator: no last ReLU
    examples = waveform_to_examples(waveforms[0].numpy(), 16_000).detach()
    return {"input": examples[:, 0, ::4], "embedding": network(examples)[None]}


def passt(waveforms: Tensor) -> dict[str, Tensor]:
    network = filled(published_passt.PaSST(stride=10, distilled=True, img_size=(128, 998)))
    front_end = AugmentMelSTFT(fmax=15_000, fmax_aug_range=2000, fmin_aug_range=10).eval()
    image = front_end(nn.functional.pad(waveforms, (0, 320_000 - waveforms.shape[1])))
    logits, embedding = network(image[:, None])
    return {"input": image[0, :, ::8], "embedding": embedding, "logits": logits}


def filled(network: nn.Module) -> nn.Module:
    network.load_state_dict(drawn_state(network.state_dict()))
    return network.eval()


@torch.no_grad()
def main() -> None:
    noise = noise_and_silence()
    waveforms = torch.from_numpy(noise[None] / np.float32(32_768))
    arrays = {
        f"{network.__name__}.{name}": value.numpy()
        for network in (panns, vggish, passt)
        for name, value in network(waveforms).items()
    }
    np.savez_compressed(HERE / "audio_networks.npz", noise=noise, **arrays)


if __name__ == "__main__":
    main()
