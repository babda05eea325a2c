"""The official files of codec and encoders: what each is called, weighs and hashes to.

Checksums are None where no publisher states one that is known here; such a file is still refused
when its names and shapes are not exactly the network's. Addresses on Hugging Face name a revision
where one is known, so that what is fetched cannot change.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.checkpoints.registry import WEIGHTS

_MMAUDIO = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1"
_BIGVGAN = (
    "https://huggingface.co/nvidia/bigvgan_v2_44khz_128band_512x/resolve/"
    "95a9d1dcb12906c03edd938d77b9333d6ded7dfb"
)
# Once named DFN5B-CLIP-ViT-H-14-384, as the published code still calls it.
_DFN5B = (
    "https://huggingface.co/apple/DFN5B-CLIP-ViT-H-14-378/resolve/"
    "01b771ed0d1395ca5ffdd279897d665ebe00dfd2"
)
_SYNCHFORMER = WEIGHTS["synchformer"]
_CLAP = WEIGHTS["clap"]


@dataclass(frozen=True)
class OfficialFile:
    """One official file; ``part`` says what it is to the model.

    ``size_bytes``, ``sha256`` and ``md5`` are None where they are not known.
    """

    name: str
    part: str
    file: str
    url: str
    size_bytes: int | None
    sha256: str | None
    md5: str | None
    licence: str


OFFICIAL_FILES: dict[str, OfficialFile] = {
    row.name: row
    for row in (
        OfficialFile(
            "autoencoder",
            "spectrogram autoencoder, 44.1 kHz",
            "v1-44.pth",
            f"{_MMAUDIO}/v1-44.pth",
            1_221_942_998,
            None,
            "fab020275fa44c6589820ce025191600",
            "CC-BY-NC-4.0 (not for commercial use)",
        ),
        OfficialFile(
            "vocoder",
            "BigVGAN v2, 44.1 kHz, 128 bands",
            "bigvgan_generator.pt",
            f"{_BIGVGAN}/bigvgan_generator.pt",
            None,
            None,
            None,
            "MIT",
        ),
        OfficialFile(
            "clip",
            "CLIP ViT-H/14 of DFN5B",
            "open_clip_pytorch_model.bin",
            f"{_DFN5B}/open_clip_pytorch_model.bin",
            3_947_081_637,
            None,
            None,
            "Apple sample code licence",
        ),
        OfficialFile(
            "synchformer",
            "Synchformer, of which the video half is used",
            _SYNCHFORMER.file,
            _SYNCHFORMER.url,
            _SYNCHFORMER.size_bytes,
            _SYNCHFORMER.sha256,
            "5b2f5594b0730f70e41e549b7c94390c",
            _SYNCHFORMER.licence,
        ),
        OfficialFile(
            "clap",
            "LAION-CLAP, of which the half that hears is used, by the preset mmaudio_clap alone",
            _CLAP.file,
            _CLAP.url,
            _CLAP.size_bytes,
            _CLAP.sha256,
            None,
            _CLAP.licence,
        ),
    )
}
