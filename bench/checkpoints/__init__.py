"""Checkpoints: the table of official files, their verification, download and safe loading."""
