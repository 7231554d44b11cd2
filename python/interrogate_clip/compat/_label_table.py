"""`LabelTable`: labels with their embeddings, ranked as clip-interrogator ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ArgumentError
from . import _ranking
from ._features import row
from ._rows import Rows

if TYPE_CHECKING:
    from ._interrogator import Interrogator


class LabelTable:
    """A list of labels, which may repeat. The embeddings of a list with a name `desc` are kept in
    `Config.cache_path`; those of a list without one are in memory.
    """

    def __init__(self, labels: Sequence[str], desc: str | None, ci: Interrogator) -> None:
        self.labels = list(labels)
        self.config = ci.config
        self.chunk_size = ci.config.chunk_size
        self.device = ci.device
        self.tokenize = ci.tokenize
        self._rows = ci._cache.rows(self.labels, desc)
        self._embeds: list[npt.NDArray[np.float32]] | None = None

    @property
    def embeds(self) -> list[npt.NDArray[np.float32]]:
        """The embedding (dim) of each label. This is a copy in memory, made when it is first read;
        the table ranks by it from then on, so the list may be changed or replaced.
        """
        if self._embeds is None:
            self._embeds = list(self._rows.values())
        return self._embeds

    @embeds.setter
    def embeds(self, embeds: Sequence[npt.NDArray[np.float32]]) -> None:
        self._embeds = list(embeds)

    def rank(self, image_features: Any, top_count: int = 1, reverse: bool = False) -> list[str]:
        """Returns the `top_count` labels that fit the image best, or with `reverse` least.

        Tables of more than `chunk_size` labels are ranked by quota, as in clip-interrogator, which
        is not exact: use `interrogate_clip.Index.rank` for exact rankings.
        """
        scores = self._scores(row(image_features))
        if len(scores) != len(self.labels):
            raise ArgumentError(
                f"LabelTable: {len(self.labels)} labels and {len(scores)} embeddings",
                "make a new LabelTable to change the labels",
            )
        numbers = _ranking.first(scores, top_count, self.chunk_size, reverse)
        return [self.labels[number] for number in numbers]

    def _scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._embeds is None:
            return self._rows.scores(features)
        if not self._embeds:
            return np.empty(0, dtype=np.float32)
        return np.stack(self._embeds).astype(np.float32) @ features


def _merge_tables(tables: Sequence[LabelTable], ci: Interrogator) -> LabelTable:
    """Returns a table of all labels of `tables`, in order."""
    merged = LabelTable([], None, ci)
    merged.labels = [label for table in tables for label in table.labels]
    if any(table._embeds is not None for table in tables):
        merged.embeds = [row for table in tables for row in table.embeds]
    else:
        merged._rows = Rows.merged([table._rows for table in tables])
    return merged
