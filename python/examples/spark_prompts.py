"""Prompts of images with Spark: a folder of images, or Parquet with their bytes, to Parquet.

    python spark_prompts.py IMAGES OUT [--index FOLDER]

Needs Java 17 and: pip install 'interrogate-clip[spark,starter]'
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

import interrogate_clip as ic
from interrogate_clip.spark import Settings, describe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="a folder of images, or of Parquet files")
    parser.add_argument("out", type=Path, help="the folder to write Parquet files to")
    parser.add_argument("--index", type=Path, help="an index; by default the starter's is built")
    parser.add_argument("--model", default="starter")
    parser.add_argument(
        "--master", default="local[2,4]", help="two local tasks of at most four attempts by default"
    )
    args = parser.parse_args()

    index = args.index or ic.build_index(None, "indexes", ic.Model.open(args.model)).folder
    settings = Settings(model=args.model, index=index)

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the workers' Python
    spark = (
        SparkSession.builder.master(args.master)
        .appName("prompts")
        # Images are large: few rows a batch, few files a task.
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
        .config("spark.sql.files.maxPartitionBytes", "16m")
        .getOrCreate()
    )
    folder = str(args.images.absolute())
    if any(args.images.glob("*.parquet")):
        images = spark.read.parquet(folder)
    else:
        images = (
            spark.read.format("binaryFile")
            .option("pathGlobFilter", "*.{bmp,gif,jpeg,jpg,png,tif,tiff,webp}")
            .load(folder)
        )
    described = describe(images, settings).drop("bytes", "content")
    described.write.mode("errorifexists").parquet(str(args.out.absolute()))

    written = spark.read.parquet(str(args.out.absolute()))
    written.show(5, truncate=False)
    print(f"{written.count()} rows in {args.out}")
    spark.stop()


if __name__ == "__main__":
    main()
