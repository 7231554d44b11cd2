"""The indexes in `Config.cache_path`: found there, or built once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .._native import Index, Interrogator, Model, Table, build_index
from ..errors import LabelIndexError, ModelError
from ._bars import bar
from ._rows import Rows

# The table of labels that are not one of the six tables.
OWN = "labels"


class IndexCache:
    """Embeds labels with a model, and keeps them in indexes below a folder.

    `FOLDER/MODEL` is the index of the six tables, which the programs can use and build too;
    `FOLDER/tables/NAME/MODEL` is that of another list.
    """

    def __init__(self, folder: str | None, model: Model, *, quiet: bool) -> None:
        self._folder = Path(folder) if folder else None
        self._model = model
        self._quiet = quiet
        self._index: Index | None = None

    def open(self, files: Mapping[str, Sequence[str]], tables: Mapping[str, Sequence[str]]) -> None:
        """Opens the index of `tables`. If there is none, builds it of the dictionary `files`, by
        name, which give these labels.
        """
        if self._folder is not None:
            wanted = {name: _lines(labels) for name, labels in tables.items()}
            self._index = self._find(self._folder, wanted) or self._build(self._folder, files)

    def rows(self, labels: Sequence[str], name: str | None) -> Rows:
        """Returns the rows of `labels`: those of the index's table `name` if it has them, else of
        an index of their own, else encoded in memory.
        """
        distinct = list(dict.fromkeys(labels))
        lines = _lines(distinct)
        table = self._table(lines, name) if name and lines else None
        tables = [] if table is None else [table]
        known = set(table.labels) if table is not None else set()
        rest = [label for label in distinct if label not in known]
        if rest:
            with bar(f"Preprocessing {name or OWN}", "labels", quiet=self._quiet) as progress:
                tables.append(Table.encode(name or OWN, rest, self._model, progress=progress))
        return Rows.of(labels, tables)

    def _table(self, lines: list[str], name: str) -> Table | None:
        index = self._index
        if index is not None and name in index and set(lines) <= set(index[name].labels):
            return index[name]
        if self._folder is None:
            return None
        folder = self._folder / "tables" / (re.sub(r"[^\w-]+", "_", name)[:100])
        found = self._find(folder, {OWN: lines}) or self._build(folder, {f"{OWN}.txt": lines})
        return found[OWN]

    def _find(self, folder: Path, tables: Mapping[str, list[str]]) -> Index | None:
        """Returns the index of this model below `folder` that has the labels of `tables`."""
        for index in self._indexes(folder):
            has_all = (
                name in index and set(labels) <= set(index[name].labels)
                for name, labels in tables.items()
            )
            if all(has_all):
                return index
        return None

    def _indexes(self, folder: Path) -> Iterator[Index]:
        """Yields the indexes of this model below `folder`."""
        for manifest in sorted(folder.glob("*/manifest.json")):
            try:
                index = Index.open(manifest.parent, device=self._model.device)
                if index.model_name == self._model.name:
                    Interrogator(self._model, index)  # compares fingerprints
                    yield index
            except (LabelIndexError, ModelError):
                continue  # another model's or damaged: it is built again

    def _build(self, folder: Path, files: Mapping[str, Sequence[str]]) -> Index:
        with TemporaryDirectory() as dictionaries:
            for name, lines in files.items():
                text = "".join(f"{line}\n" for line in lines)
                (Path(dictionaries) / name).write_text(text, encoding="utf-8", newline="\n")
            with bar("Preprocessing labels", "labels", quiet=self._quiet) as progress:
                return build_index(dictionaries, folder, self._model, progress=progress)


def _lines(labels: Sequence[str]) -> list[str]:
    """Returns the labels that a line of a dictionary can be, each once."""
    return [label for label in dict.fromkeys(labels) if _is_line(label)]


def _is_line(label: str) -> bool:
    return label == label.strip() and len(label.splitlines()) == 1 and "\ufeff" not in label
