"""Match files that other people's code named to the clips they are for.

names.py        parse the published naming schemes, and make names that can be written to disk
catalogue.py    assign files to clips: found, missing, claimed by several
"""

from bench.matching.catalogue import Catalogue, Choice, Matching, assign, match
from bench.matching.names import (
    YOUTUBE_ID,
    Reading,
    make_clip_name,
    make_cluster_name,
    make_hashed_name,
    normalize_name,
    parse_canonical_name,
    parse_stem,
    parse_youtube_id,
    to_printable,
)

__all__ = [
    "YOUTUBE_ID",
    "Catalogue",
    "Choice",
    "Matching",
    "Reading",
    "assign",
    "parse_canonical_name",
    "make_clip_name",
    "make_cluster_name",
    "normalize_name",
    "make_hashed_name",
    "match",
    "to_printable",
    "parse_stem",
    "parse_youtube_id",
]
