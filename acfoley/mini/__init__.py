"""AC-Foley for the mini world: the same network and recipe, at a size that a laptop trains.

    variants          the variants, how they are opened, and the weights that come with the package
    encoders          features of video, prompt and reference, and their networks
    pca_autoencoder   the autoencoder of the codec, which is optimal in closed form
    train             render the clips, fit, encode and train everything, in one command
    training_curves   a figure of the losses

All that generating needs comes with the package; ``make mini-weights`` trains it again.
"""
