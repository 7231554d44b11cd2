"""The worker of clusters, without a cluster: settings, columns, errors of images."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import interrogate_clip as ic
import jobs
from interrogate_clip import errors
from interrogate_clip._settings import Settings
from interrogate_clip._worker import Worker

BLIP = Path(__file__).parents[2] / "tests" / "fixtures" / "caption" / "blip"


def test_columns_are_those_of_the_package(
    interrogator: ic.Interrogator, photos: list[Path]
) -> None:
    rows = jobs.rows(photos, 21)
    settings = Settings(
        index=interrogator.index.folder,
        outputs=["prompt", "features"],
        prompt_options=jobs.WORDING,
        batch_size=4,
    )
    columns = Worker(settings).columns([row["bytes"] for row in rows])
    assert list(columns) == ["prompt", "features", "error"]
    wanted = jobs.expected(rows, interrogator)
    assert columns["prompt"] == [prompt for _, _, prompt in wanted]
    assert [n for n, error in enumerate(columns["error"]) if error] == [jobs.DAMAGED]
    assert columns["features"][jobs.DAMAGED] is None
    features = interrogator.model.embed_images(rows[3]["bytes"])
    assert np.array_equal(columns["features"][3], features)


def test_every_kind_of_cell(interrogator: ic.Interrogator, cat: Path) -> None:
    worker = Worker(Settings(index=interrogator.index.folder, prompt_options=jobs.WORDING))
    data = cat.read_bytes()
    good = [str(cat), data, bytearray(data), {"bytes": data, "path": None}, {"path": str(cat)}]
    bad = [None, float("nan"), "gone.jpg", b"", {"bytes": None, "path": None}, 3]
    columns = worker.columns([*good, *bad])
    prompt = str(interrogator.prompt(cat, **jobs.WORDING))
    assert columns["prompt"] == [prompt] * len(good) + [None] * len(bad)
    assert columns["error"][: len(good)] == [None] * len(good)
    assert all(columns["error"][len(good) :])
    assert "gone.jpg" in columns["error"][len(good) + 2]
    assert worker.columns([]) == {"prompt": [], "error": []}


def test_captions_and_names(interrogator: ic.Interrogator, cat: Path) -> None:
    settings = Settings(
        index=interrogator.index.folder,
        captioner=str(BLIP),
        outputs=["caption", "prompt"],
        output_prefix="clip_",
        prompt_options=jobs.WORDING,
        caption_options={"max_length": 8},
    )
    columns = Worker(settings).columns([str(cat), b"damaged"])
    caption = ic.Captioner.open(str(BLIP)).caption(cat, max_length=8)
    prompt = str(interrogator.prompt(cat, caption=caption, **jobs.WORDING))
    assert columns["clip_caption"] == [caption, None]
    assert columns["clip_prompt"] == [prompt, None] and prompt.startswith(caption)
    assert columns["clip_error"][0] is None and columns["clip_error"][1]
    only = Worker(Settings(captioner=str(BLIP), outputs="caption"))
    assert list(only.columns([str(cat)])) == ["caption", "error"]


def test_settings_travel(
    interrogator: ic.Interrogator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings(index="starter", model="./starter")
    assert settings.index == settings.model == str(tmp_path / "starter")
    assert Settings(index="starter").model == "starter"
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_invalid_settings_are_refused(interrogator: ic.Interrogator, tmp_path: Path) -> None:
    for wrong, message in [
        ({"outputs": ["prompts"]}, "expected some of prompt, caption, features, found prompts"),
        ({"outputs": []}, "outputs"),
        ({}, "prompt needs an index"),
        ({"outputs": ["caption"]}, "caption needs a captioner"),
        ({"index": "x", "batch_size": 0}, "batch_size: expected 1 or more, found 0"),
        ({"index": "x", "prompt_options": {"caption": "x"}}, "caption cannot be set"),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            Settings(**wrong)  # type: ignore[arg-type]
    settings = Settings(index=interrogator.index.folder)
    assert settings.image_column(["key", "path", "bytes"]) == "bytes"
    with pytest.raises(errors.ArgumentError, match="column error already exists"):
        settings.image_column(["path", "error"])
    with pytest.raises(errors.ArgumentError, match="expected jpg, found path"):
        Settings(index="x", column="jpg").image_column(["path"])
    # What cannot be opened fails at the start, not at each image.
    with pytest.raises(errors.LabelIndexError, match=str(tmp_path)):
        Worker(Settings(index=tmp_path))
    with pytest.raises(TypeError, match="flavor_count"):
        Worker(Settings(index=settings.index, prompt_options={"flavor_count": 3}))
    with pytest.raises(errors.TableNotFoundError):
        Worker(Settings(index=settings.index, prompt_options={"tables": ["artists"]}))


THREADS = """
import interrogate_clip as ic
ic.set_num_threads(2)
ic.Model.open("starter").embed_texts("a cat")
ic.set_num_threads(2)
for count in [3, 0, 10**6]:
    try:
        ic.set_num_threads(count)
    except ic.errors.ArgumentError as error:
        print(error.message)
"""


def test_threads_are_set_once() -> None:
    process = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines() == [
        "threads: cannot change from 2 to 3 after the first work",
        "threads: expected 1 to 1024, found 0",
        "threads: expected 1 to 1024, found 1000000",
    ]
