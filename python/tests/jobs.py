"""Rows for jobs of clusters, and what a job must return for them."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import interrogate_clip as ic

WORDING: dict[str, Any] = {"min_score": -1.0, "max_flavors": 2}
"""Options with which every image of the small index gets a prompt with labels."""

DAMAGED = 13
"""The row whose image is damaged."""


def rows(photos: list[Path], count: int = 40) -> list[dict[str, Any]]:
    """Returns crops of the photos as JPEG, with a key and a large integer or a null."""
    from PIL import Image

    opened = [Image.open(photo).convert("RGB") for photo in photos]
    made = []
    for key in range(count):
        photo = opened[key % len(opened)]
        left = (key * 37) % (photo.width - 160)
        top = (key * 53) % (photo.height - 160)
        file = io.BytesIO()
        photo.crop((left, top, left + 160, top + 160)).save(file, "JPEG", quality=90)
        number = None if key % 3 == 0 else 2**53 + 1 + key
        image = b"damaged" if key == DAMAGED else file.getvalue()
        made.append({"key": f"{key:04}", "number": number, "bytes": image})
    return made


def write(rows: list[dict[str, Any]], folder: Path, files: int = 4) -> Path:
    """Writes the rows as `files` Parquet files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"key": pa.string(), "number": pa.int64(), "bytes": pa.binary()}
    folder.mkdir()
    for part in range(files):
        table = pa.Table.from_pylist(rows[part::files], pa.schema(kinds))
        pq.write_table(table, folder / f"{part}.parquet")
    return folder


def expected(rows: list[dict[str, Any]], interrogator: ic.Interrogator) -> list[tuple[Any, ...]]:
    """Returns (key, number, prompt) of each row, as the plain package writes them."""
    good = [row for row in rows if row["key"] != f"{DAMAGED:04}"]
    prompts = interrogator.prompt([row["bytes"] for row in good], **WORDING)
    texts = {row["key"]: str(prompt) for row, prompt in zip(good, prompts, strict=True)}
    assert len(set(texts.values())) > 5
    return [(row["key"], row["number"], texts.get(row["key"])) for row in rows]


def check(found: list[dict[str, Any]], wanted: list[tuple[Any, ...]]) -> None:
    """Compares a job's rows with the expected ones: none lost, none twice, one with an error."""
    found = sorted(found, key=lambda row: str(row["key"]))
    assert [(row["key"], row["number"], row["prompt"]) for row in found] == wanted
    errors = {row["key"]: row["error"] for row in found if row["error"] is not None}
    assert list(errors) == [f"{DAMAGED:04}"]
    assert "not an image of a known format" in errors[f"{DAMAGED:04}"]


def die_once(marker: str, process: int) -> None:
    """Kills `process` at the first call of all processes that share the file `marker`."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(process, signal.SIGKILL)
