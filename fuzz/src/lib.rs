//! Shared by the targets: a folder for files, and framing that a fuzzer cannot guess (a
//! header's length, a checksum, a zip's directory).

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use interrogate::limits::PICTURE_PIXELS;
use interrogate::picture::{DecodeOptions, Picture, Preprocess};
use libfuzzer_sys::Corpus;
use zerocopy::IntoBytes;

/// Lets a panic of the `tokenizers` library unwind to code that catches it; an uncaught one
/// still ends the fuzzer at its entry point. Every other panic ends it at once. Call this in
/// a target's `init`, after the fuzzer has set its own hook.
pub fn allow_tokenizer_panics() {
    let fuzzer_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("/tokenizers-")) {
            fuzzer_hook(panic);
        }
    }));
}

/// The scratch folder of this process, in memory if the system allows it.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("interrogate-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder");
        folder
    })
}

/// Writes `bytes` to a file in the scratch folder.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    fs::write(&path, bytes).expect("a scratch file");
    path
}

/// Links the files of a fixture in a scratch folder, without those that `except` leaves to
/// the target.
pub fn fixture(name: &str, except: &[&str]) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    let folder = scratch().join(name.replace('/', "-"));
    if !folder.is_dir() {
        fs::create_dir(&folder).expect("a folder");
        for entry in fs::read_dir(&from).expect("the fixtures of the tests") {
            let entry = entry.expect("an entry");
            if !except.iter().any(|name| entry.file_name() == *name) {
                let whole = entry.path().canonicalize().expect("a path");
                symlink(whole, folder.join(entry.file_name())).expect("a link");
            }
        }
    }
    folder
}

/// The first byte and the rest; 0 and nothing if there is no byte.
pub fn first(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(&first, rest)| (first, rest))
}

/// The two parts around the first zero byte.
pub fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// A file with the framing of safetensors: the length of the header, the header, the rest.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    let (header, body) = halves(bytes);
    [&(header.len() as u64).to_le_bytes()[..], header, body].concat()
}

/// Bytes aligned to eight, as in a memory map.
pub struct Aligned {
    words: Vec<u64>,
    len: usize,
}

impl Aligned {
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Aligned { words, len: bytes.len() }
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.words.as_bytes()[..self.len]
    }
}

/// A zip file of stored entries with valid checksums (PKWARE's APPNOTE, 4.3).
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let start = file.len() as u32;
        let (size, crc) = (bytes.len() as u32, crc32fast::hash(bytes));
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, size, count) = (file.len() as u32, directory.len() as u32, entries.len() as u16);
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(size.to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// Reads numbers from the input; zero after its end.
pub struct Numbers<'a>(pub &'a [u8]);

impl Numbers<'_> {
    pub fn byte(&mut self) -> u8 {
        let (byte, rest) = first(self.0);
        self.0 = rest;
        byte
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub fn f32(&mut self) -> f32 {
        f32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}

/// Decodes an image file that begins with `magic`, and rejects others.
pub fn picture(magic: &[u8], bytes: &[u8]) -> Corpus {
    if !bytes.starts_with(magic) {
        return Corpus::Reject;
    }
    if let Ok(picture) = Picture::decode(bytes, Path::new("x")) {
        let (width, height) = (u64::from(picture.width()), u64::from(picture.height()));
        assert!(width * height <= PICTURE_PIXELS);
        assert_eq!(picture.rgb().len() as u64, width * height * 3);
        let pixels = Preprocess::default().pixels(&picture).expect("a crop of 224");
        assert_eq!(pixels.len(), 3 * 224 * 224);
    }
    let options = DecodeOptions {
        allow_truncated: true,
        background: Some([255; 3]),
        jpeg_draft: NonZeroU32::new(16),
    };
    if let Ok(picture) = Picture::decode_with(bytes, Path::new("x"), options, |_| ()) {
        let area = u64::from(picture.width()) * u64::from(picture.height());
        assert_eq!(picture.rgb().len() as u64, area * 3);
    }
    Corpus::Keep
}
