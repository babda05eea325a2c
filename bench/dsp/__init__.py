"""Blocks of front ends that networks share: mel banks, power spectra, Kaldi filter banks."""
