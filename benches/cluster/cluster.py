"""Throughput of Ray Data and Spark with 1 and 2 workers, beside one process of the package.

    python benches/cluster/cluster.py INDEX [--images 384] [--rounds 3] [--only plain ray spark]

Each round starts every job anew, in turns. A job's rate counts from its first batch to the end of
its last one, so that it has the reading and the passing of rows but not the start of processes;
`total` is the whole job. `cpu` is the processor time of the workers for an image, from the first
batch to the last: also what the cluster's code does in the worker between batches, but not what
its other processes do. On a busy machine only `cpu` can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BATCH = 64
CASES = ["plain 1", "ray 1", "spark 1", "plain 2", "ray 2", "spark 2"]

Batch = tuple[int, int, float, float, float, float]
"""Process, images, start and end in seconds, start and end in the process's processor time."""


def timed(compute: Callable[[], Any], images: int) -> tuple[Any, Batch]:
    """Returns the result of `compute`, and its times."""
    start, cpu = time.time(), time.process_time()
    result = compute()
    return result, (os.getpid(), images, start, time.time(), cpu, time.process_time())


def summary(batches: list[Batch]) -> tuple[int, float, float]:
    """Returns the images, the seconds, and the processor time of the workers."""
    cpu = 0.0
    for process in {batch[0] for batch in batches}:
        own = [batch for batch in batches if batch[0] == process]
        cpu += max(batch[5] for batch in own) - min(batch[4] for batch in own)
    wall = max(batch[3] for batch in batches) - min(batch[2] for batch in batches)
    return sum(batch[1] for batch in batches), wall, cpu


def plain(folder: Path, index: str, workers: int) -> list[Batch]:
    """One process on as many threads as there are workers."""
    os.environ["RAYON_NUM_THREADS"] = str(workers)
    import numpy as np
    import pyarrow.parquet as pq

    import interrogate_clip as ic

    interrogator = ic.Interrogator(ic.Model.open("starter", device="cpu"), ic.Index.open(index))
    interrogator.prompt(np.full((16, 16, 3), 128, np.uint8))
    batches: list[Batch] = []
    for file in sorted(folder.iterdir()):
        rows = pq.read_table(file)
        images = rows.column("bytes").to_pylist()
        prompts, times = timed(partial(interrogator.prompt, images), len(images))
        rows.append_column("prompt", [prompts])
        batches.append(times)
    return batches


def on_ray(folder: Path, index: str, workers: int) -> list[Batch]:
    import ray

    from interrogate_clip.ray import Describe, Settings

    class Timed(Describe):
        def __call__(self, batch: Any) -> Any:
            table, times = timed(partial(super().__call__, batch), batch.num_rows)
            return table.append_column("times", [[json.dumps(times)] * table.num_rows])

    # Ray starts its workers with niceness 15, which the other jobs do not have.
    os.environ["RAY_worker_niceness"] = "0"
    ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False)
    files = ray.data.read_parquet(str(folder))
    described = files.repartition(target_num_rows_per_block=BATCH).map_batches(
        Timed,
        fn_constructor_args=[Settings(index=index, device="cpu")],
        batch_format="pyarrow",
        batch_size=BATCH,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    return distinct([row["times"] for row in described.select_columns("times").take_all()])


def on_spark(folder: Path, index: str, workers: int) -> list[Batch]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StringType, StructField, StructType

    from interrogate_clip.spark import Settings, map_arrow, schema

    settings = Settings(index=index, device="cpu")

    def measured(batches: Iterator[Any]) -> Iterator[Any]:
        describe = map_arrow(settings)
        next(describe(iter([])), None)  # opens
        for batch in batches:
            rows, times = timed(partial(list, describe(iter([batch]))), batch.num_rows)
            for row in rows:
                yield row.append_column("times", [json.dumps(times)] * row.num_rows)

    spark = (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))
        .config("spark.sql.files.openCostInBytes", "64m")
        .config("spark.sql.files.maxPartitionBytes", "64m")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    images = spark.read.parquet(str(folder))
    fields = [*schema(images.schema, settings).fields, StructField("times", StringType())]
    described = images.mapInArrow(measured, StructType(fields))
    found = [row["times"] for row in described.select("times").collect()]
    spark.stop()
    return distinct(found)


def distinct(lines: list[str]) -> list[Batch]:
    return [tuple(json.loads(line)) for line in sorted(set(lines))]


def write(folder: Path, count: int) -> None:
    """Writes crops of the repository's photos as Parquet files of `BATCH` rows."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    photos = sorted((ROOT / "tests" / "fixtures" / "photos").glob("*.jpg"))
    opened = [Image.open(photo).convert("RGB") for photo in photos]
    rows = []
    for key in range(count):
        photo = opened[key % len(opened)]
        left, top = (key * 37) % (photo.width - 256), (key * 53) % (photo.height - 256)
        file = io.BytesIO()
        photo.crop((left, top, left + 256, top + 256)).save(file, "JPEG", quality=90)
        rows.append({"key": key, "bytes": file.getvalue()})
    folder.mkdir()
    for start in range(0, count, BATCH):
        table = pa.Table.from_pylist(rows[start : start + BATCH])
        pq.write_table(table, folder / f"{start:05}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", help="an index of the starter")
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["plain", "ray", "spark"])
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    index = os.path.abspath(args.index)
    if args.case:
        kind, workers, folder = args.case
        run = {"plain": plain, "ray": on_ray, "spark": on_spark}[kind]
        print("TIMES", json.dumps(run(Path(folder), index, int(workers))), flush=True)
        return
    best: dict[str, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        write(folder, args.images)
        for turn in range(args.rounds):
            for case in CASES:
                kind, workers = case.split()
                if kind not in args.only:
                    continue
                began = time.time()
                command = [sys.executable, __file__, index, "--case", kind, workers, str(folder)]
                done = subprocess.run(command, capture_output=True, text=True)
                total = time.time() - began
                lines = [li for li in done.stdout.splitlines() if li.startswith("TIMES ")]
                if not lines:
                    sys.exit(f"{case}: {done.stderr[-3000:]}")
                images, wall, cpu = summary(json.loads(lines[0][6:]))
                assert images == args.images, f"{case}: {images} images"
                cpu /= images
                print(f"{turn} {case}: {images / wall:.1f} images/s, cpu {1000 * cpu:.1f} ms, "
                      f"total {total:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
                old = best.get(case, (0.0, 1e9, 1e9))
                best[case] = (max(old[0], images / wall), min(old[1], cpu), min(old[2], total))
    print("\n| job | images/s | of plain | cpu ms/image | of plain | whole job, s |")
    print("|---|---|---|---|---|---|")
    for case, (rate, cpu, total) in best.items():
        base = best.get(f"plain {case.split()[1]}", (rate, cpu, total))
        print(f"| {case} | {rate:.1f} | {100 * rate / base[0]:.0f} % | {1000 * cpu:.1f} | "
              f"{100 * cpu / base[1]:.0f} % | {total:.1f} |")


if __name__ == "__main__":
    main()
