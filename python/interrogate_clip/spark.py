"""Prompts, captions and features of a Spark data frame.

    from interrogate_clip.spark import Settings, describe

    images = spark.read.parquet("images/")  # a column `bytes` or `path`, and others
    describe(images, Settings(index="indexes/starter")).write.parquet("described/")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ._arrow import append
from ._settings import Settings
from ._worker import Worker, opened, require

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

__all__ = ["Settings", "describe", "map_arrow", "map_pandas", "schema"]


def schema(rows: StructType, settings: Settings) -> StructType:
    """Returns the schema of rows with the new columns, for `mapInPandas` and `mapInArrow`."""
    from pyspark.sql.types import ArrayType, FloatType, StringType, StructField, StructType

    settings.image_column(rows.fieldNames())
    new = [
        StructField(name, ArrayType(FloatType()) if output == "features" else StringType())
        for output, name in settings.names.items()
    ]
    return StructType([*rows.fields, *new])


def map_pandas(
    settings: Settings,
) -> Callable[[Iterator[pandas.DataFrame]], Iterator[pandas.DataFrame]]:
    """Returns a function for `DataFrame.mapInPandas(function, schema(frame.schema, settings))`.

    pandas has no missing integers: a column of 64-bit integers with nulls loses digits beyond
    2^53 on the way. `map_arrow` keeps every value.
    """

    def described(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
        worker = _worker(settings)
        for frame in frames:
            images = frame[settings.image_column(frame.columns)]
            yield frame.assign(**worker.columns(images.tolist()))

    return described


def map_arrow(
    settings: Settings,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Returns a function for `DataFrame.mapInArrow(function, schema(frame.schema, settings))`."""

    def described(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        worker = _worker(settings)
        for batch in batches:
            table = pa.Table.from_batches([batch])
            images = table.column(settings.image_column(table.column_names)).to_pylist()
            yield from append(table, worker.columns(images), settings).to_batches()

    return described


def describe(frame: DataFrame, settings: Settings) -> DataFrame:
    """Returns `frame` with the new columns of `settings`.

    Each Python worker process opens model and index once, and computes on as many threads as a
    task has CPUs (`spark.task.cpus`).
    """
    require("pyspark", "interrogate_clip.spark", "pyspark>=3.5")
    return frame.mapInArrow(map_arrow(settings), schema(frame.schema, settings))


def _worker(settings: Settings) -> Worker:
    """Returns the worker of this Python process."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return opened(settings, 1 if context is None else max(1, int(context.cpus())))
