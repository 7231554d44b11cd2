"""Index and Table: labels, mapped rows, exact rankings, builds."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import interrogate_clip as ic
from conftest import LABELS
from interrogate_clip import errors


def test_tables_and_labels(index: ic.Index, model: ic.Model) -> None:
    assert index.tables == ["flavors", "mediums", "movements"] == list(index)
    assert len(index) == 3 and "flavors" in index and "artists" not in index
    assert (index.dim, index.model_name) == (384, "starter")
    flavors = index["flavors"]
    assert flavors.labels == LABELS["flavors"] and len(flavors) == 5
    assert flavors.label(2) == LABELS["flavors"][2]
    with pytest.raises(KeyError, match="artists") as raised:
        index["artists"]
    assert isinstance(raised.value, errors.TableNotFoundError)
    with pytest.raises(ValueError, match="row 5"):
        flavors.label(5)
    index.verify()


def test_rows_are_a_read_only_map(index: ic.Index, model: ic.Model) -> None:
    table = index["flavors"]
    rows = table.rows
    assert rows.dtype == np.float16 and rows.shape == (5, 384)
    assert not rows.flags.owndata and not rows.flags.writeable
    with pytest.raises(ValueError, match="read-only|WRITEABLE|writeable"):
        rows[0, 0] = 1
    again = table.rows
    assert again.ctypes.data == rows.ctypes.data
    embedded = model.embed_texts(LABELS["flavors"])
    assert np.abs(embedded - rows.astype(np.float32)).max() < 1e-3


def test_rows_outlive_their_index(model: ic.Model, dictionaries: Path, tmp_path: Path) -> None:
    index = ic.build_index(dictionaries, tmp_path, model)
    rows = index["flavors"].rows
    expected = rows.copy()
    del index
    gc.collect()
    assert np.array_equal(rows, expected)


def test_ranking_is_exact_and_ties_go_by_row(index: ic.Index, model: ic.Model, cat: Path) -> None:
    features = model.embed_images([cat, cat])
    ranking = index.rank(features, "flavors", k=3)
    scores, rows, labels = ranking
    assert scores.shape == rows.shape == (2, 3) and ranking.labels is labels
    expected = index["flavors"].rows.astype(np.float32) @ features[0]
    order = np.argsort(-expected, kind="stable")[:3]
    assert rows[0].tolist() == order.tolist() == rows[1].tolist()
    assert np.abs(scores[0] - expected[order]).max() < 1e-5
    assert labels[0][0] == "a cat"
    worst = index.rank(features[0], "flavors", k=99, reverse=True)
    assert worst.rows.tolist() == np.argsort(expected, kind="stable").tolist()
    assert worst.labels[-1] == "a cat"


def test_several_tables_rank_as_one(index: ic.Index, model: ic.Model, cat: Path) -> None:
    features = model.embed_images(cat)
    ranking = index.rank(features, ["mediums", "flavors"], k=8)
    labels = LABELS["mediums"] + LABELS["flavors"]
    assert sorted(ranking.labels) == sorted(labels)
    assert [labels[row] for row in ranking.rows] == ranking.labels


def test_own_labels(index: ic.Index, model: ic.Model, cat: Path) -> None:
    table = ic.Table.encode("mine", LABELS["flavors"], model)
    features = model.embed_images(cat)
    own, built = table.rank(features, k=5), index["flavors"].rank(features, k=5)
    assert own.labels == built.labels and np.array_equal(own.scores, built.scores)
    assert np.array_equal(table.rows, index["flavors"].rows)
    assert table.rank(features, k=1, quota=4).labels == ["a cat"]


def test_features_of_another_model_are_refused(index: ic.Index) -> None:
    for features in [np.ones(10), np.full(384, np.nan), np.zeros(384)]:
        with pytest.raises(errors.FeaturesError):
            index.rank(features, "flavors")
    with pytest.raises(ValueError, match="found"):
        index.rank(np.zeros((1, 1, 384)), "flavors")


def test_build_reports_progress_and_stops(model: ic.Model, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"label number {n}" for n in range(3000)))

    def stop(done: int, total: int) -> None:
        raise InterruptedError(f"{done} of {total}")

    with pytest.raises(InterruptedError):
        ic.build_index(words, tmp_path / "indexes", model, progress=stop)
    calls: list[tuple[int, int]] = []
    index = ic.build_index(
        words, tmp_path / "indexes", model, progress=lambda *call: calls.append(call)
    )
    assert calls[-1] == (3000, 3000)
    assert len(index["words"]) == 3000
    shape = index["words"].rows.shape
    assert shape == (3000, 384)


def test_missing_things_are_named(model: ic.Model, tmp_path: Path) -> None:
    with pytest.raises(errors.LabelIndexError, match=str(tmp_path)):
        ic.Index.open(tmp_path)
    with pytest.raises(ic.InterrogateError, match="gone"):
        ic.build_index(tmp_path / "gone", tmp_path, model)
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(errors.DictionaryError, match="empty.txt"):
        ic.build_index(tmp_path / "empty.txt", tmp_path, model)
