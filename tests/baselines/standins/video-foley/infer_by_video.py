"""The entry point of Video-Foley as its users know it: arguments, names, lengths, quirks.

Whole segments of 10 s, none of a shorter video; one prompt for each segment; files of the folder
are renamed and get a silent track in place; the sample has 10.24 s, of which 10 have audio.
"""

from __future__ import annotations

import argparse
import os
import wave
from pathlib import Path

from _standin import has_audio_track, is_listed, read_seconds, write_wav

parser = argparse.ArgumentParser()
parser.add_argument("-i", "--video_dir", default="./dummy_input")
parser.add_argument("--prompt", nargs="*")
parser.add_argument("-p", "--prompt_type", choices=["text", "audio"], required=True)
parser.add_argument("-v", "--video2rms_ckpt_dir", default="./ckpt/video-foley-model")
parser.add_argument("-r", "--rms2sound_ckpt_dir", dest="control_dir", default="./ckpt")
parser.add_argument("-e", "--epoch", type=int, default=500)
parser.add_argument("-o", "--output_dir", default="./output")
parser.add_argument("-d", "--device_id", type=int, default=-1)
parser.add_argument("-n", "--num_workers", type=int, default=32)
parser.add_argument("-b", "--batch_size", type=int, default=64)
args = parser.parse_args()

assert (Path(args.video2rms_ckpt_dir) / "opts.yml").is_file()
assert (Path(args.video2rms_ckpt_dir) / f"checkpoint_{args.epoch:06d}_Video2RMS.pt").is_file()
assert (Path(args.control_dir) / "ControlNetstep300000.pth").is_file()
for path in list(Path(args.video_dir).glob("*.mp4")):
    path.rename(path.with_name(path.name.replace("_", "@")))
videos = sorted(Path(args.video_dir).glob("*.mp4"))
assert videos, "No video files found in video_dir (must be .mp4 or .avi)"
segments = []
for video in videos:
    if not has_audio_track(video):
        print("Adding silent audio track...")
        temporary = video.with_name(f"temp_{video.name}")
        temporary.write_bytes(video.read_bytes() + b"soun")
        os.replace(temporary, video)  # noqa: PTH105 - as the script has it
    seconds = read_seconds(video)
    for onset in range(int(seconds // 10)):
        length = 10.2 if is_listed(video.stem, "broken.txt") else min(10.0, seconds - 10 * onset)
        assert abs(length - 10) <= 0.05, f"{video.name} length: {length}"
        segments.append((video.stem, onset))
if args.prompt_type == "text" and not args.prompt:
    raise ValueError("Text prompts are required when prompt_type is 'text'")
if len(args.prompt) != len(segments):
    raise ValueError("Number of prompts must match the number of processed video paths")
for prompt, (stem, onset) in zip(args.prompt, segments, strict=True):
    path = Path(args.output_dir) / "audio" / f"{stem}_{onset}_generated_audio.wav"
    write_wav(path, 16_000, 10.0, (123, prompt), peak=min(0.9, 0.1 * (ord(prompt[-1]) - 96)))
    with wave.open(str(path)) as file:
        samples = file.readframes(file.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(samples + bytes(2 * 3_840))
for folder in (Path(args.video_dir), Path(args.output_dir) / "audio"):
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace("@", "_")))
