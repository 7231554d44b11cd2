"""Progress bars, unless `Config.quiet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from .._progress import following, options


@contextmanager
def bar(description: str, unit: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yields a function of (done, total) that shows a bar from its first call on; None if `quiet`
    or without tqdm.
    """
    if quiet:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    follow: Callable[[int, int], None] | None = None
    with ExitStack() as shown:

        def update(done: int, total: int) -> None:
            nonlocal follow
            if follow is None:
                follow = following(shown.enter_context(tqdm(desc=description, **options(unit))))
            follow(done, total)

        yield update
