"""The report page: a folder that is opened from disk, with the scores of runs and their media.

    scores.py   load_scores, choose_clips    scores of all runs by clip, and which clips stand out
    build.py    write_page                   the page and its data
    template.html, page.css, page.js, charts.js, player.js   what the browser reads

A page that is opened as ``file://`` may load no data but scripts, so every piece of data is a
script that calls ``report.add`` once (``bench.io.write_script``), added as a tag when it is needed.
Texts of the data are escaped here, or set as text by the scripts of the page.
"""

from reports.page.build import PageInputs, write_page
from reports.page.scores import PageRun, PageScores, choose_clips, load_scores

__all__ = ["PageInputs", "PageRun", "PageScores", "choose_clips", "load_scores", "write_page"]
