"""The official files of the judges and of acfoley: name, URL, size, checksum, licence, use.

Sizes and checksums are those that the publishers state (Zenodo's MD5 and GitHub's file name agree
with the SHA-256 given here, Hugging Face states SHA-256, MMAudio's code the MD5 of its files) or,
for PaSST, ImageBind, RoBERTa's vocabulary, BigVGAN, CLIP and the autoencoder, those on which
several independent projects agree. To add a file, add a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.io import bench_home

_HUB = "https://huggingface.co"
_RELEASE = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1"
_ROBERTA = f"{_HUB}/FacebookAI/roberta-base/resolve/e2da8e2f811d1448a5b465c236feacd80ffbac7b"
_BIGVGAN = (
    f"{_HUB}/nvidia/bigvgan_v2_44khz_128band_512x/resolve/95a9d1dcb12906c03edd938d77b9333d6ded7dfb"
)
# Once named DFN5B-CLIP-ViT-H-14-384, as the published code still calls it.
_DFN5B = f"{_HUB}/apple/DFN5B-CLIP-ViT-H-14-378/resolve/01b771ed0d1395ca5ffdd279897d665ebe00dfd2"
_NON_COMMERCIAL = "CC-BY-NC-4.0 (not for commercial use)"


@dataclass(frozen=True)
class OfficialFile:
    """One official file.

    ``needed_by`` names the columns that cannot be computed without it, ``part`` what it is to
    acfoley; a file may have both uses. ``size_bytes`` is None where no publisher states it. Of the
    checksums at least one is known, in hexadecimal; ``sha256`` decides where both are. Where only
    its ends were published it has "..." between them.

    Raises:
        ValueError: no checksum is given. Downloads rely on it: any server may deliver the bytes,
            and parts of several attempts are put together.
    """

    name: str
    file: str
    url: str
    size_bytes: int | None
    sha256: str | None
    licence: str
    needed_by: tuple[str, ...] = ()
    part: str = ""
    md5: str | None = None

    def __post_init__(self) -> None:
        if not (self.sha256 or self.md5):
            raise ValueError(f"the official file {self.name!r} needs a SHA-256 or an MD5")

    @property
    def digest_kind(self) -> str:
        """The kind of the checksum that decides."""
        return "SHA-256" if self.sha256 else "MD5"

    @property
    def digest(self) -> str:
        """The checksum that decides."""
        return self.sha256 or str(self.md5)

    @property
    def users(self) -> tuple[str, ...]:
        """Columns that need it, then what it is to acfoley."""
        return (*self.needed_by, *([f"acfoley ({self.part})"] if self.part else []))


def _mmaudio_flow(preset: str, md5: str, size_bytes: int | None = None) -> OfficialFile:
    file = f"mmaudio_{preset}.pth"
    return OfficialFile(
        f"{preset}-flow",
        file,
        f"{_HUB}/hkchengrex/MMAudio/resolve/main/weights/{file}",
        size_bytes,
        None,
        _NON_COMMERCIAL,
        part=f"flow network of MMAudio, {preset}",
        md5=md5,
    )


OFFICIAL_FILES = {
    row.name: row
    for row in (
        OfficialFile(
            "passt",
            "passt-s-f128-p16-s10-ap.476-swa.pt",
            "https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/"
            "passt-s-f128-p16-s10-ap.476-swa.pt",
            344_665_734,
            "302903fa8c4aee817b11dc982da0b29aaf8d11a3e722420476d0a12c9db70c2c",
            "Apache-2.0",
            ("fd_passt", "kl_passt"),
        ),
        OfficialFile(
            "panns",
            "Cnn14_16k_mAP=0.438.pth",
            "https://zenodo.org/records/3987831/files/Cnn14_16k_mAP%3D0.438.pth",
            358_668_570,
            "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
            "CC-BY-4.0",
            ("fd_panns", "kl_panns"),
        ),
        OfficialFile(
            "vggish",
            "vggish-10086976.pth",
            "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
            None,
            "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
            "Apache-2.0",
            ("fd_vgg",),
        ),
        OfficialFile(
            "imagebind",
            "imagebind_huge.pth",
            "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
            4_803_584_173,
            "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
            "CC-BY-NC-SA-4.0 (not for commercial use)",
            ("ib",),
        ),
        OfficialFile(
            "synchformer",
            "synchformer_state_dict.pth",
            f"{_RELEASE}/synchformer_state_dict.pth",
            950_058_171,
            "8aff082f2df5c3bc52759db0c865c7ee772ae6400b860d1b7e90413f2defb67c",
            "MIT (of the code; none is stated for the file)",
            ("desync",),
            part="Synchformer, of which the video half is used",
            md5="5b2f5594b0730f70e41e549b7c94390c",
        ),
        OfficialFile(
            "clap",
            "music_speech_audioset_epoch_15_esc_89.98.pt",
            "https://huggingface.co/lukewys/laion_clap/resolve/main/"
            "music_speech_audioset_epoch_15_esc_89.98.pt",
            2_352_471_003,
            "51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
            "CC0-1.0",
            ("clap",),
            part="audio half of LAION-CLAP, for the preset mmaudio_clap alone",
        ),
        # The vocabulary of CLAP's text tower. The hub calls these files vocab.json and merges.txt,
        # as it does those of every other network, hence other names here.
        OfficialFile(
            "roberta-vocab",
            "roberta-base-vocab.json",
            f"{_ROBERTA}/vocab.json",
            898_823,
            "9e7f63c2d15d666b52e21d250d2e513b87c9b713cfa6987a82ed89e5e6e50655",
            "MIT",
            ("clap",),
        ),
        OfficialFile(
            "roberta-merges",
            "roberta-base-merges.txt",
            f"{_ROBERTA}/merges.txt",
            456_318,
            "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
            "MIT",
            ("clap",),
        ),
        OfficialFile(
            "acfoley-flow",
            "ac_foley.pth",
            f"{_HUB}/FF2416/AC-Foley/resolve/main/weights/ac_foley.pth",
            4_335_438_310,
            # Both ends are known: 60 bits, enough to tell a wrong file.
            "7956e353...17a30a1",
            _NON_COMMERCIAL,
            part="flow network of AC-Foley",
        ),
        _mmaudio_flow("small_44k", "babd74c884783d13701ea2820a5f5b6d", 629_946_624),
        _mmaudio_flow("medium_44k", "5a56b6665e45a1e65ada534defa903d0"),
        _mmaudio_flow("large_44k", "fed96c325a6785b85ce75ae1aafd2673"),
        _mmaudio_flow("large_44k_v2", "01ad4464f049b2d7efdaa4c1a59b8dfe"),
        OfficialFile(
            "autoencoder",
            "v1-44.pth",
            f"{_RELEASE}/v1-44.pth",
            1_221_942_998,
            "ab6cc15dc31947675f75c950c41f4dcfd0d6d1817555ac871f809ec388e4651a",
            _NON_COMMERCIAL,
            part="spectrogram autoencoder, 44.1 kHz",
            md5="fab020275fa44c6589820ce025191600",
        ),
        OfficialFile(
            "vocoder",
            "bigvgan_generator.pt",
            f"{_BIGVGAN}/bigvgan_generator.pt",
            489_041_291,
            "d9fe7ec6bd0b44ed9d66973d5012d8181c1570b01e5c72df51973e241dccd357",
            "MIT",
            part="BigVGAN v2, 44.1 kHz, 128 bands",
        ),
        OfficialFile(
            "clip",
            "open_clip_pytorch_model.bin",
            f"{_DFN5B}/open_clip_pytorch_model.bin",
            3_947_081_637,
            "c07a17b547d461c60a3cce5062b26bf8545b13de602c4c59d8490361eb716033",
            "Apple sample code licence",
            part="CLIP ViT-H/14 of DFN5B",
        ),
    )
}


def weights_directory() -> Path:
    """Where official files are stored unless the user names a folder: ``$BENCH_HOME/weights``."""
    return bench_home() / "weights"


def select_weights(names: Iterable[str] | None = None) -> tuple[OfficialFile, ...]:
    """Return the rows of these names in the table's order; without names, those of the judges.

    Raises:
        BenchError: no file has such a name; the message lists the names.
    """
    # By default without acfoley's: `bench weights fetch` is for the judges.
    wanted = list(names or (row.name for row in OFFICIAL_FILES.values() if row.needed_by))
    if unknown := [name for name in wanted if name not in OFFICIAL_FILES]:
        raise BenchError(f"no weights {unknown[0]!r}; there are: {', '.join(OFFICIAL_FILES)}")
    return tuple(row for name, row in OFFICIAL_FILES.items() if name in wanted)
