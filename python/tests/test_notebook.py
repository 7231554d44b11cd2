"""The notebook runs from its first cell to its last, on a small dictionary."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "captions.ipynb"


def test_notebook_runs(
    tmp_path: Path, dictionaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("pandas")
    monkeypatch.setenv("DICTIONARIES", str(dictionaries))
    monkeypatch.setenv("INDEXES", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    written = (tmp_path / "captions.csv").read_text()
    assert 'cat.jpg,a cat' in written or 'cat.jpg,"a cat' in written
