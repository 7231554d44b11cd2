//! Peak memory of a build per label, counted by the allocator.
//!
//! Ten million labels must build within 4 GB, including a model of ViT-B/32's size and
//! its buffers: that leaves 300 bytes per label. The test has its own binary, so that no
//! other test allocates at the same time.

#[path = "../allocator.rs"]
#[allow(dead_code, reason = "one test needs no lock")]
mod allocator;

use std::ops::ControlFlow;
use std::path::Path;

use allocator::peak;
use build_index::{Builder, Dictionary};
use interrogate::encoder::{Embeddings, TextEncoder, Tokens};

/// Number of labels, each as long as two flavors.
const LABELS: usize = 200_000;

/// Most bytes per label.
const BUDGET: usize = 300;

/// An encoder of nine tokens per label, as CLIP has for two flavors, and rows of two values.
struct Short;

impl TextEncoder for Short {
    fn dim(&self) -> usize {
        2
    }
    fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
        let mut tokens = Tokens::new();
        for text in texts {
            let ids: Vec<u32> = text.bytes().rev().take(9).map(u32::from).collect();
            tokens.push(&ids);
        }
        Ok(tokens)
    }
    fn embed(&self, tokens: &Tokens) -> interrogate::Result<Embeddings> {
        let row = |ids: &[u32]| [1.0, ids.iter().sum::<u32>() as f32];
        Embeddings::new(2, tokens.iter().flat_map(row).collect())
    }
}

#[test]
fn memory_per_label_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let label = |n: usize| format!("a label of middling length, no. {n:07}\n");
    let text: String = (0..LABELS).map(label).collect();
    let builder = Builder::new(&Short, "short", "short");
    // Twice: from scratch, and over the existing index.
    let ((), memory) = peak(|| {
        for encoded in [LABELS, 0] {
            let dictionary = Dictionary::parse(Path::new("a.txt"), text.as_bytes()).unwrap();
            let proceed = |_| ControlFlow::Continue(());
            let report = builder.build(&[dictionary], folder.path(), proceed).unwrap();
            assert_eq!((report.labels, report.encoded), (LABELS, encoded));
        }
    });
    let share = memory / LABELS;
    println!("{share} bytes per label");
    assert!(share <= BUDGET, "{share} bytes per label, expected at most {BUDGET}");
}
