use std::path::PathBuf;

use super::*;

mod decode;
mod draft;
mod preprocess;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pictures").join(name)
}

fn open(name: &str) -> Result<Picture> {
    Picture::open(&fixture(name))
}

/// Width, height and values of a binary PPM as Pillow writes it.
fn ppm(name: &str) -> (u32, u32, Vec<u8>) {
    let bytes = std::fs::read(fixture(name)).unwrap();
    let mut lines = bytes.splitn(4, |&b| b == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap()).unwrap();
    assert_eq!(line(), "P6");
    let (width, height) = line().split_once(' ').unwrap();
    assert_eq!(line(), "255");
    (width.parse().unwrap(), height.parse().unwrap(), lines.next().unwrap().to_vec())
}

/// The largest difference of a value.
fn largest(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}
