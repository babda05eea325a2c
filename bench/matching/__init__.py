"""Which file belongs to which clip, when the file was named by somebody else's code.

names.py        what a name says: the published schemes, and names that can be written
catalogue.py    files put together with clips: found, missing, claimed by several
"""

from bench.matching.catalogue import Catalogue, Choice, Matching, match
from bench.matching.names import (
    YOUTUBE_ID,
    Reading,
    canonical_id,
    clip_name,
    cluster_name,
    composed,
    hashed_name,
    printable,
    readings,
    youtube_id,
)

__all__ = [
    "YOUTUBE_ID",
    "Catalogue",
    "Choice",
    "Matching",
    "Reading",
    "canonical_id",
    "clip_name",
    "cluster_name",
    "composed",
    "hashed_name",
    "match",
    "printable",
    "readings",
    "youtube_id",
]
