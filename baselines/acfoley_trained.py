"""Variants of AC-Foley that the paper compares and nobody publishes: to be trained by the user.

Each reads ``$BENCH_HOME/weights/<name>.safetensors``, and codec and encoders from the official
files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines.acfoley import (
    BATCH_SIZE,
    CODE,
    DEVICE_MEMORY_GIB,
    DTYPES,
    LICENCE,
    SAMPLE_RATE_HZ,
    SECONDS_PER_CLIP,
    USES,
    WORKERS_PER_DEVICE,
    describe_missing_weights,
    official_weights,
    open_preset,
)
from bench.errors import MissingError
from bench.system import Generate, System
from bench.types import COMPONENTS


@dataclass(frozen=True)
class Trained:
    """A variant: the recipe that trains it, and the preset of its sizes.

    Fine-tuning takes clips that ImageBind selects.
    """

    name: str
    recipe: str
    preset: str
    uses_clap: bool = False
    is_finetuned: bool = False

    @property
    def checkpoint(self) -> Path:
        """The file of the trained flow network."""
        from bench.checkpoints.registry import weights_directory

        return weights_directory() / f"{self.name}.safetensors"

    def weights(self) -> tuple[Path, ...]:
        """All files that samples are made with."""
        # The checkpoint of the user takes the place of the published flow network.
        return (self.checkpoint, *official_weights(has_flow=False))

    def lacks(self) -> str:
        """Return what is missing, with the commands that fix it."""
        from bench.checkpoints.registry import OFFICIAL_FILES, weights_directory

        is_here = (weights_directory() / OFFICIAL_FILES["clap"].file).is_file()
        needs_clap = self.uses_clap and not is_here
        encoder = "the encoder CLAP: bench weights fetch clap" if needs_clap else ""
        return ", and ".join(
            missing for missing in (self._describe_missing_weights(), encoder) if missing
        )

    def open(self, device: str) -> Generate:
        """Load it on ``device``, in bfloat16 on a GPU.

        Raises:
            MissingError: something is missing; the message says how to make or fetch it.
            BenchError: a checkpoint is of another network, or memory does not suffice.
        """
        if missing := self.lacks():
            raise MissingError(f"{self.name} cannot generate, it needs {missing}")
        return open_preset(self.preset, device, self.checkpoint)

    def _describe_missing_weights(self) -> str:
        if self.checkpoint.is_file():
            return describe_missing_weights(has_flow=False)
        train = f"acfoley train --preset {self.recipe} --data FEATURES --out RUN"
        return f"weights of your own: {train}, then acfoley ema RUN -o {self.checkpoint}"

    def system(self, summary: str) -> System:
        """Return the variant as a system."""
        return System(
            self.name,
            summary,
            USES,
            self.open,
            sample_rate_hz=SAMPLE_RATE_HZ,
            licence=LICENCE,
            masks=frozenset(COMPONENTS),
            lacks=self.lacks,
            code=(*CODE, "baselines.acfoley_trained"),
            weights=self.weights,
            dtypes=DTYPES,
            seconds_per_clip=SECONDS_PER_CLIP,
            batch_size=BATCH_SIZE,
            device_memory_gib=DEVICE_MEMORY_GIB,
            workers_per_device=WORKERS_PER_DEVICE,
            looks_ahead=True,
            trained_on=("data of your own",),
            judges_seen=self._judges_seen(),
            non_commercial=True,
        )

    def _judges_seen(self) -> dict[str, str]:
        clap = {"clap": "encoder"} if self.uses_clap else {}
        imagebind = {"imagebind": "filter of its training clips"} if self.is_finetuned else {}
        return {"synchformer": "encoder", **clap, **imagebind}


OVERLAP_ONLY = Trained("acfoley-overlap-only", "overlap-only", "acfoley").system(
    "AC-Foley, trained on references from the target"
)
NON_OVERLAP_ONLY = Trained("acfoley-non-overlap-only", "non-overlap-only", "acfoley").system(
    "AC-Foley, trained on later references"
)
TWO_STAGE = Trained("acfoley-two-stage", "two-stage-without-finetuning", "acfoley").system(
    "AC-Foley, trained in two stages without fine-tuning"
)
ATTENTION_POOLING = Trained(
    "acfoley-attention-pooling", "attention-pooling", "acfoley_attention", is_finetuned=True
).system("AC-Foley with attention pooling")
CLAP_ENCODER = Trained(
    "acfoley-clap-encoder", "clap-encoder", "mmaudio_clap", uses_clap=True, is_finetuned=True
).system("MMAudio with references encoded by CLAP")
