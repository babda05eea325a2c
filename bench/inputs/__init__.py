"""Read what users bring, as any program wrote it: folders of media, tables, label files.

list_folder(folder)     the audio and video files below it, and the others
list_source(path)       the same for an archive, or a folder of archives
read_table(path)        the rows of a .csv or .tsv file with their line numbers
read_lines(path)        the lines of a text file with their numbers
read_labels(path)       the prompts of a label file, assigned to clips by name
"""

from bench.inputs.folder import (
    Listing,
    format_paths,
    list_folder,
    natural_sort_key,
    require_folders,
)
from bench.inputs.labels import Labels, Prompts, find_labels, read_labels
from bench.inputs.packed import list_source
from bench.inputs.tables import Record, Row, read_lines, read_records, read_table

__all__ = [
    "Labels",
    "Listing",
    "Prompts",
    "Record",
    "Row",
    "find_labels",
    "list_folder",
    "list_source",
    "natural_sort_key",
    "read_labels",
    "read_lines",
    "read_records",
    "read_table",
    "format_paths",
    "require_folders",
]
