//! The files of a captioner's checkpoint.

use std::path::Path;

use interrogate::caption::{Precision, open};

use crate::assault::{Reader, any};
use crate::copy;

/// Opens the captioner around the file.
fn read(path: &Path) -> Result<String, String> {
    let opened = open(path.parent().unwrap(), Precision::F32);
    opened.map(|it| format!("{:?}", it.preprocess())).map_err(|error| error.to_string())
}

#[test]
fn the_configurations_of_captioners_do_not_break() {
    for fixture in ["caption/blip", "caption/blip2-opt", "caption/blip2-t5"] {
        let folder = copy(fixture);
        for name in ["config.json", "preprocessor_config.json"] {
            Reader::new(folder.path().join(name), &read).every(11).assault(usize::MAX, any);
        }
    }
}

#[test]
fn an_index_of_shards_does_not_break() {
    let folder = copy("caption/blip2-opt");
    let path = folder.path().join("model.safetensors.index.json");
    Reader::new(path, &read).assault(120, any);
}
