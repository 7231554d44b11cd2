"""The ranking of clip-interrogator 0.6.0: by quota if there are more labels than a chunk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def first(
    scores: npt.NDArray[np.float32], count: int, chunk_size: int, reverse: bool = False
) -> npt.NDArray[np.int64]:
    """Returns the numbers of the `count` labels with the highest `scores`, or the lowest.

    More labels than `chunk_size` are ranked chunk by chunk. Each chunk contributes at most
    `chunk_size` divided by the number of chunks, and these labels are ranked again, always by the
    highest score. So a result may hold fewer labels than `count`, and not the best. Equal scores
    are ordered by number. The native `Table.rank(quota=)` is the same for distinct labels.
    """
    chunk_size = max(chunk_size, 1)
    chunks = -(-len(scores) // chunk_size)
    if chunks <= 1:
        return _sorted(scores, reverse)[:count]
    starts = range(0, len(scores), chunk_size)
    parts = [(start, scores[start : start + chunk_size]) for start in starts]
    quota = chunk_size // chunks
    rows = np.concatenate([start + _sorted(part, reverse)[:quota] for start, part in parts])
    return rows[_sorted(scores[rows])[:count]]


def _sorted(scores: npt.NDArray[np.float32], reverse: bool = False) -> npt.NDArray[np.int64]:
    return np.argsort(scores if reverse else -scores, kind="stable")
