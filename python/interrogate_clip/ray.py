"""Prompts, captions and features of a Ray dataset.

    import ray
    from interrogate_clip.ray import Settings, describe

    images = ray.data.read_parquet("images/")  # a column `bytes` or `path`, and others
    described = describe(images, Settings(index="indexes/starter"), concurrency=4, num_cpus=2)
    described.write_parquet("described/")
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ._arrow import append
from ._settings import Settings
from ._worker import opened, require

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

__all__ = ["Describe", "Settings", "describe"]


class Describe:
    """A callable class for `Dataset.map_batches`: an actor that opens model and index once.

        dataset.map_batches(
            Describe, fn_constructor_args=[settings], batch_format="pyarrow", batch_size=64,
            compute=ray.data.ActorPoolStrategy(size=4), num_cpus=2,
        )

    Batches may also be of Ray's format "numpy"; results are Arrow tables.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens what `settings` name. The actor computes on as many threads as it has CPUs."""
        import ray

        assigned = ray.get_runtime_context().get_assigned_resources()
        self._worker = opened(settings, max(1, int(assigned.get("CPU", 1))))

    def __call__(self, batch: pa.Table | dict[str, Any]) -> pa.Table:
        """Returns the batch with the new columns."""
        from ray.data.block import BlockAccessor

        settings = self._worker.settings
        table = BlockAccessor.batch_to_arrow_block(batch) if isinstance(batch, dict) else batch
        column = settings.image_column(table.column_names)
        images = BlockAccessor.for_block(table).to_numpy(column)
        return append(table, self._worker.columns(list(images)), settings)


def describe(
    dataset: ray.data.Dataset,
    settings: Settings,
    *,
    concurrency: int | tuple[int, int] = 1,
    num_cpus: float = 1,
    num_gpus: float | None = None,
    batch_size: int = 64,
    **options: Any,
) -> ray.data.Dataset:
    """Returns `dataset` with the new columns of `settings`, computed by `concurrency` actors.

    The dataset is cut into blocks of `batch_size` rows, so that every actor gets work. Each actor
    computes on `num_cpus` threads. An actor that dies is started again, and its batches
    are computed again. `options` are those of `Dataset.map_batches`.

    Warns if the actors take all CPUs of the cluster: tasks that read and write need one, and wait
    for it without an error.
    """
    require("ray", "interrogate_clip.ray", "ray[data]")
    import ray

    least, most = concurrency if isinstance(concurrency, tuple) else (concurrency, concurrency)
    cpus = ray.cluster_resources().get("CPU", 0)
    if least * num_cpus > cpus - 1:
        warnings.warn(
            f"{least} actors with {num_cpus} CPUs each leave no CPU of {cpus:g} for tasks that "
            "read and write, which may wait forever; lower concurrency or num_cpus",
            stacklevel=2,
        )
    blocks = dataset.repartition(target_num_rows_per_block=batch_size)
    return blocks.map_batches(
        Describe,
        fn_constructor_args=[settings],
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        **options,
    )
