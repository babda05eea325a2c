"""Clips to the features that the mini networks are trained on."""

from __future__ import annotations

from acfoley.codec import Codec
from acfoley.mini.encoders import MiniEncoders, encoders_identity
from acfoley.train.encoding import Array, Encoding, embedded, published_columns
from bench.types import Audio

#: Places inside a target that Stage I takes its reference from.
N_CROPS = 6


def mini_encoding(encoders: MiniEncoders, codec: Codec, codec_hash: str) -> Encoding:
    """The columns of the published model, by the encoders and the codec of the mini world.

    References have an embedding besides, for the variant that hears them as CLAP would.
    """

    def embedding(sound: Audio) -> Array:
        found: Array = encoders.embedding(sound.samples[0]).numpy()
        return found

    def empty_text() -> Array:
        found: Array = encoders.prompts([""]).features[0].numpy()
        return found

    return Encoding(
        identity=f"mini-1-{N_CROPS}-{encoders_identity()}-{codec_hash[:12]}",
        columns={
            **published_columns(encoders, codec, N_CROPS),
            "embedding": embedded(embedding, N_CROPS),
        },
        empty_text=empty_text,
    )
