"""Mini judges: five small networks in the roles of the published ones, trained on the mini world.

    networks      Passt, Panns, Vggish: audio to embeddings, the first two also to class logits;
                  Imagebind: audio and video to embeddings that are compared by their cosine
    synchformer   Synchformer: audio and video to logits of 21 offsets
    front_end     their inputs and classes
    weights       load_network(name): the weights that come with the package
    dataset       rendered training scenes on disk, and as log-mel frames in memory
    augment, objectives, train    how they are trained
    evaluate      accuracy on held-out scenes

Their numbers are valid on the mini world only.
"""
