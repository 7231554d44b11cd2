"""The indexes in `Config.cache_path`: found there, or built once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .._native import Index, Interrogator, Model, Table, build_index
from ..errors import LabelIndexError, ModelError
from ._bars import bar
from ._rows import Rows

# The table of labels that are not one of the six tables.
OWN = "labels"

# The most labels of an index's table that are encoded in memory at every start.
FEW = 64

# Labels that are encoded between two calls of a progress function.
BATCH = 2048


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

    def open(self, files: Mapping[str, Sequence[str]], tables: Collection[str]) -> None:
        """Opens an index with one of `tables`. If there is none, builds it of the dictionary
        `files`, by name.
        """
        if self._folder is not None:
            self._index = self._find(self._folder, tables) or self._build(self._folder, files)

    def rows(self, labels: Sequence[str], name: str | None) -> Rows:
        """Returns the rows of `labels`: those of the index's table `name` if it has them, else of
        an index of their own. What an index lacks is encoded in memory.
        """
        distinct = list(dict.fromkeys(labels))
        lines = [label for label in distinct if _is_line(label)]
        table = self._table(lines, name) if name and lines else None
        tables = [] if table is None else [table]
        rest = distinct if table is None else _missing(distinct, table)
        if rest:
            # A bar of one step shows nothing.
            quiet = self._quiet or len(rest) <= BATCH
            with bar(f"Preprocessing {name or OWN}", "labels", quiet=quiet) as progress:
                tables.append(Table.encode(name or OWN, rest, self._model, progress=progress))
        return Rows.of(labels, tables)

    def _table(self, lines: list[str], name: str) -> Table | None:
        """Returns the table with `lines`, of which a few may be missing."""
        if self._index is not None and name in self._index:
            table = self._index[name]
            if len(_missing(lines, table)) <= min(FEW, len(lines) // 2):
                return table
        if self._folder is None:
            return None
        folder = self._folder / "tables" / (re.sub(r"[^\w-]+", "_", name)[:100])
        own = self._find(folder, [OWN])
        if own is None or _missing(lines, own[OWN]):
            own = self._build(folder, {f"{OWN}.txt": lines})
        return own[OWN]

    def _find(self, folder: Path, tables: Collection[str]) -> Index | None:
        """Returns the index of this model below `folder` that has one of `tables`."""
        found = (index for index in self._indexes(folder) if any(name in index for name in tables))
        return next(found, None)

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


def _missing(labels: Sequence[str], table: Table) -> list[str]:
    known = set(table.labels)
    return [label for label in labels if label not in known]


def _is_line(label: str) -> bool:
    """Whether a line of a dictionary can be this label."""
    return label == label.strip() and len(label.splitlines()) == 1 and "\ufeff" not in label
