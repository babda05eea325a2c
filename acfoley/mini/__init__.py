"""AC-Foley of the mini world: the same network and recipe, at a size that a laptop trains.

    clips     what is trained on: scenes of the mini world that no split for testing has
    encoders  what the network is told about picture, prompt and reference
    linear    the autoencoder of its codec, which has a best one in closed form
    encode    clips to the features that networks are trained on
    variants  what is trained, and where the weights of each lie in the package
    model     a variant, its codec and its encoders, ready to generate
    curves    how training went, as a picture
    teach     all of it from nothing, in one command

All that generating needs comes with the package; ``make mini-weights`` makes it again.
"""
