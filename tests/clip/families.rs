//! Models of other families: tokens, embeddings and features equal those of the library that
//! wrote the checkpoint, by the `make.py` beside each.

use interrogate::encoder::Features;
use interrogate::weights::Weights;

use super::*;

/// Largest allowed difference of a unit row's values. Measured: at most 2e-6.
const BOUND: f32 = 1e-5;

/// Folders of tests/fixtures/families with a checkpoint, `golden.json` (texts, and their padded ids) and
/// `golden.safetensors`: embeddings (texts, dim), pixels (images, 3, side, side), features (images,
/// dim), not normalized.
const FAMILIES: [&str; 8] = [
    "../eva/clip",
    "longclip",
    "metaclip2",
    "metaclip2-open-clip",
    "siglip",
    "siglip-i18n-open-clip",
    "siglip-open-clip",
    "siglip2",
];

struct Golden {
    texts: Vec<String>,
    ids: Vec<Vec<u32>>,
    weights: Weights,
}

impl Golden {
    fn open(folder: &Path) -> Self {
        let file: Value =
            serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
        let texts = serde_json::from_value(file["texts"].clone()).unwrap();
        let ids = serde_json::from_value(file["ids"].clone()).unwrap();
        Golden { texts, ids, weights: Weights::open(&folder.join("golden.safetensors")).unwrap() }
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(String::as_str).collect()
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.weights.values(name, &self.shape(name)).unwrap()
    }

    fn shape(&self, name: &str) -> Vec<usize> {
        self.weights.shape(name).unwrap().to_vec()
    }

    /// Unit rows of the values `name`.
    fn rows(&self, name: &str) -> Vec<Features> {
        let dim = self.shape(name)[1];
        let values = self.values(name);
        values.chunks(dim).map(|row| Features::new(row.to_vec()).unwrap()).collect()
    }
}

fn family(name: &str) -> (Checkpoint, Golden) {
    let folder = fixture("../families").join(name);
    (Checkpoint::open(&folder).unwrap(), Golden::open(&folder))
}

fn check<'a>(name: &str, ours: impl Iterator<Item = &'a [f32]>, theirs: &[Features]) {
    let mut count = 0;
    for (row, (ours, theirs)) in ours.zip(theirs).enumerate() {
        let differences = ours.iter().zip(theirs.as_slice()).map(|(a, b)| (a - b).abs());
        let most = differences.fold(0.0, f32::max);
        assert!(most < BOUND && ours.len() == theirs.dim(), "{name} row {row}: {most}");
        count += 1;
    }
    assert_eq!(count, theirs.len(), "{name}");
}

#[test]
fn tokens_equal_those_of_the_reference() {
    for name in FAMILIES {
        let (checkpoint, golden) = family(name);
        let encoder = checkpoint.text_encoder().unwrap();
        let tokens = encoder.tokenize(&golden.texts()).unwrap();
        assert_eq!(encoder.context_length(), golden.ids[0].len(), "{name}");
        for ((text, ours), theirs) in golden.texts.iter().zip(tokens.iter()).zip(&golden.ids) {
            assert_eq!(ours, &theirs[..ours.len()], "{name}: {text:?}");
            assert_eq!(ours.last(), Some(&encoder.end_of_text()), "{name}: {text:?}");
            let padding = theirs[ours.len()..].iter();
            assert!(padding.clone().all(|id| Some(id) == theirs[ours.len()..].first()), "{name}");
        }
    }
}

#[test]
fn embeddings_equal_those_of_the_reference() {
    for name in FAMILIES {
        let (checkpoint, golden) = family(name);
        let encoder = checkpoint.text_encoder().unwrap();
        let rows = encoder.encode(&golden.texts()).unwrap();
        check(name, rows.rows(), &golden.rows("embeddings"));
        // In another order and company.
        let mut texts = golden.texts();
        texts.reverse();
        let reversed = encoder.encode(&texts).unwrap();
        assert!(rows.rows().eq(reversed.rows().rev()), "{name}");
    }
}

#[test]
fn features_equal_those_of_the_reference() {
    for name in FAMILIES {
        let (checkpoint, golden) = family(name);
        let encoder = checkpoint.image_encoder().unwrap();
        let rows = encoder.features(&golden.values("pixels")).unwrap();
        check(name, rows.iter().map(Features::as_slice), &golden.rows("features"));
    }
}
