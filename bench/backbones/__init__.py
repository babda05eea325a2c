"""The judges' networks: each with its front end and the loader of its official checkpoint.

    passt panns vggish     audio taggers, by the classes of their published packages
    clap                   audio and prompts, by the package transformers
    imagebind*             audio and video in one space
    synchformer*           offset of audio and video
    requirements           usable devices; published packages without their side effects

The module of a network has its name in ``bench.checkpoints.registry``, the sample rate of its front
end, ``front_end``, and the functions that load the network and embed. Nothing is imported here, for
importing a network's module imports torch.
"""

from __future__ import annotations

#: The versions of the front ends, raised when one changes: part of the key of every cached feature.
#: Here, so that a plan knows them without torch.
PREPROCESSING: dict[str, str] = {
    "passt": "1",
    "panns": "1",
    "vggish": "1",
    "clap": "1",
    "imagebind": "2",  # frames resized as by torchvision to the bit
    "synchformer": "2",  # the same
}
