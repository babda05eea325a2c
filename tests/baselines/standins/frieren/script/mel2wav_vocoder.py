"""The fourth script of Frieren: the samples go to a folder beside that of the spectrograms."""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import write_wav

parser = argparse.ArgumentParser()
parser.add_argument("--root")
parser.add_argument("--vocoder-path")
args = parser.parse_args()

assert Path.cwd().name == "script"
assert (Path(args.vocoder_path) / "best_netG.pt").is_file()
assert (Path(args.vocoder_path) / "args.yml").is_file()
root = Path(args.root)
target = root.with_name(f"{root.name}gen_wav_16k_80")
target.mkdir(exist_ok=True)
for path in sorted(root.glob("*.npy")):
    n_windows, index = path.read_text().split()
    write_wav(target / f"{path.stem}.wav", 16_000, 8.192 * int(n_windows), (21, index))
