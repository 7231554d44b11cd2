"""interrogate_clip.compat: clip-interrogator's results, README examples and refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import interrogate_clip as ic
from conftest import PHOTOS, ROOT
from interrogate_clip import compat, errors
from interrogate_clip.compat import Config, Interrogator, LabelTable, _index_cache, load_list

FIXTURES = ROOT / "tests" / "fixtures"
OPENCLIP = FIXTURES / "modes" / "openclip"
BLIP = FIXTURES / "caption" / "blip"
GOLDEN = Path(__file__).parent / "golden"


def read_golden(path: Path) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert golden["versions"]["clip-interrogator"] == "0.6.0"
    assert all(image["margin"] > 0 for image in golden["images"]), "no ties, which a set decides"
    return golden


def config(cache: Path, data: Path, **settings: Any) -> Config:
    defaults = {"clip_model_name": str(OPENCLIP), "caption_model_name": None, "quiet": True}
    paths = {"cache_path": str(cache), "data_path": str(data), "device": "cpu"}
    return Config(**{**defaults, **paths, **settings})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def ci(cache: Path) -> Interrogator:
    return Interrogator(config(cache, OPENCLIP / "dicts"))


def test_defaults_equal_clip_interrogator(ci: Interrogator) -> None:
    golden = read_golden(OPENCLIP / "golden.json")
    merged = compat._merge_tables(
        [ci.artists, ci.flavors, ci.mediums, ci.movements, ci.trendings], ci
    )
    for expected in golden["images"]:
        image = Image.open(OPENCLIP / expected["photo"])
        features = ci.image_to_features(image)
        assert features.shape == (1, 16) and features.dtype == np.float32
        assert np.abs(features[0] - expected["features"]).max() < 1e-5
        for name, labels in expected["tables"].items():
            assert getattr(ci, name).rank(features, 5) == labels
        assert merged.rank(features, 12) == expected["merged"]
        worst = ci.flavors.rank(features, 2048, reverse=True)
        assert worst[:3] + worst[-3:] == expected["worst"]
        prompts = {
            "classic": ci.interrogate_classic(image, caption=golden["caption"]),
            "fast": ci.interrogate_fast(image, caption=golden["caption"]),
            "best": ci.interrogate(image, caption=golden["caption"]),
            "negative": ci.interrogate_negative(image),
        }
        assert prompts == expected["prompts"]
        for mode, prompt in prompts.items():
            assert ci.similarity(features, prompt) == pytest.approx(
                expected["scores"][mode], abs=1e-4
            )


def test_quotas_and_repeated_labels_equal_clip_interrogator(tmp_path: Path) -> None:
    golden = read_golden(GOLDEN / "compat.json")
    settings = config(
        tmp_path,
        GOLDEN / "dicts",
        chunk_size=golden["chunk_size"],
        flavor_intermediate_count=golden["candidates"],
        caption_model_name=str(BLIP),
    )
    ci = Interrogator(settings)
    assert {name: len(getattr(ci, name).labels) for name in golden["labels"]} == golden["labels"]
    assert "" in ci.flavors.labels and len(set(ci.flavors.labels)) < len(ci.flavors.labels)
    tables = [ci.artists, ci.flavors, ci.mediums, ci.movements, ci.trendings]
    merged, terms = compat._merge_tables(tables, ci), LabelTable(golden["terms"], None, ci)
    caption = golden["caption"]
    for expected in golden["images"]:
        image = Image.open(OPENCLIP / expected["photo"])
        features = ci.image_to_features(image)
        chain = ci.flavors.rank(features, 30)
        found = {
            "caption": ci.generate_caption(image),
            "flavors": ci.flavors.rank(features, 200),
            "worst": ci.flavors.rank(features, 200, reverse=True),
            "merged": merged.rank(features, 100),
            "terms": terms.rank(features, 7),
            "worst_terms": terms.rank(features, 3, reverse=True),
            "rank_top": ci.rank_top(features, golden["terms"]),
            "rank_top_reverse": ci.rank_top(features, golden["terms"], reverse=True),
            "classic": ci.interrogate_classic(image, max_flavors=40, caption=caption),
            "classic_own": ci.interrogate_classic(image),
            "fast": ci.interrogate_fast(image, caption=caption),
            "best": ci.interrogate(image, min_flavors=2, max_flavors=6, caption=caption),
            "negative": ci.interrogate_negative(image, max_flavors=6),
            "chain": ci.chain(features, chain, min_count=1, max_count=4),
            "chain_reverse": ci.chain(
                features, golden["terms"][3:], "a cat", -0.2, 0, 2, reverse=True
            ),
        }
        # Far down, scores of neighbors differ by less than the rounding of rows to f16.
        flavors = found.pop("flavors")
        assert sorted(flavors) == sorted(expected["flavors"])
        assert flavors[:100] == expected["flavors"][:100]
        assert found == {name: expected[name] for name in found}, expected["photo"]
        similarities = ci.similarities(features, golden["terms"])
        assert similarities == pytest.approx(expected["similarities"], abs=1e-4)


def test_indexes_are_built_once(
    ci: Interrogator, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    features = ci.image_to_features(OPENCLIP / "cat.png")
    terms = LabelTable(["a cat", "a dog", "a cat"], "my terms", ci)
    assert sorted(terms.rank(features, 9)) == ["a cat", "a cat", "a dog"]
    assert (cache / "openclip" / "manifest.json").is_file()
    assert (cache / "tables" / "my_terms" / "openclip" / "manifest.json").is_file()

    def build(*_: object, **__: object) -> None:
        raise AssertionError("an index is built again")

    monkeypatch.setattr(_index_cache, "build_index", build)
    again = Interrogator(config(cache, OPENCLIP / "dicts"))
    assert again.flavors.rank(features, 5) == ci.flavors.rank(features, 5)
    assert LabelTable(["a cat", "a dog", "a cat"], "my terms", again).rank(features, 1)
    with pytest.raises(AssertionError, match="built again"):
        LabelTable(["a tram"], "my terms", again)
    in_memory = Interrogator(config(cache, OPENCLIP / "dicts", cache_path=None))
    assert in_memory.flavors.rank(features, 99) == ci.flavors.rank(features, 99)


def test_programs_index_in_the_cache_is_used_and_not_changed(
    ci: Interrogator, tmp_path: Path
) -> None:
    shutil.copytree(OPENCLIP / "dicts", tmp_path / "dicts")
    sites = tmp_path / "dicts" / "sites.txt"
    sites.write_text(sites.read_text().replace("dribble", "dribbble"))
    index = ic.build_index(tmp_path / "dicts", tmp_path / "cache", ci.clip_model)
    manifest = (index.folder / "manifest.json").read_bytes()
    again = Interrogator(config(tmp_path / "cache", OPENCLIP / "dicts"))
    assert again.trendings.labels == ci.trendings.labels
    features = ci.image_to_features(OPENCLIP / "astronaut.png")
    assert again.trendings.rank(features, 72) == ci.trendings.rank(features, 72)
    assert again.flavors.rank(features, 72) == ci.flavors.rank(features, 72)
    # Other mediums have an index of their own; few other flavors have none.
    (tmp_path / "dicts" / "mediums.txt").write_text("a mosaic\na fresco\n")
    with open(tmp_path / "dicts" / "flavors.txt", "a") as file:
        file.write("a new flavor\n")
    other = Interrogator(config(tmp_path / "cache", tmp_path / "dicts"))
    assert sorted(other.mediums.rank(features, 9)) == ["a fresco", "a mosaic"]
    assert "a new flavor" in other.flavors.rank(features, 2048)
    assert [path.name for path in (tmp_path / "cache" / "tables").iterdir()] == ["mediums"]
    assert (index.folder / "manifest.json").read_bytes() == manifest


def test_embeds_are_a_copy_that_the_table_ranks_by(ci: Interrogator) -> None:
    features = ci.image_to_features(OPENCLIP / "cat.png")
    table = LabelTable(["a cat", "a dog", "a cat"], None, ci)
    expected = table.rank(features, 3)
    assert len(table.embeds) == 3 and table.embeds[0].dtype == np.float32
    assert np.array_equal(table.embeds[0], table.embeds[2])
    assert table.rank(features, 3) == expected
    own = LabelTable([], None, ci)
    own.labels.extend(table.labels)
    own.embeds.extend(table.embeds)
    assert own.rank(features, 3) == expected
    assert compat._merge_tables([own, table], ci).rank(features, 1) == expected[:1]
    own.labels.append("a tram")
    with pytest.raises(errors.ArgumentError, match="4 labels and 3 embeddings"):
        own.rank(features)
    assert LabelTable([], None, ci).rank(features, 3) == []


class Tensor:
    """What a torch.Tensor of features offers, on another device and in half precision."""

    def __init__(self, values: np.ndarray[Any, Any], *, ready: frozenset[str] = frozenset()):
        self.values, self.ready = values, ready

    def __getattr__(self, name: str) -> Any:
        if name not in {"detach", "float", "cpu"}:
            raise AttributeError(name)
        return lambda: Tensor(self.values, ready=self.ready | {name})

    def numpy(self) -> np.ndarray[Any, Any]:
        assert self.ready == {"detach", "float", "cpu"}
        return self.values


def test_features_may_be_tensors_or_rows(ci: Interrogator) -> None:
    features = ci.image_to_features(OPENCLIP / "cat.png")
    for given in [Tensor(features), features[0], features.tolist()]:
        assert ci.flavors.rank(given, 3) == ci.flavors.rank(features, 3)
        assert ci.similarity(given, "a cat") == ci.similarity(features, "a cat")
    # As in clip-interrogator, features are not scaled to unit length.
    assert ci.similarity(2 * features, "a cat") == 2 * ci.similarity(features, "a cat")
    phrases = ["a tram", "a rocket", "noise"]
    grown = ci.chain(features, phrases, "a cat", ci.similarity(features, "a cat"), 0, 2)
    scaled = 2 * features
    assert ci.chain(scaled, phrases, "a cat", ci.similarity(scaled, "a cat"), 0, 2) == grown
    with pytest.raises(errors.FeaturesError, match=r"found \(2, 16\)"):
        ci.similarity(np.concatenate([features, features]), "a cat")
    with pytest.raises(errors.FeaturesError, match="expected 16 values, found 3"):
        ci.rank_top(np.ones(3), ["a cat"])
    with pytest.raises(errors.ArgumentError, match="at least one text"):
        ci.rank_top(features, [])


def test_replaced_tables_are_used(cache: Path, cat: Path) -> None:
    ci = Interrogator(config(cache, OPENCLIP / "dicts"))
    ci.mediums = LabelTable(["a mosaic"], None, ci)
    ci.flavors = LabelTable(["one", "two"], None, ci)
    prompt = ci.interrogate_classic(cat, caption="a cat")
    assert prompt.startswith("a cat, a mosaic ") and {"one", "two"} <= set(prompt.split(", "))
    assert ci.interrogate_classic(cat, caption="a mosaic of cats").startswith("a mosaic of cats ")


def test_models_of_this_package_can_be_passed_in(cache: Path) -> None:
    settings = config(cache, OPENCLIP / "dicts", clip_model_name="no/such", quiet=False)
    settings.clip_model = ic.Model.open(str(OPENCLIP), device="cpu")
    settings.caption_model = ic.Captioner.open(str(BLIP))
    ci = Interrogator(settings)
    assert ci.clip_model is settings.clip_model and ci.caption_model is settings.caption_model
    assert (ci.device, str(ci.dtype)) == ("cpu", "float32")
    assert ci.interrogate_fast(OPENCLIP / "cat.png", 2).startswith(
        ci.generate_caption(OPENCLIP / "cat.png")
    )


def test_refusals(ci: Interrogator, cache: Path, tmp_path: Path) -> None:
    for field, instead in [("clip_model", "clip_model_name"), ("caption_model", "caption_model_")]:
        settings = config(cache, OPENCLIP / "dicts")
        setattr(settings, field, object())
        with pytest.raises(errors.ArgumentError, match=f"Config.{field}: .*object") as raised:
            Interrogator(settings)
        assert instead in (raised.value.hint or "")
    with pytest.raises(errors.CaptionError, match="no caption model"):
        ci.interrogate_fast(OPENCLIP / "cat.png")
    with pytest.raises(errors.ModelError, match="no-such-model"):
        Interrogator(config(cache, tmp_path, clip_model_name="no-such-model"))
    shutil.copytree(OPENCLIP / "dicts", tmp_path / "dicts")
    (tmp_path / "dicts" / "movements.txt").unlink()
    with pytest.raises(errors.FileError, match="movements.txt: No such file") as missing:
        Interrogator(config(cache, tmp_path / "dicts"))
    assert "artists.txt, flavors.txt" in (missing.value.hint or "")
    (tmp_path / "dicts" / "movements.txt").write_text("\n \n")
    with pytest.raises(errors.DictionaryError, match="movements.txt: no label"):
        Interrogator(config(cache, tmp_path / "dicts"))


def test_config_has_clip_interrogators_fields_and_defaults() -> None:
    defaults = {field.name: field.default for field in fields(Config)}
    assert defaults == {
        "caption_max_length": 32,
        "caption_model_name": "blip-large",
        "caption_offload": False,
        "clip_model_name": "ViT-L-14/openai",
        "clip_model_path": None,
        "clip_offload": False,
        "cache_path": "cache",
        "download_cache": True,
        "chunk_size": 2048,
        "data_path": None,
        "device": "auto",
        "flavor_intermediate_count": 2048,
        "quiet": False,
    }
    settings = Config()
    names = ["caption_model", "caption_processor", "clip_model", "clip_preprocess"]
    assert [getattr(settings, name) for name in names] == [None] * 4
    settings.apply_low_vram_defaults()
    low = {"caption_model_name": "blip-base", "chunk_size": 1024, "flavor_intermediate_count": 1024}
    low |= {"caption_offload": True, "clip_offload": True}
    assert vars(settings) == {**defaults, **low}


def test_names_of_models() -> None:
    assert set(compat.list_caption_models()) == set(compat.CAPTION_MODELS)
    assert set(compat.CAPTION_MODELS) <= set(ic.captioner_names())
    assert {"ViT-L-14/openai", "ViT-H-14/laion2b_s32b_b79k"} <= set(compat.list_clip_models())


def test_checkpoint_in_clip_model_path(cache: Path, tmp_path: Path) -> None:
    settings = config(cache, OPENCLIP / "dicts", clip_model_name="ViT-L-14/openai")
    settings.clip_model_path = str(OPENCLIP)
    assert Interrogator(settings).clip_model.name == str(OPENCLIP)


def test_load_list(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_bytes(b" a\r\n\r\nb\ra\xff\n a\n")
    assert load_list(path) == ["a", "", "b", "a\ufffd", "a"] == load_list(tmp_path, "terms.txt")
    with pytest.raises(FileNotFoundError):
        load_list(tmp_path, "none.txt")
    for name in ["artists", "flavors", "mediums", "movements", "negative"]:
        assert load_list(None, f"{name}.txt") == load_list(ROOT / "dicts", f"{name}.txt")
    with pytest.raises(errors.DictionaryError, match="hats.txt: not a built-in dictionary"):
        load_list(None, "hats.txt")


def test_length_of_prompts(ci: Interrogator) -> None:
    words = ", ".join(["word"] * 60)
    cut = compat._truncate_to_fit(words, ci.tokenize)
    # The comma before a part is not counted, so that the text can fill the context.
    assert words.startswith(cut) and ci.tokenize.count_tokens(cut) == 77
    assert compat._prompt_at_max_len(cut, ci.tokenize)
    assert not compat._prompt_at_max_len("a cat", ci.tokenize)
    # The last phrase of a chain may exceed the context.
    features = ci.image_to_features(OPENCLIP / "cat.png")
    start = ", ".join(["word"] * 37)
    assert ci.tokenize.count_tokens(start) == 75
    grown = ci.chain(features, ["a phrase of six tokens here", "b" * 99], start, -1, 1, 9)
    assert grown.startswith(f"{start}, ") and ci.tokenize.count_tokens(grown) > 77
    assert len(grown.split(", ")) == 38


class Recorder:
    """A captioner that returns the options of its last call."""

    def caption(self, images: list[str], **options: int) -> list[str]:
        return [f" {images} {options} "]


def test_lengths_of_captions(cache: Path) -> None:
    ci = Interrogator(config(cache, OPENCLIP / "dicts", caption_max_length=7))
    ci.caption_model = Recorder()  # type: ignore[assignment]
    assert ci.generate_caption("cat.jpg") == "['cat.jpg'] {'max_length': 7, 'min_length': 0}"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of short dictionaries."""
    folder = tmp_path_factory.mktemp("dicts")
    for name in ["artists", "flavors", "mediums", "movements", "negative"]:
        lines = load_list(OPENCLIP / "dicts", f"{name}.txt")[:20]
        (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_readme_examples(few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = Image.open(PHOTOS / "cat.jpg").convert("RGB")
    ci = Interrogator(config(tmp_path, few, caption_model_name=str(BLIP)))
    assert len(ci.interrogate(image)) > 0
    (tmp_path / "terms.txt").write_text("a cat\na cup of coffee\na rocket\n")
    ci = Interrogator(config(tmp_path, few, clip_model_name="starter"))
    table = LabelTable(load_list(tmp_path / "terms.txt"), "terms", ci)
    assert table.rank(ci.image_to_features(image), top_count=1)[0] == "a cat"
    assert capsys.readouterr().out == ""


def test_another_model_is_loaded(few: Path, tmp_path: Path, cat: Path) -> None:
    ci = Interrogator(config(tmp_path, few))
    assert ci.image_to_features(cat).shape == (1, 16)
    ci.config.clip_model_name = "starter"
    ci.load_clip_model()
    assert ci.image_to_features(cat).shape == (1, 384) == ci.flavors.embeds[0][None].shape
    assert ci.interrogate_fast(cat, 3, caption="a cat").startswith("a cat, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["openclip", "starter"]


def test_bars_are_shown_unless_quiet(
    few: Path, tmp_path: Path, cat: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ci = Interrogator(config(tmp_path, few, quiet=False))
    ci.interrogate_negative(cat, max_flavors=2)
    shown = capsys.readouterr().err
    assert "Preprocessing labels: 100%" in shown and "Negative chain:" in shown
    ci.config.quiet = True
    ci.interrogate_negative(cat, max_flavors=2)
    Interrogator(config(tmp_path / "other", few))
    assert capsys.readouterr().err == ""
