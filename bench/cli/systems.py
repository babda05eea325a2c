"""``bench systems``: environments of systems that need one of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_isolated
from bench.cli.options import Device

if TYPE_CHECKING:
    from bench.isolation import Adapter
    from bench.types import Request

app = typer.Typer(
    help="Set up systems that run in an environment of their own.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(help="See `bench list models`.", autocompletion=complete_isolated)
]
AcceptLicence = Annotated[
    bool, typer.Option("--accept-licence", help="You have read the terms and accept them.")
]


def _open_adapter(name: str) -> Adapter:
    from bench.errors import BenchError
    from bench.isolation import IsolatedSystem
    from bench.isolation.av_benchmark import AV_BENCHMARK
    from bench.plugins import open_system

    if name == AV_BENCHMARK.name:
        return AV_BENCHMARK
    system = open_system(name)
    if not isinstance(system, IsolatedSystem) or system.adapter is None:
        raise BenchError(f"{name} runs in this environment: there is nothing to set up")
    return system.adapter


@app.command()
def setup(
    name: Name,
    checkout: Annotated[Path, typer.Option(help="Your clone of its repository.")],
    python: Annotated[
        Path | None,
        typer.Option(help="An environment that you made, as by conda, instead of the lock's."),
    ] = None,
    accept_licence: AcceptLicence = False,
    check: Annotated[bool, typer.Option(help="Generate two clips at the end.")] = True,
    device: Device = "cpu",
) -> None:
    """Make the environment of a system, compare its checkout, verify its weights, try two clips."""
    from bench.cli.console import notices
    from bench.isolation import setup as work
    from bench.isolation.state import compare_commit
    from bench.pipeline.columns import require_devices

    adapter = _open_adapter(name)
    require_devices(device)
    out = notices()
    out.print(f"{adapter.name}: {adapter.licence}\n{adapter.terms}", soft_wrap=True, markup=False)
    work.accept_licence(adapter, is_accepted=accept_licence)
    work.set_up(adapter, checkout, python, lambda line: out.print(line, soft_wrap=True))
    if difference := compare_commit(adapter, checkout.expanduser().resolve()):
        out.print(f"Note: {difference}", soft_wrap=True, markup=False)
    if _print_missing(adapter):
        raise typer.Exit(1)
    if check and adapter.outputs:  # an evaluator generates nothing
        _check(adapter, device)


@app.command()
def check(name: Name, device: Device = "cpu") -> None:
    """Verify requirements and weights, generate two clips, and measure time and memory."""
    from bench.pipeline.columns import require_devices

    adapter = _open_adapter(name)
    require_devices(device)
    if _print_missing(adapter):
        raise typer.Exit(1)
    if adapter.outputs:  # an evaluator generates nothing
        _check(adapter, device)


@app.command()
def remove(name: Name) -> None:
    """Delete the environment of a system; its checkout and weights stay."""
    from bench.cli.console import notices
    from bench.isolation import setup as work

    freed = work.remove(_open_adapter(name))
    notices().print(f"Removed the environment of {name}: {freed / 2**20:,.0f} MB")


def _print_missing(adapter: Adapter) -> bool:
    """Print what the user has to add; return whether there is anything."""
    from bench.cli.console import notices
    from bench.isolation import setup as work

    missing = work.list_unmet_requirements(adapter) + work.list_weight_faults(adapter)
    for line in missing:
        notices().print(f"Missing: {line}", soft_wrap=True, markup=False)
    if missing:
        notices().print(f"Then: bench systems check {adapter.name}")
    return bool(missing)


def _check(adapter: Adapter, device: str) -> None:
    from bench.cli.console import console, notices
    from bench.isolation import setup as work

    requests = _make_requests(adapter)
    notices().print(f"Generating {len(requests)} clips with {adapter.name} ...")
    report = work.check(adapter, requests, device)
    memory = f"{report.memory_gib:.1f} GiB of memory"
    if report.device_memory_gib is not None:
        memory += f", {report.device_memory_gib:.1f} GiB on the GPU"
    repeats = (
        "samples repeat to the bit"
        if report.difference == 0
        else f"samples of one seed differ by up to {report.difference:.2g}"
    )
    console().print(
        f"{adapter.name} works: {report.seconds_per_clip:.1f} s per clip in chunks of "
        f"{adapter.chunk}, {memory}, {repeats}",
        soft_wrap=True,
    )


def _make_requests(adapter: Adapter) -> list[Request]:
    """Requests for the first two mini clips, which are rendered where they are not here."""
    from bench.engine import open_engine
    from bench.pipeline.generate import make_request
    from bench.splits import open_split
    from bench.splits.mini import prepare_mini

    for _ in prepare_mini(2, open_engine(0)).rows:
        pass
    system = adapter.system()
    clips = open_split("mini").clips[:2]
    return [make_request(system, clip, None, seed) for seed, clip in enumerate(clips)]
