"""Print docs/systems.md: every system that runs in an environment of its own, by its adapter.

python -m baselines.describe > docs/systems.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.isolation import Adapter, IsolatedSystem, Weight
from bench.isolation.av_benchmark import AV_BENCHMARK
from bench.plugins import open_system, read_declarations

HEAD = """# Systems that run in an environment of their own

Written by `python -m baselines.describe` from the adapters in `baselines/`: do not edit.

Every system below needs another Python, another torch or another licence than this project. Each
runs in an environment of its own, from your checkout of its repository. We write nothing there; its
own scripts may, as they do without us:

    git clone <repository> DIR && git -C DIR checkout <commit>
    bench systems setup NAME --checkout DIR --accept-licence
    bench run --model NAME --split vggsound-ib0.3

`setup` shows the terms, makes the environment from the lock file by
[uv](https://docs.astral.sh/uv/) (`pip install 'foley-bench[systems]'`), compares the commit, checks
requirements and weights, generates two clips, and keeps their time and memory for
`bench run --dry-run`. With `--python ENVIRONMENT` it takes an environment that you made, as by
conda. `bench systems check NAME` does the last steps again. `bench systems remove NAME` deletes
`$BENCH_HOME/systems/NAME`: environment, logs and home folder. Your checkout and its weights stay.

Where a section says *You install*, ENVIRONMENT is `$BENCH_HOME/systems/NAME/environment`, or yours.
`setup` makes that anew each time, so that what was installed in it has to be installed again.

Each system has a HOME of its own, and of your variables those that locate programs, plus HF_HOME,
HF_TOKEN and TORCH_HOME. Set HF_HOME and TORCH_HOME, so that networks that several systems download
are there once; without them each has its own below its home folder, which `remove` deletes.

What a system is given are files with names of ours, below a folder of the chunk: the video encoded
anew (H.264, crf 10) without its audio, the reference, the prompt. Whatever it prints is in
`$BENCH_HOME/systems/NAME/logs`. What it writes is compared with what was asked for: a clip without
a file of its own, with several, with the audio of another clip, with values that are not finite, is
a failure with that reason. After a crash or a hang the clips of the chunk are tried one by one.
"""

LEFT_OUT = """## Left out

- PrismAudio (https://github.com/FunAudioLLM/ThinkSound, branch `prismaudio`): its script handles
  one clip under a fixed name inside the checkout, has no seed, and needs a written chain of thought
  per clip. Samples that you made with it are read by `--model precomputed:FOLDER`.
"""


def describe() -> str:
    """Return the page."""
    rows = [row for row in read_declarations("system") if not row.argument]
    ours = [open_system(row.name) for row in rows if str(row.value).startswith("baselines.")]
    adapters = [each.adapter for each in ours if isinstance(each, IsolatedSystem)]
    parts = [HEAD, *("\n".join(_section(each)) for each in adapters if each is not None)]
    parts += ["\n".join(_section(AV_BENCHMARK)), LEFT_OUT]
    return "\n".join(parts)


def _section(adapter: Adapter) -> Iterator[str]:
    yield f"## {adapter.name}\n"
    yield f"{adapter.summary[:1].upper()}{adapter.summary[1:]}.\n"
    yield f"- Repository: {adapter.repository}, commit `{adapter.commit}`"
    yield f"- Licence: {adapter.licence}"
    lock = f"locked on {adapter.locked_on}" if adapter.locked_on else "no lock"
    yield f"- Environment: Python {adapter.python}, {lock}"
    if adapter.outputs:
        yield from _describe_protocol(adapter)
    for source in dict.fromkeys(weight.source for weight in adapter.weights):
        files = [_name(weight) for weight in adapter.weights if weight.source == source]
        yield f"- Weights from {source}: {', '.join(files)}"
    for requirement in adapter.requirements:
        yield f"- You install: `{requirement.check}`: {requirement.how}"
    if adapter.splits_paths:
        yield "- BENCH_HOME: a path without blanks, since its scripts do not quote paths"
    if adapter.caveat:
        yield f"- It is {adapter.caveat}"
    yield ""


def _name(weight: Weight) -> str:
    size = "" if weight.size_bytes is None else f"{weight.size_bytes:,} bytes"
    checksum = "checksum" if weight.sha256 or weight.md5 else ""
    known = ", ".join(each for each in (size, checksum) if each)
    return f"`{weight.path}`" + (f" ({known} verified)" if known else "")


def _describe_protocol(adapter: Adapter) -> Iterator[str]:
    form = adapter.video
    seconds = "the clip's length" if form.seconds is None else f"{form.seconds:g} s"
    margin = f" and {form.margin_s:g} s more" if form.margin_s else ""
    size = "" if form.short_side is None else f", short side {form.short_side}"
    audio = ", with a track of silence" if form.audio == "silent" else ", without audio"
    yield f"- Is given: {', '.join(sorted(adapter.uses))}"
    yield f"- Video: {seconds}{margin} at {form.fps} frames per second{size}{audio}"
    if adapter.reference:
        yield f"- Reference: a .{adapter.reference} file"
    decided_by = "its clip alone" if adapter.seeds == "clip" else "all clips of its chunk"
    clips = "1 clip" if adapter.chunk == 1 else f"{adapter.chunk} clips"
    yield f"- {clips} per chunk; a sample depends on {decided_by}"
    native = "the input's length" if adapter.seconds is None else f"{adapter.seconds:g} s"
    rate = "" if adapter.sample_rate_hz is None else f" at {adapter.sample_rate_hz:,} Hz"
    yield f"- Writes: {native}{rate}; what is longer than the clip is cut"
    if adapter.trained_on:
        yield f"- Trained on: {', '.join(adapter.trained_on)}"
    for judge, how in adapter.judges_seen.items():
        yield f"- Has seen the judge {judge}: {how}"
    if adapter.candidates > 1:
        yield f"- Draws {adapter.candidates} candidates per clip"


if __name__ == "__main__":
    sys.stdout.write(describe())
