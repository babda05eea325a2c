"""The table of official checkpoints: what each is called, weighs and hashes to, and who needs it.

Sizes and checksums are those that the publishers state (Zenodo's MD5 and GitHub's file name agree
with the SHA-256 given here, Hugging Face states SHA-256) or, for PaSST, ImageBind and RoBERTa's
vocabulary, those on which several independent projects agree. To add a checkpoint, add a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.io import bench_home

_ROBERTA = (
    "https://huggingface.co/FacebookAI/roberta-base/resolve/"
    "e2da8e2f811d1448a5b465c236feacd80ffbac7b"
)


@dataclass(frozen=True)
class Weights:
    """One official file; ``needed_by`` names the columns that cannot be computed without it.

    ``size_bytes`` is None where no publisher states it.
    """

    name: str
    file: str
    url: str
    size_bytes: int | None
    sha256: str
    licence: str
    needed_by: tuple[str, ...]


WEIGHTS = {
    row.name: row
    for row in (
        Weights(
            "passt",
            "passt-s-f128-p16-s10-ap.476-swa.pt",
            "https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/"
            "passt-s-f128-p16-s10-ap.476-swa.pt",
            344_665_734,
            "302903fa8c4aee817b11dc982da0b29aaf8d11a3e722420476d0a12c9db70c2c",
            "Apache-2.0",
            ("fd_passt", "kl_passt"),
        ),
        Weights(
            "panns",
            "Cnn14_16k_mAP=0.438.pth",
            "https://zenodo.org/records/3987831/files/Cnn14_16k_mAP%3D0.438.pth",
            358_668_570,
            "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
            "CC-BY-4.0",
            ("fd_panns", "kl_panns"),
        ),
        Weights(
            "vggish",
            "vggish-10086976.pth",
            "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
            None,
            "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
            "Apache-2.0",
            ("fd_vgg",),
        ),
        Weights(
            "imagebind",
            "imagebind_huge.pth",
            "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
            4_803_584_173,
            "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
            "CC-BY-NC-SA-4.0 (not for commercial use)",
            ("ib",),
        ),
        Weights(
            "synchformer",
            "synchformer_state_dict.pth",
            "https://github.com/hkchengrex/MMAudio/releases/download/v0.1/"
            "synchformer_state_dict.pth",
            950_058_171,
            "8aff082f2df5c3bc52759db0c865c7ee772ae6400b860d1b7e90413f2defb67c",
            "MIT (of the code; none is stated for the file)",
            ("desync",),
        ),
        Weights(
            "clap",
            "music_speech_audioset_epoch_15_esc_89.98.pt",
            "https://huggingface.co/lukewys/laion_clap/resolve/main/"
            "music_speech_audioset_epoch_15_esc_89.98.pt",
            2_352_471_003,
            "51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
            "CC0-1.0",
            ("clap",),
        ),
        # What CLAP's text tower counts in. The hub calls these vocab.json and merges.txt, as it
        # does those of every other network.
        Weights(
            "roberta-vocab",
            "roberta-base-vocab.json",
            f"{_ROBERTA}/vocab.json",
            898_823,
            "9e7f63c2d15d666b52e21d250d2e513b87c9b713cfa6987a82ed89e5e6e50655",
            "MIT",
            ("clap",),
        ),
        Weights(
            "roberta-merges",
            "roberta-base-merges.txt",
            f"{_ROBERTA}/merges.txt",
            456_318,
            "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
            "MIT",
            ("clap",),
        ),
    )
}


def weights_directory() -> Path:
    """Where checkpoints lie unless the user says otherwise: ``$BENCH_HOME/weights``."""
    return bench_home() / "weights"


def select_weights(names: Iterable[str] | None = None) -> tuple[Weights, ...]:
    """Return the rows of these names in the table's order; None or no names means all of them.

    Raises:
        BenchError: there is no such name; the message lists those there are.
    """
    wanted = list(names or WEIGHTS)
    if unknown := [name for name in wanted if name not in WEIGHTS]:
        raise BenchError(f"no weights {unknown[0]!r}; there are: {', '.join(WEIGHTS)}")
    return tuple(row for name, row in WEIGHTS.items() if name in wanted)
