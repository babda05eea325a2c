"""Front-end blocks that several networks share: mel filter banks and Kaldi filter banks."""
