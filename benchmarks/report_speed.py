"""How long the report page takes: to write, and in Chromium until its first row is there.

python -m benchmarks.report_speed

written    6 runs x 8,676 clips, everything but media; target 60 s
first row  500 clips x 6 systems, target 2 s; 15,000 clips x 6 systems, target 3 s, from opening the
           file until the list of clips is there (needs chromium, chromedriver, selenium)
update     another metric chosen, until its list is there

Scores are drawn. The load of the machine is printed: on busy cores the times are longer.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.results import find_finished_runs
from benchmarks.tables_speed import write_runs
from reports.page import PageInputs, load_scores, write_page

N_RUNS = 6
WRITE_CLIPS, WRITE_TARGET_S = 8_676, 60.0
#: Clips, and the seconds until the first row.
OPENED = ((500, 2.0), (15_000, 3.0))
ROUNDS = 3
#: Choose the metric, and answer when the list has its name.
CHOOSE = """
const done = arguments[0], start = performance.now(), field = document.getElementById('metric');
field.value = '3';
field.dispatchEvent(new Event('change', { bubbles: true }));
const wanted = field.selectedOptions[0].textContent;
(function look() {
  const caption = document.querySelector('#list caption');
  if (caption && caption.textContent === wanted) done((performance.now() - start) / 1000);
  else setTimeout(look, 5);
})();
"""


def main() -> int:
    """Print times with their targets; 1 if one is missed."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    is_met = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taken, _ = write(folder / "written", WRITE_CLIPS)
        is_met &= report(f"written, {WRITE_CLIPS:,} clips", taken, WRITE_TARGET_S)
        for n_clips, target_s in OPENED:
            _, page = write(folder / str(n_clips), n_clips)
            first, update = open_page(page)
            is_met &= report(f"first row, {n_clips:,} clips", first, target_s)
            print(f"{f'update, {n_clips:,} clips':26} {update:7.2f} s")
    return 0 if is_met else 1


def report(what: str, seconds: float, target_s: float) -> bool:
    """Print a time; return whether it meets its target."""
    print(f"{what:26} {seconds:7.2f} s   at most {target_s:g} s")
    return seconds <= target_s


def write(folder: Path, n_clips: int) -> tuple[float, Path]:
    """Write runs of so many clips and their page; return the seconds of the page, and the page."""
    write_runs(folder / "runs", N_RUNS, n_clips)
    start = time.perf_counter()
    scores = load_scores(find_finished_runs(folder / "runs"))
    prompts = dict.fromkeys(scores.clips, "a dog barks at a passing car")
    page = write_page(folder / "site", scores, PageInputs(prompts, {}, {}, ""))
    return time.perf_counter() - start, page


def open_page(page: Path) -> tuple[float, float]:
    """Return the shortest seconds until the first row, and of another metric."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    first, update = [], []
    for _ in range(ROUNDS):
        driver.get("about:blank")
        driver.get(page.as_uri())
        ready = None
        while ready is None:
            time.sleep(0.02)
            ready = driver.execute_script("return document.documentElement.dataset.ready")
        first.append(float(ready) / 1000)
        update.append(float(driver.execute_async_script(CHOOSE)))
    driver.quit()
    return min(first), min(update)


if __name__ == "__main__":
    sys.exit(main())
