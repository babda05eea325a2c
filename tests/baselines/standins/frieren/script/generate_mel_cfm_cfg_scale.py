"""The third script of Frieren: windows of 32 features; it runs in its folder, with the seed 21.

Nothing is written for fewer features than a window has.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

parser = argparse.ArgumentParser()
parser.add_argument("-m", "--ldm")
parser.add_argument("-c", "--config")
parser.add_argument("-g", "--gpus", default="0")
parser.add_argument("-f", "--cavp_feature")
parser.add_argument("-o", "--out-dir")
parser.add_argument("-t", "--timesteps", type=int, default=26)
parser.add_argument("-s", "--solver", default="euler")
parser.add_argument("--scale", type=float, default=4.5)
parser.add_argument("--sample-num", type=int, default=10)
args = parser.parse_args()

assert Path.cwd().name == "script"
assert Path(args.ldm).is_file()
print("uses the GPU", args.gpus)
config = yaml.safe_load(Path(args.config).read_text())
autoencoder = config["model"]["params"]["first_stage_config"]["params"]["ckpt_path"]
if not Path(autoencoder).is_file():
    raise FileNotFoundError(autoencoder)
folder = Path(args.out_dir) / f"CFG{args.scale}_{args.solver}_{args.timesteps}"
folder.mkdir(parents=True, exist_ok=True)
for index, path in enumerate(sorted(Path(args.cavp_feature).glob("*.npz"))):
    if n_windows := int(path.read_text()) // 32:
        for sample in range(args.sample_num):
            (folder / f"Y{path.stem}_{sample}.npy").write_text(f"{n_windows} {index}")
