"""Ray Data on a local cluster: the rows of the plain package, also when an actor is killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interrogate_clip as ic
import jobs

ray = pytest.importorskip("ray")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.cluster

from interrogate_clip.ray import Describe, Settings, describe  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    # Functions of tests run in workers, which cannot import this folder.
    ray.cloudpickle.register_pickle_by_value(jobs)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def read(folder: Path) -> Any:
    """Reads the rows as blocks for several actors."""
    return ray.data.read_parquet(str(folder), override_num_blocks=6)


def test_rows_are_those_of_the_package(
    rows: list[dict[str, Any]], folder: Path, settings: Settings, interrogator: ic.Interrogator,
    tmp_path: Path,
) -> None:
    import pyarrow.parquet as pq

    described = describe(
        read(folder), settings, concurrency=2, batch_size=4
    )
    described.write_parquet(str(tmp_path / "out"))
    table = pq.read_table(tmp_path / "out")
    assert table.column_names == ["key", "number", "bytes", "prompt", "error"]
    assert [str(table.schema.field(name).type) for name in ["number", "error"]] == [
        "int64",
        "string",
    ]
    jobs.check(table.to_pylist(), jobs.expected(rows, interrogator))


def test_killed_actor_loses_no_row(
    rows: list[dict[str, Any]], folder: Path, settings: Settings, interrogator: ic.Interrogator,
    tmp_path: Path,
) -> None:
    marker = str(tmp_path / "killed")

    class Killed(Describe):
        calls = 0

        def __call__(self, batch: Any) -> Any:
            self.calls += 1
            if self.calls == 3:
                jobs.die_once(marker, os.getpid())
            return super().__call__(batch)

    described = read(folder).map_batches(
        Killed,
        fn_constructor_args=[settings],
        batch_format="pyarrow",
        batch_size=4,
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=1,
    )
    jobs.check(described.take_all(), jobs.expected(rows, interrogator))
    assert Path(marker).exists()


def test_threads_follow_num_cpus(folder: Path, settings: Settings) -> None:
    class Counted(Describe):
        def __call__(self, batch: Any) -> Any:
            from interrogate_clip import _worker

            return {"threads": [_worker._threads] * super().__call__(batch).num_rows}

    counted = read(folder).map_batches(
        Counted,
        fn_constructor_args=[settings],
        compute=ray.data.ActorPoolStrategy(size=1),
        batch_size=64,
        num_cpus=2,
    )
    assert {row["threads"] for row in counted.take_all()} == {2}


def test_decoded_images_and_features(
    photos: list[Path], index: ic.Index, model: ic.Model
) -> None:
    import numpy as np
    from PIL import Image

    settings = Settings(index=index.folder, outputs=["features"], column="image")
    images = ray.data.read_images(
        [str(photo) for photo in photos], mode="RGB", include_paths=True
    )
    found = images.map_batches(
        Describe,
        fn_constructor_args=[settings],
        compute=ray.data.ActorPoolStrategy(size=1),
        batch_size=2,
    ).take_all()
    assert len(found) == len(photos)
    for row in found:
        wanted = model.embed_images(np.asarray(Image.open(row["path"]).convert("RGB")))
        assert np.array_equal(np.asarray(row["features"], np.float32), wanted)


def test_cluster_without_a_free_cpu_is_reported(folder: Path, settings: Settings) -> None:
    with pytest.warns(UserWarning, match="leave no CPU of 4"):
        describe(read(folder), settings, concurrency=2, num_cpus=2)
