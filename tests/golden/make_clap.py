"""Make clap.npz: the embeddings of audio and text by the package laion_clap under drawn weights.

Run at the root of the checkout, in an environment that has laion_clap 1.1.7 with transformers
4.57.6, numpy below 2 and soundfile:

    python -m tests.golden.make_clap

Waveforms, prompts and vocabulary are those of ``tests.backbones.clap_inputs``, the weights those of
``tests.backbones.seeded.drawn_state``. RoBERTa is built from its published configuration, which
the package would otherwise download. Arrays: ``shapes``, of the tensors of the package's network
by name, as JSON; ``tokens`` [5, 77]; ``text`` [5, 512]; ``audio.<name>`` [512]; ``mel.<name>``:
every fortieth frame of [1001, 64] dB.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
import transformers
from torch import Tensor

from tests.backbones.clap_inputs import (
    PROMPTS,
    RATE_HZ,
    is_constant,
    waveforms,
    write_vocabulary,
)
from tests.backbones.seeded import drawn_state

HERE = Path(__file__).parent
ROBERTA_BASE = {
    "vocab_size": 50_265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}


def open_package(folder: Path) -> torch.nn.Module:
    """The package's network; what it asks the hub for is made here instead."""
    tokenizer = transformers.RobertaTokenizer(*map(str, write_vocabulary(folder)))
    roberta = transformers.RobertaModel(transformers.RobertaConfig(**ROBERTA_BASE))
    transformers.RobertaModel.from_pretrained = lambda *_, **__: roberta
    transformers.RobertaTokenizer.from_pretrained = lambda *_, **__: tokenizer
    transformers.BertTokenizer.from_pretrained = lambda *_, **__: None
    transformers.BartTokenizer.from_pretrained = lambda *_, **__: None
    sys.argv = sys.argv[:1]  # the package reads the command line when it is imported
    import laion_clap

    return laion_clap.CLAP_Module(enable_fusion=False, amodel="HTSAT-base", device="cpu")


def encode_audio(package: torch.nn.Module, folder: Path) -> dict[str, np.ndarray]:
    arrays, mels = {}, []
    extractor = package.model.audio_branch.logmel_extractor
    extractor.register_forward_hook(lambda module, given, answer: mels.append(answer))
    for name, audio in waveforms().items():
        path = folder / f"{name}.wav"
        soundfile.write(path, audio, RATE_HZ, subtype="FLOAT")
        arrays[f"audio.{name}"] = package.get_audio_embedding_from_filelist([str(path)])[0]
        arrays[f"mel.{name}"] = mels[-1][0, 0, ::40].numpy()
    return arrays


def read(package: torch.nn.Module) -> dict[str, np.ndarray]:
    tokens = package.tokenizer(list(PROMPTS))["input_ids"]
    return {"tokens": tokens.numpy(), "text": package.get_text_embedding(list(PROMPTS))}


def filled(network: torch.nn.Module) -> dict[str, Tensor]:
    """Drawn weights for all but the constants."""
    own = network.state_dict()
    constants = {name: tensor for name, tensor in own.items() if is_constant(name)}
    return {**drawn_state(own), **constants}


@torch.no_grad()
def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        package = open_package(Path(name))
        network = package.model.eval()
        network.load_state_dict(filled(network))
        arrays = {**encode_audio(package, Path(name)), **read(package)}
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    np.savez_compressed(HERE / "clap.npz", shapes=json.dumps(shapes), **arrays)


if __name__ == "__main__":
    main()
