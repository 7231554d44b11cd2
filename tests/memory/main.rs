//! What a build takes of memory for each label: the allocator counts.
//!
//! Ten million labels must build within 4 GB, a model of ViT-B/32's size and what
//! it computes with among them: 300 bytes a label are left for the labels. The
//! test stands alone in its binary, so that no other allocates beside it.

#[path = "../allocator.rs"]
#[allow(dead_code, reason = "one test needs no turns")]
mod allocator;

use std::ops::ControlFlow;
use std::path::Path;

use allocator::peak;
use build_index::{Builder, Dictionary};
use interrogate::encoder::{Embeddings, TextEncoder, Tokens};

/// Labels, as long as the flavors are two by two.
const LABELS: usize = 200_000;

/// Bytes for each, at most.
const BUDGET: usize = 300;

/// Nine tokens a label, as CLIP has for two flavors, and a row of two values.
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
    // Twice: from nothing, and upon the index that stands.
    let ((), most) = peak(|| {
        for encoded in [LABELS, 0] {
            let dictionary = Dictionary::parse(Path::new("a.txt"), text.as_bytes()).unwrap();
            let go_on = |_| ControlFlow::Continue(());
            let report = builder.build(&[dictionary], folder.path(), go_on).unwrap();
            assert_eq!((report.labels, report.encoded), (LABELS, encoded));
        }
    });
    let share = most / LABELS;
    println!("{share} bytes a label");
    assert!(share <= BUDGET, "{share} bytes a label, expected at most {BUDGET}");
}
