//! Lines of a list: numbered without a gap, without line ends, within the limit, and the
//! same for reads of any size.

#![no_main]

use std::io::{self, Read};
use std::path::Path;

use interrogate::input::{LineEnding, Text};
use interrogate_fuzz::first;
use libfuzzer_sys::fuzz_target;

/// Returns at most this many bytes per read.
struct ShortReads<'a>(&'a [u8], usize);

impl Read for ShortReads<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

/// The beginning and the text of each line before an error.
fn read(stream: impl Read, ends: LineEnding, longest: usize) -> Vec<(Vec<u8>, Option<String>)> {
    let Ok(text) = Text::new(Path::new("list"), stream, 1 << 12) else { return Vec::new() };
    let mut lines = text.lines(ends, longest);
    let mut found = Vec::new();
    while let Ok(Some(line)) = lines.next_line() {
        found.push((line.prefix().to_vec(), line.text().ok().map(str::to_owned)));
        assert!(line.number == found.len() && line.prefix().len() <= longest);
        assert_eq!(line.bytes().is_err(), line.is_truncated());
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    let (choice, text) = first(bytes);
    let ends = [LineEnding::Any, LineEnding::Newline, LineEnding::Nul][usize::from(choice) % 3];
    let longest = 1 + usize::from(choice >> 2);
    let lines = read(text, ends, longest);
    for (_, line) in &lines {
        let Some(line) = line else { continue };
        assert!(!line.contains('\0') && (ends == LineEnding::Nul || !line.contains('\n')));
        assert!(ends != LineEnding::Any || !line.contains('\r'));
    }
    for piece in [1, 3, 7] {
        assert_eq!(read(ShortReads(text, piece), ends, longest), lines);
    }
});
