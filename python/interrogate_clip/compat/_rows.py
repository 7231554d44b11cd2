"""The rows of a list of labels, which may repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .._native import Table


class Rows:
    """The row of each of a list's labels, in tables of distinct labels."""

    def __init__(self, tables: Sequence[Table], numbers: npt.NDArray[np.int64]) -> None:
        self.tables = list(tables)
        self.numbers = numbers
        """The row of each label. Rows of the tables continue each other."""

    @classmethod
    def of(cls, labels: Sequence[str], tables: Sequence[Table]) -> Rows:
        """Finds the rows of `labels`, all of which are in `tables`."""
        rows: dict[str, int] = {}
        first = 0
        for table in tables:
            for row, label in enumerate(table.labels, first):
                rows.setdefault(label, row)
            first += len(table)
        return cls(tables, np.array([rows[label] for label in labels], dtype=np.int64))

    @classmethod
    def merged(cls, parts: Sequence[Rows]) -> Rows:
        """Returns the rows of several lists, one after the other."""
        tables: list[Table] = []
        numbers = [np.empty(0, dtype=np.int64)]
        first = 0
        for part in parts:
            numbers.append(part.numbers + first)
            tables.extend(part.tables)
            first += sum(len(table) for table in part.tables)
        return cls(tables, np.concatenate(numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns the score of each label for `features` (dim)."""
        parts = [np.empty(0, dtype=np.float32)]
        for table in self.tables:
            ranking = table.rank(features, len(table))
            scores = np.empty(len(table), dtype=np.float32)
            scores[ranking.rows] = ranking.scores
            parts.append(scores)
        return np.concatenate(parts)[self.numbers]

    def values(self) -> npt.NDArray[np.float32]:
        """Returns a copy of the rows (labels, dim)."""
        if not self.tables:
            return np.empty((0, 0), dtype=np.float32)
        rows = np.concatenate([table.rows for table in self.tables])
        return rows[self.numbers].astype(np.float32)
