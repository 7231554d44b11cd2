#!/usr/bin/env python3
"""Make flavors.safetensors: small codes of the starter's embeddings of dicts/flavors.txt.

    build-index dicts -o INDEXES --model starter
    pip install numpy safetensors
    ./shortlist.py INDEXES/starter [--out FOLDER]

An embedding is projected to DIMS directions, in which most labels and most images lie, and
each value is rounded to one of 16 levels. Tensors, n labels in the index's order:
    basis  f32 (DIMS, 384)    orthonormal directions
    steps  f32 (DIMS)         the distance of two levels; level v stands for (v - 7.5) * step
    codes  u8 (n, DIMS / 2)   two levels a byte, the even direction in the low half
    errors u8 (n, 2)          rounded up: the length of what rounding loses, in 1/512, and of
                              what lies beyond the directions, in 1/255
The metadata `dictionary` is the digest of the dictionary in the index's manifest. Deterministic
on one machine.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

TABLE = "flavors"
DIMS = 112
LEVELS = 16
# How much the classes' embeddings, of which images are made, count beside the labels.
CLASSES = 1.0
# Values beyond this quantile have the outermost level.
QUANTILE = 0.997
UNITS = (512, 255)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()

    manifest = json.loads((args.index / "manifest.json").read_text())
    table = next(table for table in manifest["tables"] if table["name"] == TABLE)
    shards = sorted(args.index.glob(f"{TABLE}-*.safetensors"))
    labels = np.concatenate([load_file(shard)["embeds"] for shard in shards]).astype(np.float64)
    assert len(labels) == table["labels"]
    file = load_file(Path(__file__).parent / "classes.safetensors")
    classes = unit(file["embeddings"].astype(np.float64) - file["mean"])

    moments = labels.T @ labels / len(labels) + CLASSES * classes.T @ classes / len(classes)
    _, directions = np.linalg.eigh(moments)
    basis = directions[:, ::-1][:, :DIMS].T.astype(np.float32)

    exact = labels @ basis.T.astype(np.float64)
    steps = (2 * np.quantile(np.abs(exact), QUANTILE, axis=0) / (LEVELS - 1)).astype(np.float32)
    middle = (LEVELS - 1) / 2
    levels = np.clip(np.round(exact / steps + middle), 0, LEVELS - 1)
    rounded = (levels - middle) * steps
    beyond = labels - exact @ basis
    lost = [np.linalg.norm(exact - rounded, axis=1), np.linalg.norm(beyond, axis=1)]
    errors = np.stack([np.ceil(e * unit) for e, unit in zip(lost, UNITS)], axis=1)
    assert errors.max() <= 255, errors.max(axis=0)

    levels = levels.astype(np.uint8)
    tensors = {
        "basis": basis,
        "steps": steps,
        "codes": levels[:, 0::2] | levels[:, 1::2] << 4,
        "errors": errors.astype(np.uint8),
    }
    path = args.out / f"{TABLE}.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path,
              {"dictionary": table["dictionary"]})
    print(f"{path}: {len(labels)} labels, {path.stat().st_size} bytes, mean error "
          f"{lost[0].mean():.3f} of rounding, {lost[1].mean():.3f} beyond the directions")


if __name__ == "__main__":
    main()
