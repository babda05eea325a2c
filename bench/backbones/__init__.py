"""The judges' networks: one per file, each with its front end and the tensors of its checkpoint.

    weights     the table of official files: names, sizes, checksums, licences, and who needs them
    verify      whether the files that are here are the official ones; what is missing
    fetch       how a file gets here: from its official place or a mirror, checked, placed whole
    download    one URL to one file, going on where it stopped
    loading     checkpoints to tensors, tensors to modules, safely and strictly

A network's file holds its name in the table of weights, the version and the rate of its front end,
the module itself with the tensor names of the official checkpoint, and the functions that load it,
prepare its input and embed. Nothing is imported here: torch loads when a network is asked for.
"""
