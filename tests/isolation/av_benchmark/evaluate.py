"""A stand-in of the evaluator: its arguments and keys; numbers that tell what it was given.

A stem of 20, 21 or 30 characters is cut, so it would find no partner; numbers are written to the
folder of metrics or, with the file "no-json" beside this script, printed only.
"""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
for name in ("gt_audio", "gt_cache", "pred_audio", "pred_cache", "output_metrics_dir"):
    parser.add_argument(f"--{name}", type=Path, required=True)
parser.add_argument("--audio_length", type=float, required=True)
parser.add_argument("--skip_clap", action="store_true")
args = parser.parse_args()


def clean(stem: str) -> str:
    cuts = {20: slice(0, 18), 21: slice(1, 19), 30: slice(10, 28)}
    return stem[cuts.get(len(stem), slice(None))]


true = {path.stem for path in args.gt_audio.iterdir() if path.suffix in (".wav", ".flac")}
generated = {clean(path.stem) for path in args.pred_audio.iterdir()}
videos = set((args.gt_cache / "videos.txt").read_text().split())
pairs = true & generated & videos
metrics = {
    "FD-VGG": len(true) + 0.25,
    "FD-PANN": 5.5,
    "FD-PASST": float(len(generated)),
    "KL-PANNS-softmax": 1.5,
    "KL-PASST-softmax": 1.25,
    "ISC-PANNS-mean": 3.0,
    "IB-Score": len(pairs) / 100,
    "DeSync": args.audio_length / 10,
}
for key, value in metrics.items():
    print(f"INFO - {key:<10}: {value:.10f}")
if not Path(__file__).with_name("no-json").exists():
    args.output_metrics_dir.mkdir(parents=True)
    (args.output_metrics_dir / "output_metrics.json").write_text(json.dumps(metrics))
