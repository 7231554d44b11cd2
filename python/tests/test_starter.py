"""The starter's weights come from their own package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import interrogate_clip as ic
from interrogate_clip import errors


def test_without_its_package_the_hint_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "interrogate_clip_starter", None)
    with pytest.raises(errors.ModelError) as raised:
        ic.Model.open("starter")
    assert raised.value.hint and "pip install interrogate-clip-starter" in raised.value.hint


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = pytest.importorskip("interrogate_clip_starter")
    weights = Path(starter.folder())
    for path in weights.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / "tokenizer.json"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b" ")
    monkeypatch.setattr(starter, "folder", lambda: str(tmp_path))
    with pytest.raises(errors.ModelError, match="tokenizer.json"):
        ic.Model.open("starter").embed_texts("a cat")
