"""Prompts of images with Ray Data: a folder of images, or Parquet with their bytes, to Parquet.

    python ray_prompts.py IMAGES OUT [--index FOLDER] [--workers 1] [--cpus 1]

Needs: pip install 'interrogate-clip[ray,starter]'
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import ray

import interrogate_clip as ic
from interrogate_clip.ray import Settings, describe

ENDINGS = ["bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="a folder of images, or of Parquet files")
    parser.add_argument("out", type=Path, help="the folder to write Parquet files to")
    parser.add_argument("--index", type=Path, help="an index; by default the starter's is built")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--workers", type=int, default=1, help="actors (default 1)")
    parser.add_argument("--cpus", type=int, default=1, help="CPUs of each actor (default 1)")
    args = parser.parse_args()

    index = args.index or ic.build_index(None, "indexes", ic.Model.open(args.model)).folder
    settings = Settings(model=args.model, index=index)

    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:  # a cluster on this machine; one more CPU reads and writes
        ray.init(num_cpus=args.workers * args.cpus + 1)
    if any(args.images.glob("*.parquet")):
        images = ray.data.read_parquet(str(args.images))
    else:
        images = ray.data.read_binary_files(
            str(args.images), include_paths=True, file_extensions=ENDINGS
        )
    described = describe(images, settings, concurrency=args.workers, num_cpus=args.cpus)
    described.drop_columns(["bytes"]).write_parquet(str(args.out.absolute()))

    written = ray.data.read_parquet(str(args.out.absolute()))
    for row in written.take(5):
        print(row)
    print(f"{written.count()} rows in {args.out}")


if __name__ == "__main__":
    main()
