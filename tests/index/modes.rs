//! Prompts of every mode over a checkpoint and a built index, compared with an independent
//! reference, `tests/fixtures/modes/make.py`, and with clip-interrogator's own code,
//! `tests/fixtures/modes/openclip.py`.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{Builder, open_all};
use interrogate::Interrogation;
use interrogate::encoder::Features;
use interrogate::index::{CustomTable, Index, Merged, TableRef};
use interrogate::models::{Model, ModelSource, Options};
use interrogate::picture::Picture;
use interrogate::prompt::modes::PromptOptions;
use interrogate::prompt::{Deny, Mode, Prompt};
use interrogate::rank::Order;
use serde_json::Value;
use tempfile::TempDir;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// The checkpoint, and the index of the dictionaries beside the golden values.
struct Built {
    model: Model,
    index: Index,
    _folder: TempDir,
}

impl Built {
    fn new() -> Self {
        Self::of("clip/quick", "modes/dicts")
    }

    fn of(checkpoint: &str, dictionaries: &str) -> Self {
        let source = ModelSource::Folder(fixtures().join(checkpoint));
        let model = Model::open(source, &Options::new("none"), &mut |_| {}).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dictionaries = open_all(&[fixtures().join(dictionaries)]).unwrap();
        let encoder = model.text_encoder().unwrap();
        let fingerprint = model.fingerprint().unwrap();
        let builder = Builder::new(encoder.as_ref(), &model.id(), &fingerprint);
        builder.build(&dictionaries, folder.path(), |_| ControlFlow::Continue(())).unwrap();
        let index = Index::open(folder.path()).unwrap();
        Built { model, index, _folder: folder }
    }

    fn interrogation(&self, options: PromptOptions) -> Interrogation<'_> {
        Interrogation::new(&self.index, &self.model, options).unwrap()
    }
}

/// The seeded features of the checkpoint's own golden values.
fn images() -> Vec<Features> {
    let bytes = fs::read(fixtures().join("clip/quick/golden.safetensors")).unwrap();
    let golden = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let features = golden.tensor("features").unwrap();
    let values = features.data().chunks_exact(4);
    let values: Vec<f32> = values.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    values.chunks_exact(features.shape()[1]).map(|row| Features::new(row.into()).unwrap()).collect()
}

fn prompts<'a>(
    interrogation: &'a Interrogation<'_>,
    features: &[Features],
    captions: &[Option<&str>],
) -> Vec<Prompt<'a>> {
    interrogation.prompts(features, captions, |_, _| ControlFlow::Continue(())).unwrap()
}

