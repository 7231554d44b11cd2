#!/usr/bin/env python3
"""Writes compat.json: results of clip-interrogator's own code for tests/test_compat.py.

    pip install --no-deps clip-interrogator==0.6.0
    pip install torch torchvision open_clip_torch transformers accelerate safetensors requests tqdm
    python compat.py

The model is the seeded OpenCLIP checkpoint of tests/fixtures/modes/openclip.py, whose golden.json
has the results with default settings. Here the flavors have blank and repeated lines, and chunks
are small, so that tables are ranked by quota. The captions are those of the seeded BLIP in
tests/fixtures/caption, which are noise.

A chain's candidates are a set there, whose order decides ties. `margin` is the smallest difference
between the best two scores of any step; as it is not 0, the order does not matter.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import clip_interrogator.clip_interrogator as peer
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[2] / "tests" / "fixtures"
OPENCLIP = FIXTURES / "modes" / "openclip"
CHUNK_SIZE, CANDIDATES = 256, 64
CAPTION = "a storybook illustration of a cat, on a mat"
TERMS = ["a cat", "a cup of coffee", "", "a rocket launch", "a cat", "an astronaut", "a brick wall"]
PACKAGES = ["clip-interrogator", "open_clip_torch", "torch", "transformers", "Pillow"]


def dictionaries() -> Path:
    """Writes dicts/ beside this file: those of the fixture, with blank and repeated flavors."""
    folder = HERE / "dicts"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(OPENCLIP / "dicts", folder, ignore=shutil.ignore_patterns("sites.txt"))
    flavors = (folder / "flavors.txt").read_text(encoding="utf-8").splitlines()
    flavors = flavors[:900] + ["", flavors[3]] + flavors[600:640] + [f"  {flavors[5]} ", ""]
    (folder / "flavors.txt").write_text("\n".join(flavors) + "\n", encoding="utf-8")
    return folder


def interrogator(folder: Path) -> tuple[Any, list[float]]:
    """Returns clip-interrogator over the seeded checkpoints, and the list of its margins."""
    path = FIXTURES / "modes" / "openclip.py"
    spec = importlib.util.spec_from_file_location("openclip", path)
    assert spec and spec.loader
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    ci = fixture.interrogator()
    ci.config.data_path, ci.config.chunk_size = str(folder), CHUNK_SIZE
    ci.config.flavor_intermediate_count = CANDIDATES
    ci.load_clip_model()
    peer.CAPTION_MODELS["seeded"] = str(FIXTURES / "caption" / "blip")
    ci.config.caption_model_name = "seeded"
    ci.load_caption_model()
    return ci, fixture.watched(ci)


def results(ci: Any, photo: Path) -> dict[str, Any]:
    """Returns what the methods return for one image."""
    image = Image.open(photo).convert("RGB")
    features = ci.image_to_features(image)
    tables = [ci.artists, ci.flavors, ci.mediums, ci.movements, ci.trendings]
    terms = peer.LabelTable(TERMS, None, ci)
    return {
        "photo": photo.name,
        "caption": ci.generate_caption(image),
        "flavors": ci.flavors.rank(features, 200),
        "worst": ci.flavors.rank(features, 200, reverse=True),
        "merged": peer._merge_tables(tables, ci).rank(features, 100),
        "terms": terms.rank(features, 7),
        "worst_terms": terms.rank(features, 3, reverse=True),
        "similarities": ci.similarities(features, TERMS),
        "rank_top": peer.Interrogator.rank_top(ci, features, TERMS),
        "rank_top_reverse": peer.Interrogator.rank_top(ci, features, TERMS, reverse=True),
        "classic": ci.interrogate_classic(image, max_flavors=40, caption=CAPTION),
        "classic_own": ci.interrogate_classic(image),
        "fast": ci.interrogate_fast(image, caption=CAPTION),
        "best": ci.interrogate(image, min_flavors=2, max_flavors=6, caption=CAPTION),
        "negative": ci.interrogate_negative(image, max_flavors=6),
        "chain": ci.chain(features, ci.flavors.rank(features, 30), min_count=1, max_count=4),
        "chain_reverse": ci.chain(
            features, TERMS[3:], "a cat", -0.2, min_count=0, max_count=2, reverse=True
        ),
    }


def main() -> None:
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    ci, margins = interrogator(dictionaries())
    images = []
    for photo in sorted(OPENCLIP.glob("*.png")):
        margins.clear()
        images.append({**results(ci, photo), "margin": min(margins)})
        print(photo.name, images[-1]["margin"], images[-1]["best"])
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    golden = {
        "versions": {"python": sys.version.split()[0], **versions},
        "labels": {name: len(getattr(ci, name).labels) for name in ["artists", "flavors"]},
        "caption": CAPTION,
        "terms": TERMS,
        "chunk_size": CHUNK_SIZE,
        "candidates": CANDIDATES,
        "images": images,
    }
    text = json.dumps(golden, ensure_ascii=False, indent=1)
    (HERE / "compat.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
