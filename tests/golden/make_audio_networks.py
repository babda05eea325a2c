"""Make audio_networks.npz: what the published packages make of two seconds of sound.

Run at the root of the checkout, in an environment that has torchlibrosa 0.1.0, panns-inference
0.1.1, torchvggish 0.2 and hear21passt 0.0.26:

    python -m tests.golden.make_audio_networks

The sound is noise with a stretch of digital silence, so that every floor is touched; the weights
are those of ``tests.backbones.seeded.drawn_state``. Arrays: ``noise`` [32000] int16, taken as
16 kHz (PANNs, VGGish) or 32 kHz (PaSST); ``<network>.input``: every fourth frame of [201, 64] dB
(PANNs) and of [2, 96, 64] (VGGish), every eighth of [128, 1000] (PaSST); ``<network>.embedding``;
``<network>.logits``, of which PANNs's package shows the sigmoid.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch
from hear21passt.models import passt as hear21
from hear21passt.models.preprocess import AugmentMelSTFT
from torch import Tensor, nn
from torchvggish.torchvggish import VGG, make_layers
from torchvggish.vggish_input import waveform_to_examples

from tests.backbones.seeded import drawn_state

HERE = Path(__file__).parent


def noise_and_silence() -> np.ndarray:
    noise = np.random.default_rng(4).normal(scale=3277, size=32_000).astype(np.int16)
    noise[8_000:14_000] = 0
    return noise


def panns(waveforms: Tensor) -> dict[str, Tensor]:
    # the package downloads a list of labels when it is imported: its modules alone do not
    package = types.ModuleType("panns_inference")
    package.__path__ = importlib.util.find_spec("panns_inference").submodule_search_locations
    sys.modules["panns_inference"] = package
    from panns_inference.models import Cnn14

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
    network = filled(hear21.PaSST(stride=10, distilled=True, img_size=(128, 998)))
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
