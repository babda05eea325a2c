"""The flow network of MMAudio and AC-Foley.

layers         linear layers, convolutions, SwiGLU, modulation
winograd       convolutions with half of the products, for a prepared network
attention      attention with rotary position embeddings
flow_network   the network itself (the paper's Figure 2)
conditions     features of clips, and what the network makes of them once per clip
initialise     first weights: random, or taken over from MMAudio
weights        checkpoints of the network: official files and those of a training run
"""
