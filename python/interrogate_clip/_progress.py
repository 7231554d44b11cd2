"""Bars of tqdm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ArgumentError


def bar(unit: str) -> Callable[[int, int], None]:
    """Returns a function of (done, total) that shows a bar of tqdm: that of `progress=True`."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ArgumentError(
            "progress=True needs tqdm", "pip install tqdm, or pass a function of (done, total)"
        ) from None
    return following(tqdm(**options(unit)))


def options(unit: str) -> dict[str, Any]:
    """Returns the options of a bar that counts `unit`."""
    return {"unit": unit, "unit_scale": unit == "bytes", "unit_divisor": 1024}


def following(shown: Any) -> Callable[[int, int], None]:
    """Returns a function of (done, total) that moves the bar `shown`."""

    def update(done: int, total: int) -> None:
        if done < shown.n or total != shown.total:
            shown.reset(total)
        shown.update(done - shown.n)
        if done >= total:
            shown.refresh()

    return update
