"""Prepare the datasets that people have on disk, in whatever form: a manifest for each.

scan.py         the media below a folder: files, members of archives, rows of Parquet files
zips.py, disk.py    the media in a zip; space for what is unpacked
index.py        what their headers state, remembered while they are unchanged
vggsound.py     VGGSound's lists and clips
vggsounder.py   which labels are audible or visible in its test clips
greatesthits.py the segments of CondFoley's pairs
foleybench.py   FoleyBench's rows, unpacked
moviegen.py     the generated videos of Movie Gen Audio Bench
audiocaps.py, wavcaps_training.py    audio with captions, to train on
lists/          lists that come with the package (VGGSound: CC BY 4.0, Chen et al. 2020)
"""
