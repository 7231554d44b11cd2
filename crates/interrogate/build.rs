//! Sets the cfg `starter` where the feature `starter` is on and the weights are here.
//!
//! A package of a registry has no weights: they exceed its size limit. There the feature
//! compiles, and the model `starter` is opened from a folder of the files, if one is given.

use std::path::Path;

const WEIGHTS: [&str; 4] = [
    "all-minilm-l6-v2.safetensors",
    "classes.safetensors",
    "efficientnet-lite0.safetensors",
    "flavors.safetensors",
];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(starter)");
    println!("cargo::rerun-if-changed=build.rs");
    for file in WEIGHTS {
        println!("cargo::rerun-if-changed=weights/{file}");
    }
    if std::env::var_os("CARGO_FEATURE_STARTER").is_none() {
        return;
    }
    match WEIGHTS.iter().find(|file| !Path::new("weights").join(file).is_file()) {
        None => println!("cargo::rustc-cfg=starter"),
        Some(file) => println!(
            "cargo::warning=the starter model is left out: no crates/interrogate/weights/{file}; build from the repository, or without the feature starter"
        ),
    }
}
