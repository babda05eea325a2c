"""AC-Foley for the mini world: the same network and recipe, at a size that a laptop trains.

    variants          the variants, and how they are opened
    weights_files     the weights that come with the package
    encoders          features of video, prompt and reference; their networks in encoder_networks
    pca_autoencoder   the autoencoder of the codec, which is optimal in closed form
    dataset           the training clips: scenes of the mini world that no test split has
    train             render, fit, encode and train everything, in one command
    training_curves   a figure of the losses

All that generating needs comes with the package; ``make mini-weights`` trains it again.
"""
