//! A PyTorch archive: the input as a zip file, or as a pickle and a storage in a valid zip.
//! What opens can be read.

#![no_main]

use interrogate::weights::Weights;
use interrogate_fuzz::{file, first, halves, zip};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, rest) = first(bytes);
    let archive = if choice == b'P' {
        bytes.to_vec()
    } else {
        // A pickle may contain zeros, so its length comes first.
        let (length, rest) = rest.split_at(rest.len().min(2));
        let length = length.iter().rev().fold(0, |n, &b| n << 8 | usize::from(b));
        let (pickle, storage) = rest.split_at(length.min(rest.len()));
        let (other, storage) = if choice == 1 { halves(storage) } else { (&[][..], storage) };
        zip(&[("a/data.pkl", pickle), ("a/data/0", storage), ("a/data/1", other)])
    };
    let Ok(weights) = Weights::open(&file("model.pt", &archive)) else { return };
    let names: Vec<String> = weights.names().cloned().collect();
    for name in &names {
        let shape = weights.shape(name).expect("a name has a shape").to_vec();
        if let Ok(values) = weights.values(name, &shape) {
            assert_eq!(values.len(), shape.iter().product::<usize>());
        }
    }
});
