"""Clips to the features that the mini networks are trained on."""

from __future__ import annotations

from acfoley.codec import Codec
from acfoley.mini.encoders import MiniEncoders, encoders_identity
from acfoley.train.features import Encoding, build_encoding

#: Places inside a target that Stage I takes its reference from.
N_CROPS = 6


def mini_encoding(encoders: MiniEncoders, codec: Codec, codec_hash: str) -> Encoding:
    """The columns of the published model, by the encoders and the codec of the mini world.

    References have an embedding besides, for the variant that hears them as CLAP would.
    """
    identity = f"mini-1-{N_CROPS}-{encoders_identity()}-{codec_hash[:12]}"
    return build_encoding(encoders, codec, N_CROPS, identity, is_embedded=True)