#[test]
fn every_mode_equals_the_reference() {
    let golden = fs::read(fixtures().join("modes/golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let golden = golden["images"].as_array().unwrap();
    let (built, images) = (Built::new(), images());
    let captions: Vec<_> = golden.iter().map(|image| image["caption"].as_str()).collect();
    for (kind, compat) in [("exact", false), ("compat", true)] {
        for mode in [Mode::Classic, Mode::Fast, Mode::Best, Mode::Negative] {
            let interrogation =
                built.interrogation(PromptOptions { compat, ..PromptOptions::new(mode) });
            let found = prompts(&interrogation, &images, &captions);
            for (prompt, golden) in found.iter().zip(golden) {
                let expected = &golden[kind][mode.name()];
                let case = (kind, mode.name(), prompt.caption.as_deref());
                if mode != Mode::Best {
                    assert_eq!(prompt.text, expected.as_str().unwrap(), "{case:?}");
                    continue;
                }
                assert_eq!(prompt.text, expected["prompt"].as_str().unwrap(), "{case:?}");
                let chosen = prompt.chosen.map(|mode| match mode {
                    Mode::Best => "chain",
                    other => other.name(),
                });
                assert_eq!(chosen, expected["chosen"].as_str(), "{case:?}");
                let difference =
                    f64::from(prompt.score.unwrap()) - expected["score"].as_f64().unwrap();
                assert!(difference.abs() < 1e-5, "{case:?}: {difference}");
            }
        }
    }
}

/// clip-interrogator's results over a seeded OpenCLIP checkpoint.
struct Reference {
    built: Built,
    golden: Value,
    images: Vec<Features>,
}

impl Reference {
    fn new() -> Self {
        let folder = fixtures().join("modes/openclip");
        let golden = fs::read(folder.join("golden.json")).unwrap();
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        let built = Built::of("modes/openclip", "modes/openclip/dicts");
        let photo = |image: &Value| Picture::open(&folder.join(image["photo"].as_str().unwrap()));
        let photos = golden["images"].as_array().unwrap().iter().map(photo);
        let photos: Vec<Picture> = photos.collect::<Result<_, _>>().unwrap();
        let images = built.model.image_encoder().unwrap().encode(&photos).unwrap();
        Reference { built, golden, images }
    }

    /// The features of each image, with clip-interrogator's results.
    fn images(&self) -> impl Iterator<Item = (&Features, &Value)> {
        self.images.iter().zip(self.golden["images"].as_array().unwrap())
    }

    /// The first labels of the merged `tables`, ranked as clip-interrogator ranks them.
    fn ranked(&self, image: &Features, tables: &[&str], k: usize, order: Order) -> Vec<&str> {
        let tables = tables.iter().map(|name| self.built.index.table(name).unwrap());
        let tables = Merged::new(tables.map(TableRef::Indexed).collect()).unwrap();
        let ranked = tables.rank_by_quota(std::slice::from_ref(image), k, order, 2048).unwrap();
        ranked[0].iter().map(|found| found.label).collect()
    }
}

#[test]
fn features_and_rankings_equal_clip_interrogators() {
    let reference = Reference::new();
    for (image, golden) in reference.images() {
        let expected: Vec<f32> = serde_json::from_value(golden["features"].clone()).unwrap();
        let pairs = image.as_slice().iter().zip(&expected);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(
            difference < 1e-5 && expected.len() == image.dim(),
            "{}: {difference}",
            golden["photo"]
        );
        for (table, expected) in golden["tables"].as_object().unwrap() {
            let found = reference.ranked(image, &[table], 5, Order::Best);
            assert_eq!(Value::from(found), *expected, "{table} {}", golden["photo"]);
        }
        let all = ["artists", "flavors", "mediums", "movements", "trendings"];
        let found = reference.ranked(image, &all, 12, Order::Best);
        assert_eq!(Value::from(found), golden["merged"], "{}", golden["photo"]);
        let worst = reference.ranked(image, &["flavors"], 2048, Order::Worst);
        let ends = [&worst[..3], &worst[worst.len() - 3..]].concat();
        assert_eq!(Value::from(ends), golden["worst"], "{}", golden["photo"]);
    }
}

#[test]
fn compat_equals_clip_interrogator() {
    let reference = Reference::new();
    let caption = reference.golden["caption"].as_str();
    for mode in [Mode::Classic, Mode::Fast, Mode::Best, Mode::Negative] {
        let interrogation = reference
            .built
            .interrogation(PromptOptions { compat: true, ..PromptOptions::new(mode) });
        let captions = vec![caption.filter(|_| mode != Mode::Negative); reference.images.len()];
        let found = prompts(&interrogation, &reference.images, &captions);
        for (prompt, (_, golden)) in found.iter().zip(reference.images()) {
            let case = (mode.name(), &golden["photo"]);
            assert_eq!(Value::from(&*prompt.text), golden["prompts"][mode.name()], "{case:?}");
            if let Some(score) = prompt.score {
                let difference = f64::from(score) - golden["scores"][mode.name()].as_f64().unwrap();
                assert!(difference.abs() < 1e-5, "{case:?}: {difference}");
            }
        }
    }
}

#[test]
fn prompts_fit_the_context_length() {
    let (built, images) = (Built::new(), images());
    let counter = built.model.counter().unwrap();
    let caption = "a long and winding road between fields of wheat, ".repeat(5);
    for mode in [Mode::Classic, Mode::Fast, Mode::Best, Mode::Negative] {
        for limit in [77, 30] {
            let interrogation =
                built.interrogation(PromptOptions::new(mode)).within(limit).between("art", "8k");
            for prompt in prompts(&interrogation, &images, &[Some(&caption), None, Some("a cat")]) {
                assert!(counter.count(&prompt.text).unwrap() <= limit, "{mode:?} {}", prompt.text);
                assert!(prompt.text.starts_with("art") && prompt.text.ends_with("8k"));
            }
        }
    }
}

#[test]
fn template_with_prefix_and_suffix_keeps_the_token_limit() {
    let (built, images) = (Built::new(), images());
    let counter = built.model.counter().unwrap();
    let caption = "a long and winding road between fields of wheat, ".repeat(5);
    for limit in [77, 30, 12] {
        let options = PromptOptions { max_flavors: 40, ..PromptOptions::new(Mode::Seed) };
        let interrogation = built.interrogation(options).within(limit).between("art", "8k");
        let template = "{caption}: {flavors} by {artist}, {medium}".parse().unwrap();
        let interrogation = interrogation.with_template(template).unwrap();
        for prompt in prompts(&interrogation, &images, &[Some(&caption), None, Some("a cat")]) {
            let tokens = counter.count(&prompt.text).unwrap();
            assert!(tokens <= limit, "{tokens} {}", prompt.text);
            assert!(prompt.text.starts_with("art, ") && prompt.text.ends_with(", 8k"));
            assert_eq!(interrogate::prompt::join(&prompt.parts), prompt.text);
        }
    }
    let interrogation = built.interrogation(PromptOptions::new(Mode::Seed)).within(5);
    let interrogation =
        interrogation.with_template("words that stay whatever comes".parse().unwrap()).unwrap();
    let error = interrogation.prompts(&images, &[], |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().ends_with("tokens, expected at most 5"), "{error}");
}

#[test]
fn progress_callback_interrupts_a_chain() {
    let (built, images) = (Built::new(), images());
    for mode in [Mode::Best, Mode::Negative] {
        let interrogation = built.interrogation(PromptOptions::new(mode));
        let mut steps = Vec::new();
        let result = interrogation.prompts(&images, &[], |image, step| {
            steps.push((image, step.step));
            if step.step == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(result, Err(interrogate::Error::Interrupted)));
        assert!(steps.is_sorted());
        assert_eq!(steps.last(), Some(&(0, 2)));
    }
}

#[test]
fn tables_are_selected_excluded_and_replaced() {
    let (built, images) = (Built::new(), images());
    let seed = || built.interrogation(PromptOptions::new(Mode::Seed));
    let tables = |interrogation: &Interrogation<'_>| -> Vec<String> {
        let found = prompts(interrogation, &images[..1], &[]);
        found[0].picks.iter().map(|pick| pick.table.to_owned()).collect()
    };
    assert_eq!(tables(&seed()), ["mediums", "movements", "flavors"]);
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let interrogation = seed().without(&owned(&["movements"])).unwrap();
    assert_eq!(tables(&interrogation), ["mediums", "flavors"]);
    let interrogation = seed().only(&owned(&["artists", "flavors"])).unwrap();
    assert_eq!(tables(&interrogation), ["artists", "flavors"]);
    let error = seed().only(&owned(&["hats"])).err().unwrap().to_string();
    assert!(error.ends_with("has no table \"hats\""), "{error}");

    let encoder = built.model.text_encoder().unwrap();
    let own = ["a cat", "a bowler hat"].map(str::to_owned).to_vec();
    let own = CustomTable::encode("mediums", None, own, encoder.as_ref(), |_| {}).unwrap();
    let interrogation = seed().with(own);
    let found = prompts(&interrogation, &images, &[]);
    assert!(found.iter().all(|prompt| {
        let medium = &prompt.picked("mediums")[0];
        ["a cat", "a bowler hat"].contains(&medium.label)
    }));
}

#[test]
fn custom_list_ranks_like_an_index_of_the_same_labels() {
    let (built, images) = (Built::new(), images());
    let table = built.index.table("mediums").unwrap();
    let labels: Vec<String> = table.labels().map(|label| label.unwrap().to_owned()).collect();
    let encoder = built.model.text_encoder().unwrap();
    let own = CustomTable::encode("own", Some(9), labels, encoder.as_ref(), |_| {}).unwrap();
    let interrogation = built.interrogation(PromptOptions::new(Mode::Seed)).with(own);
    for (prompt, image) in prompts(&interrogation, &images, &[]).iter().zip(&images) {
        let (own, indexed) = (prompt.picked("own"), table.rank(image, 9).unwrap());
        let equal = own.iter().zip(&indexed).all(|(a, b)| (a.row, a.score) == (b.row, b.score));
        assert!(own.len() == 9 && equal);
    }
}

#[test]
fn denied_labels_are_replaced_by_the_next_best() {
    let (built, images) = (Built::new(), images());
    let plain = built.interrogation(PromptOptions::new(Mode::Fast));
    let all = prompts(&plain, &images[..1], &[])[0].picks[0].matches.clone();
    let deny = all[..20].iter().map(|m| format!("/^{}$/\n", escaped(m.label)));
    let deny = Deny::parse(&deny.collect::<String>(), Path::new("deny.txt")).unwrap();
    let interrogation = built.interrogation(PromptOptions::new(Mode::Fast)).denying(deny);
    let found = &prompts(&interrogation, &images[..1], &[])[0].picks[0].matches;
    assert_eq!(found.len(), 32);
    assert_eq!(found[..12], all[20..]);
}

/// Escapes `label` as a regular expression that matches it alone.
fn escaped(label: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() { c.to_string() } else { format!("[{c}]") };
    label
        .chars()
        .map(|c| if c == '^' || c == '\\' { format!("\\{c}") } else { letter(c) })
        .collect()
}
