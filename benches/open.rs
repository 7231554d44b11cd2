//! Opening an index of 100,970 x 512 against reading it into memory.
//!
//! The rival does what tools without a map do at every start: read the files,
//! parse the container, copy the rows out as f32 and the labels into strings.
//! Both end when a first query could start. Pages are in the system's cache for both.
//! Opening reads almost nothing, so that it has a time and no throughput.

#[path = "../tests/index/fake.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod fake;

use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;

use build_index::{Builder, Dictionary};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::index::{Index, Labels};
use safetensors::SafeTensors;

const ROWS: usize = 100_970;
const DIM: usize = 512;

fn build(folder: &Path) -> Result<Index, build_index::Error> {
    let lines: Vec<String> = (0..ROWS).map(|n| format!("a label like others, no. {n}")).collect();
    let flavors = Dictionary::parse(Path::new("flavors.txt"), lines.join("\n").as_bytes())?;
    let fake = fake::Fake::new(DIM);
    Builder::new(&fake, "fake", "fake").build(&[flavors], folder, |_| ControlFlow::Continue(()))?;
    Ok(Index::open(folder)?)
}

/// The rows as f32 and the labels, copied.
fn read(folder: &Path) -> Result<(Vec<f32>, Vec<String>), Box<dyn std::error::Error>> {
    let index = interrogate::index::Manifest::open(folder)?;
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for table in index.tables() {
        for name in table.shard_names() {
            let bytes = fs::read(folder.join(name))?;
            let tensors = SafeTensors::deserialize(&bytes)?;
            let data = tensors.tensor("embeds")?.data();
            let halves: Vec<f16> =
                data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
            rows.extend(halves.to_f32_vec());
        }
        let path = folder.join(table.labels_name());
        let file = Labels::open(&path, fs::read(&path)?)?;
        labels.extend(
            file.iter().map(|label| label.map(str::to_owned)).collect::<Result<Vec<_>, _>>()?,
        );
    }
    Ok((rows, labels))
}

fn open(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("bench-open-{}", std::process::id()));
    let index = build(&folder).expect("the bench's index builds");
    let mut group = criterion.benchmark_group("open 100,970 x 512");
    group.bench_function("Index::open", |b| b.iter(|| black_box(Index::open(&folder))));
    group.throughput(Throughput::Bytes(index.bytes())); // of the two that read all bytes
    group.sample_size(10);
    group.bench_function("read and copy", |b| b.iter(|| black_box(read(&folder))));
    group.bench_function("Index::verify", |b| b.iter(|| index.verify(|_| ())));
    group.finish();
    let _ = fs::remove_dir_all(&folder);
}

criterion_group!(benches, open);
criterion_main!(benches);
