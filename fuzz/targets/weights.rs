//! A safetensors file of weights: what opens can be read.

#![no_main]

use interrogate::weights::Weights;
use interrogate_fuzz::{file, framed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes.to_vec(), framed(bytes)] {
        let Ok(weights) = Weights::open(&file("model.safetensors", &bytes)) else { continue };
        let names: Vec<String> = weights.names().cloned().collect();
        for name in &names {
            let shape = weights.shape(name).expect("a name has a shape").to_vec();
            if let Ok(values) = weights.values(name, &shape) {
                assert_eq!(values.len(), shape.iter().product::<usize>());
            }
        }
        let _ = weights.finish(|_| false);
    }
});
