"""The shim: scripts that import clip_interrogator run unmodified."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import interrogate_clip as ic
from conftest import PHOTOS, ROOT

OPENCLIP = ROOT / "tests" / "fixtures" / "modes" / "openclip"
BLIP = ROOT / "tests" / "fixtures" / "caption" / "blip"
SCRIPTS = Path(__file__).parent / "scripts"
SHIM = ROOT / "python" / "shim"
MODELS = ["--clip", str(OPENCLIP), "--caption-model", str(BLIP), "--data", str(OPENCLIP / "dicts")]


def run(
    script: list[str], cwd: Path, *folders: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python with the shim in its path, in another folder than the repository's."""
    package = Path(ic.__file__).parents[1]
    path = os.pathsep.join(str(folder) for folder in [SHIM, package, *folders])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **variables}
    return subprocess.run(
        [sys.executable, *script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


def succeeds(script: list[str], cwd: Path, **variables: str) -> list[str]:
    """Returns the lines that the script printed."""
    done = run(script, cwd, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def test_cli_script_writes_prompts_of_a_folder_and_of_an_image(work: Path) -> None:
    script = [str(SCRIPTS / "run_cli.py"), *MODELS, "--device", "cpu", "--mode"]
    images = work / "images"
    images.mkdir()
    for name in ["cat.png", "rocket.png"]:
        shutil.copy(OPENCLIP / name, images)
    lines = succeeds([*script, "classic", "-f", str(images), "--lowvram"], work)
    with open(images / "desc.csv", encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["image", "prompt"]
    assert [row[0] for row in rows] == ["cat.png", "rocket.png"]
    assert lines == [f"{name}: {prompt}" for name, prompt in rows]
    golden = json.loads((Path(__file__).parent / "golden" / "compat.json").read_bytes())
    captions = {image["photo"]: image["caption"] for image in golden["images"]}
    assert all(prompt.startswith(captions[name]) for name, prompt in rows)

    prompts = {}
    for mode in ["best", "fast", "negative"]:
        prompts[mode] = succeeds([*script, mode, "-i", str(images / "cat.png")], work)[0]
    assert prompts["fast"].startswith(captions["cat.png"])
    expected = json.loads((OPENCLIP / "golden.json").read_bytes())["images"]
    assert prompts["negative"] == expected[1]["prompts"]["negative"]
    assert (work / "cache" / "openclip" / "manifest.json").is_file()
    assert "unknown mode fastest" in run(
        [*script, "fastest", "-i", str(images / "cat.png")], work
    ).stderr


def test_cli_script_lists_models(work: Path) -> None:
    lines = succeeds([str(SCRIPTS / "run_cli.py"), "--list"], work)
    assert {"blip-large", "git-large-coco", "ViT-L-14/openai"} <= set(lines)


def test_gradio_script(work: Path) -> None:
    images = json.dumps([str(PHOTOS / "cat.jpg")])
    script = [str(SCRIPTS / "run_gradio.py"), *MODELS, "--lowvram", "--share"]
    lines = [json.loads(line) for line in succeeds(script, work, GRADIO_IMAGES=images)]
    assert [name for name, _ in lines] == ["prompt", "analyze", "launch"]
    (_, prompt), (_, tables), (_, options) = lines
    assert len(prompt) > 0 and options == {"share": True}
    assert len(tables) == 5
    for table in tables:
        assert len(table) == 5
        scores = list(table.values())
        # Rows are rounded to f16, these scores are not.
        assert all(a > b - 1e-3 for a, b in zip(scores, scores[1:]))


def test_names_of_the_module(work: Path) -> None:
    code = """
import sys
import clip_interrogator
from clip_interrogator import Config, Interrogator, LabelTable, list_caption_models
from clip_interrogator import list_clip_models, load_list
from clip_interrogator.clip_interrogator import CAPTION_MODELS, _merge_tables, _truncate_to_fit
assert clip_interrogator.__version__ == "0.6.0"
assert Config is sys.modules["interrogate_clip.compat"].Config
assert not {"torch", "open_clip", "transformers", "PIL"} & set(sys.modules)
print("ok")
"""
    assert succeeds(["-c", code], work) == ["ok"]


def test_shim_beside_clip_interrogator_is_refused(tmp_path: Path) -> None:
    installed = tmp_path / "clip_interrogator-0.6.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: clip-interrogator\nVersion: 0.6.0\n"
    )
    done = run(["-c", "import clip_interrogator"], tmp_path, tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-2:]
    assert last[0].startswith("ImportError: clip_interrogator: both clip-interrogator 0.6.0 and")
    assert last[1].startswith("hint: pip uninstall clip-interrogator")
