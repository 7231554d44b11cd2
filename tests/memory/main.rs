//! What a build takes of memory for each label: the allocator counts.
//!
//! Ten million labels must build within 4 GB, a model of ViT-B/32's size and what
//! it computes with among them: 300 bytes a label are left for the labels. The
//! test stands alone in its binary, so that no other allocates beside it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use build_index::{Builder, Dictionary};
use interrogate::encoder::{Embeddings, TextEncoder, Tokens};

/// Labels, as long as the flavors are two by two.
const LABELS: usize = 200_000;

/// Bytes for each, at most.
const BUDGET: usize = 300;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came. What grows is
// allocated anew and copied (the trait's own `realloc`), so that the peak counts
// old and new together.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise is the one that is asked for here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; `memory` came from `alloc` above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
fn a_label_takes_no_more_than_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let label = |n: usize| format!("a label of middling length, no. {n:07}\n");
    let text: String = (0..LABELS).map(label).collect();
    let builder = Builder::new(&Short, "short", "short");
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    // Twice: from nothing, and upon the index that stands.
    for encoded in [LABELS, 0] {
        let dictionary = Dictionary::parse(Path::new("a.txt"), text.as_bytes()).unwrap();
        let go_on = |_| ControlFlow::Continue(());
        let report = builder.build(&[dictionary], folder.path(), go_on).unwrap();
        assert_eq!((report.labels, report.encoded), (LABELS, encoded));
    }
    let share = (PEAK.load(Relaxed) - before) / LABELS;
    println!("{share} bytes a label");
    assert!(share <= BUDGET, "{share} bytes a label, expected at most {BUDGET}");
}
