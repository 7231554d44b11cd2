"""The bar of `progress=True`."""

from __future__ import annotations

from collections.abc import Callable

from .errors import ArgumentError


def bar(unit: str) -> Callable[[int, int], None]:
    """Returns a function of (done, total) that shows a bar of tqdm."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ArgumentError(
            "progress=True needs tqdm", "pip install tqdm, or pass a function of (done, total)"
        ) from None
    scale = unit == "bytes"
    shown = tqdm(unit=unit, unit_scale=scale, unit_divisor=1024)

    def update(done: int, total: int) -> None:
        if done < shown.n or total != shown.total:
            shown.reset(total)
        shown.update(done - shown.n)
        if done >= total:
            shown.refresh()

    return update
