"""The optional parts of the package: which module each brings, and the command that installs it."""

from __future__ import annotations

from importlib.util import find_spec

#: The extra of ``pyproject.toml`` that brings each module which the base install does not have.
EXTRAS = {
    "torch": "judges",
    "torchaudio": "judges",
    "torchvision": "judges",
    "hear21passt": "judges",
    "panns_inference": "judges",
    "torchlibrosa": "judges",
    "torchvggish": "judges",
    "open_clip": "acfoley",
    "transformers": "clap",
    "matplotlib": "figures",
    "pysptk": "mcd",
    "pyworld": "mcd",
    "uv": "systems",
    "krippendorff": "study",
    "pyloudnorm": "study",
    "starlette": "study",
    "tomli_w": "study",
    "uvicorn": "study",
    "statsmodels": "mixed-logit",
    "duckdb": "results",
    "submitit": "slurm",
    "ray": "ray",
}


def has_module(name: str) -> bool:
    """Whether this module is installed; it is not imported."""
    return find_spec(name) is not None


def describe_missing_module(name: str, purpose: str = "this") -> str | None:
    """Return the sentence that names the extra with this module, None if no extra brings it."""
    module = name.partition(".")[0]
    if module not in EXTRAS:
        return None
    return (
        f"{purpose} needs the package {module}, which is not installed: "
        f"`pip install 'foley-bench[{EXTRAS[module]}]'`"
    )
