"""Spark on local clusters: the rows of the plain package, also when a worker is killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interrogate_clip as ic
import jobs

pytest.importorskip("pyspark")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.cluster

from pyspark.sql import SparkSession  # noqa: E402

from interrogate_clip.spark import (  # noqa: E402
    Settings,
    describe,
    map_arrow,
    map_pandas,
    schema,
)


def session(master: str) -> SparkSession:
    """Starts Spark. Its Python workers find the tests' modules on their path."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    builder = (
        SparkSession.builder.master(master)
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "4")
        .config("spark.sql.files.maxPartitionBytes", "64k")
        .config("spark.executorEnv.PYTHONPATH", path)
    )
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("OFF")
    return started


@pytest.fixture(scope="module")
def local() -> Iterator[SparkSession]:
    """Two tasks at a time in one JVM; a task may fail three times."""
    started = session("local[2,4]")
    yield started
    started.stop()


def collected(frame: Any) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.collect()]


def test_rows_are_those_of_the_package(
    local: SparkSession, rows: list[dict[str, Any]], folder: Path, settings: Settings,
    interrogator: ic.Interrogator,
) -> None:
    described = describe(local.read.parquet(str(folder)), settings)
    assert described.columns == ["key", "number", "bytes", "prompt", "error"]
    jobs.check(collected(described), jobs.expected(rows, interrogator))


def test_map_in_pandas(
    local: SparkSession, rows: list[dict[str, Any]], folder: Path, index: ic.Index,
    interrogator: ic.Interrogator,
) -> None:
    settings = Settings(
        index=index.folder, outputs=["prompt", "features"], prompt_options=jobs.WORDING
    )
    # pandas would round the numbers of a column with nulls.
    images = local.read.parquet(str(folder)).drop("number")
    described = collected(
        images.mapInPandas(map_pandas(settings), schema(images.schema, settings))
    )
    for row in described:
        row["number"] = next(it["number"] for it in rows if it["key"] == row["key"])
    jobs.check(described, jobs.expected(rows, interrogator))
    widths = [len(row["features"]) for row in described if row["error"] is None]
    assert widths == [index.dim] * (len(rows) - 1)
    assert [row["features"] for row in described if row["error"]] == [None]


def test_killed_python_worker_loses_no_row(
    local: SparkSession, rows: list[dict[str, Any]], folder: Path, settings: Settings,
    interrogator: ic.Interrogator, tmp_path: Path,
) -> None:
    marker = str(tmp_path / "killed")

    def killed(batches: Iterator[Any]) -> Iterator[Any]:
        for call, batch in enumerate(map_arrow(settings)(batches)):
            if call == 1:
                jobs.die_once(marker, os.getpid())
            yield batch

    images = local.read.parquet(str(folder))
    described = images.mapInArrow(killed, schema(images.schema, settings))
    jobs.check(collected(described), jobs.expected(rows, interrogator))
    assert Path(marker).exists()


def test_models_are_opened_once_per_process(
    local: SparkSession, folder: Path, settings: Settings
) -> None:
    from pyspark.sql.types import IntegerType, StructField, StructType

    def counted(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from interrogate_clip import _worker

        for _ in map_arrow(settings)(batches):
            pass
        kinds = pa.schema([(name, pa.int32()) for name in fields])
        row = [os.getpid(), id(_worker._opened) % 2**31, _worker._threads]
        yield pa.RecordBatch.from_pylist([dict(zip(fields, row, strict=True))], kinds)

    fields = ["process", "worker", "threads"]
    kind = StructType([StructField(name, IntegerType()) for name in fields])
    images = local.read.parquet(str(folder)).repartition(6)
    found = []
    for _ in range(2):
        found += collected(images.mapInArrow(counted, kind))
    assert len(found) == 12
    processes = {row["process"] for row in found}
    assert len(processes) <= 2
    assert len({(row["process"], row["worker"]) for row in found}) == len(processes)
    assert {row["threads"] for row in found} == {1}


def test_killed_executor_loses_no_row(
    local: SparkSession, rows: list[dict[str, Any]], folder: Path, settings: Settings,
    interrogator: ic.Interrogator, tmp_path: Path,
) -> None:
    local.stop()
    cluster = session("local-cluster[2,1,1024]")
    marker = str(tmp_path / "killed")

    def killed(batches: Iterator[Any]) -> Iterator[Any]:
        for call, batch in enumerate(map_arrow(settings)(batches)):
            if call == 1:
                daemon = Path(f"/proc/{os.getppid()}/stat").read_text()
                jobs.die_once(marker, int(daemon.rsplit(")", 1)[1].split()[1]))
            yield batch

    try:
        images = cluster.read.parquet(str(folder))
        described = images.mapInArrow(killed, schema(images.schema, settings))
        jobs.check(collected(described), jobs.expected(rows, interrogator))
    finally:
        cluster.stop()
    assert Path(marker).exists()
