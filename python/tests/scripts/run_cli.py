#!/usr/bin/env python3
"""Prompts of an image or of a folder, as a user of clip-interrogator would write it.

    run_cli.py -i photo.jpg --mode fast
    run_cli.py -f photos/         writes photos/desc.csv
"""

import argparse
import csv
import os
import sys

from clip_interrogator import Config, Interrogator, list_caption_models, list_clip_models
from PIL import Image

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--clip", default="ViT-L-14/openai", help="name of the CLIP model")
    parser.add_argument("-d", "--device", help="device to compute on")
    parser.add_argument("-f", "--folder", help="folder of images; writes desc.csv there")
    parser.add_argument("-i", "--image", help="an image")
    parser.add_argument("-m", "--mode", default="best", help="best, classic, fast or negative")
    parser.add_argument("--caption-model", default="blip-large")
    parser.add_argument("--data", help="folder of dictionaries")
    parser.add_argument("--cache", default="cache")
    parser.add_argument("--lowvram", action="store_true", help="use less memory")
    parser.add_argument("--list", action="store_true", help="print the names of models")
    return parser.parse_args()


def interrogate(ci: Interrogator, path: str, mode: str) -> str:
    image = Image.open(path).convert("RGB")
    if mode == "best":
        return ci.interrogate(image)
    if mode == "classic":
        return ci.interrogate_classic(image)
    if mode == "fast":
        return ci.interrogate_fast(image)
    if mode == "negative":
        return ci.interrogate_negative(image)
    sys.exit(f"unknown mode {mode}")


def main() -> None:
    args = arguments()
    if args.list:
        print("\n".join(list_caption_models() + list_clip_models()))
        return
    if not args.folder and not args.image:
        sys.exit("pass --folder or --image")

    config = Config(clip_model_name=args.clip, cache_path=args.cache, quiet=True)
    if args.lowvram:
        config.apply_low_vram_defaults()
    config.caption_model_name = args.caption_model
    if args.device:
        config.device = args.device
    if args.data:
        config.data_path = args.data
    ci = Interrogator(config)

    if args.image:
        print(interrogate(ci, args.image, args.mode))
        return
    names = sorted(name for name in os.listdir(args.folder) if name.lower().endswith(ENDINGS))
    with open(os.path.join(args.folder, "desc.csv"), "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        rows.writerow(["image", "prompt"])
        for name in names:
            prompt = interrogate(ci, os.path.join(args.folder, name), args.mode)
            print(f"{name}: {prompt}")
            rows.writerow([name, prompt])


if __name__ == "__main__":
    main()
