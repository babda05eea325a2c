"""Small judges: five networks in the roles of the published ones, taught on the mini world.

    passt panns vggish       sounds to embeddings, the first two to labels of (action, material)
    imagebind                sounds and pictures to embeddings whose cosine says how they fit
    synchformer              sound and picture to logits of 21 offsets
    front_end pictures labels    what they hear, see and tell apart
    shipped                  load_network(name): the weights that come with the package
    teach                    how they are trained; examples, augment, learn_* are for it alone
    measure                  how good they are on scenes they were not taught

Their numbers hold on the mini world and mean nothing elsewhere.
"""
