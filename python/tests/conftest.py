"""Fixtures: the starter, a small index of it, and the repository's photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import interrogate_clip as ic
import jobs
from interrogate_clip._settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "tests" / "fixtures" / "photos"

LABELS = {
    "flavors": ["a cat", "a cup of coffee", "a rocket launch", "an astronaut", "a brick wall"],
    "mediums": ["a photo", "a sculpture", "a painting"],
    "movements": ["cubism", "realism"],
}


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    found = sorted(path for path in PHOTOS.iterdir() if path.suffix in {".jpg", ".png"})
    assert len(found) >= 3
    return found


@pytest.fixture(scope="session")
def cat() -> Path:
    return PHOTOS / "cat.jpg"


@pytest.fixture(scope="session")
def model() -> ic.Model:
    return ic.Model.open("starter", device="cpu")


@pytest.fixture(scope="session")
def dictionaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dicts")
    for table in ["flavors", "mediums", "movements"]:
        (folder / f"{table}.txt").write_text("\n".join(LABELS[table]) + "\n")
    return folder


@pytest.fixture(scope="session")
def index(
    model: ic.Model, dictionaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> ic.Index:
    return ic.build_index(dictionaries, tmp_path_factory.mktemp("indexes"), model)


@pytest.fixture(scope="session")
def interrogator(model: ic.Model, index: ic.Index) -> ic.Interrogator:
    return ic.Interrogator(model, index)


@pytest.fixture(scope="session")
def rows(photos: list[Path]) -> list[dict[str, Any]]:
    """The rows of a cluster's job."""
    return jobs.rows(photos)


@pytest.fixture(scope="session")
def folder(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows as Parquet files."""
    return jobs.write(rows, tmp_path_factory.mktemp("job") / "images")


@pytest.fixture(scope="session")
def settings(index: ic.Index) -> Settings:
    return Settings(index=index.folder, prompt_options=jobs.WORDING)
