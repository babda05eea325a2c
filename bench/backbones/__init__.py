"""The judges' networks: each with its front end and the loader of its official checkpoint.

    passt panns vggish     audio taggers, by the classes of their published packages
    clap                   audio and prompts, by the package transformers
    imagebind*             audio and video in one space
    synchformer*           offset of audio and video
    requirements           usable devices; published packages without their side effects

The module of a network has its name in ``bench.checkpoints.registry``, the version
(``PREPROCESSING``) and the sample rate of its front end, ``front_end``, and the functions that load
the network and embed. Nothing is imported here, for importing a network's module imports torch.
"""
