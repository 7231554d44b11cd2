"""What the native classes return."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Ranking(NamedTuple):
    """The labels of a table that rank first for each image.

    Scores are cosines, best first (worst first with `reverse=True`); equal scores are ordered by
    row, lower first. For one image the arrays have no first dimension.
    """

    scores: npt.NDArray[np.float32]
    """(images, k)"""
    rows: npt.NDArray[np.int64]
    """(images, k): the labels' numbers in the table. Of several tables they continue: the first
    row of the second table follows the last row of the first."""
    labels: Any
    """The labels: a list for each image, or one list."""


class Prompt(str):
    """A prompt: a string, with what it was written from."""

    caption: str | None
    """The image's caption, if there is one."""
    labels: dict[str, list[tuple[str, float]]]
    """The picked labels of each table with their scores, best first, including labels that score
    too low to be in the text."""
    score: float | None
    """The cosine of the text with the image, if the mode computes it."""
    chosen: str | None
    """The candidate that the mode `best` chose."""

    def __new__(
        cls,
        text: str,
        caption: str | None = None,
        labels: list[tuple[str, list[tuple[str, float]]]] | None = None,
        score: float | None = None,
        chosen: str | None = None,
    ) -> Prompt:
        prompt = super().__new__(cls, text)
        prompt.caption = caption
        prompt.labels = dict(labels or [])
        prompt.score = score
        prompt.chosen = chosen
        return prompt
