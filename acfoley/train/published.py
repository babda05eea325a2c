"""The encoding of AC-Foley: the published codec and encoders, from their official files."""

from __future__ import annotations

from pathlib import Path

from acfoley.codec import Codec
from acfoley.codec.autoencoder import AUTOENCODER_44K, load_autoencoder
from acfoley.codec.griffin_lim import GriffinLim
from acfoley.encoders import load_encoders
from acfoley.official import require_clap, require_official
from acfoley.train.features import Encoding, build_encoding
from bench.backbones.requirements import usable_device
from bench.errors import BenchError

#: Increased when the features of the same file change.
VERSION = "acfoley-1"
#: References from inside the target that are encoded for each clip.
N_CROPS = 8


def open_published(
    directory: Path, device: str = "cpu", n_crops: int = N_CROPS, *, has_clap: bool = False
) -> Encoding:
    """Return the encoding that AC-Foley is trained on, its networks on ``device``.

    With ``has_clap`` references are also embedded by CLAP, for the recipe ``clap-encoder``.

    Raises:
        MissingError: a file is missing; the message names the command that fetches it.
        BenchError: a file is not the official one, the device does not exist, or ``n_crops`` is
            below 1.
    """
    if n_crops < 1:
        raise BenchError(f"at least 1 reference is cut from inside a target, not {n_crops}")
    own = usable_device(device)
    # Any path as flow network: features need none, so that its file is not asked for.
    paths = require_official("acfoley", directory, flow=Path("not needed"))
    clap = require_clap(directory) if has_clap else None
    # Encoding needs no vocoder; Griffin-Lim has no weights to load.
    codec = Codec(load_autoencoder(paths.autoencoder, own, AUTOENCODER_44K), GriffinLim())
    encoders = load_encoders(paths.clip, paths.synchformer, own, clap=clap)

    # The words of the identity are stored with the features: they stay as they are.
    clap_suffix = ", embedded by CLAP" if has_clap else ""
    identity = f"{VERSION}, {n_crops} references inside{clap_suffix}"
    return build_encoding(encoders, codec, n_crops, identity, is_embedded=has_clap)
