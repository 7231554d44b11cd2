//! Mutations of a file, and the limits that its reader must keep.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::allocator::{Exclusive, exclusive, peak};

/// Most bytes of memory that a reader takes beyond the file's size.
const MEMORY: usize = 64 << 20;

/// Longest time of one read. These files take milliseconds; the machine may be busy or
/// stall, so that a slow read is repeated once.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A reader of the file at a path: returns what it read, or the error's message.
pub(crate) struct Reader<'a, T> {
    pub(crate) path: PathBuf,
    pub(crate) read: &'a dyn Fn(&Path) -> Result<T, String>,
    /// Most bytes of memory beyond the file's size.
    pub(crate) memory: usize,
    /// Only every `step`th offset is mutated.
    pub(crate) step: usize,
    /// Keeps other tests from allocating.
    pub(crate) _guard: Exclusive,
}

impl<'a, T: PartialEq + std::fmt::Debug> Reader<'a, T> {
    pub(crate) fn new(
        path: impl Into<PathBuf>,
        read: &'a dyn Fn(&Path) -> Result<T, String>,
    ) -> Self {
        Reader { path: path.into(), read, memory: MEMORY, step: 1, _guard: exclusive() }
    }

    /// Mutates every `step`th offset alone, for a slow reader.
    pub(crate) fn every(self, step: usize) -> Self {
        Reader { step, ..self }
    }

    /// Reads a file of `bytes` within the limits. `how` describes the mutation.
    fn read_within_limits(&self, bytes: &[u8], how: &str) -> Result<T, String> {
        fs::write(&self.path, bytes).unwrap();
        let reading = || {
            let start = Instant::now();
            let read = catch_unwind(AssertUnwindSafe(|| (self.read)(&self.path)));
            (read, start.elapsed())
        };
        let ((mut read, mut took), memory) = peak(reading);
        if took >= TIMEOUT {
            (read, took) = reading();
        }
        let name = self.path.file_name().unwrap().display();
        let Ok(read) = read else { panic!("{name}, {how}: a panic") };
        assert!(took < TIMEOUT, "{name}, {how}: {took:?}");
        assert!(memory <= bytes.len() + self.memory, "{name}, {how}: {memory} bytes of memory");
        if let Err(message) = &read {
            assert!(!message.trim().is_empty(), "{name}, {how}: an empty error");
        }
        read
    }

    /// Reads the file truncated at each offset; with each of its first `header` bytes
    /// changed by one bit, by all bits, to 0 and to 255; and extended by a byte and by a
    /// page. `wrong` is given the original result and that of a changed file, and returns
    /// true if the latter must not occur.
    pub(crate) fn mutate(&self, header: usize, wrong: impl Fn(&T, &T) -> bool) {
        let whole = fs::read(&self.path).unwrap();
        let right = self.read_within_limits(&whole, "whole").unwrap();
        let check = |bytes: &[u8], how: String| {
            if let Ok(read) = self.read_within_limits(bytes, &how)
                && wrong(&right, &read)
            {
                panic!("{}, {how}: read as {read:?}", self.path.display());
            }
        };
        for cut in (0..whole.len()).step_by(self.step) {
            check(&whole[..cut], format!("truncated at {cut}"));
        }
        let mut bytes = whole.clone();
        for at in (0..header.min(whole.len())).step_by(self.step) {
            let old = whole[at];
            for new in [old ^ 1 << (at % 8), !old, 0, 0xff] {
                bytes[at] = new;
                check(&bytes, format!("byte {at} from {old:#04x} to {new:#04x}"));
            }
            bytes[at] = old;
        }
        for more in [1, 4096] {
            let extended = [&whole[..], &vec![0; more]].concat();
            check(&extended, format!("extended by {more}"));
        }
        let again = self.read_within_limits(&whole, "whole again").unwrap();
        assert_eq!(again, right);
    }

    /// Reads a file of `bytes`, which must fail. Returns the error's message.
    pub(crate) fn refuses(&self, bytes: &[u8]) -> String {
        self.try_read(bytes).err().unwrap()
    }

    /// Reads a file of `bytes`.
    pub(crate) fn try_read(&self, bytes: &[u8]) -> Result<T, String> {
        self.read_within_limits(bytes, "constructed")
    }

    /// Reads a file of `bytes`, which must succeed.
    pub(crate) fn accepts(&self, bytes: &[u8]) -> T {
        self.try_read(bytes).unwrap()
    }
}

/// Allows any result: nothing in the file detects a change.
pub(crate) fn never<T>(_: &T, _: &T) -> bool {
    false
}

/// Allows only the original result or an error: the file has a checksum.
pub(crate) fn if_changed<T: PartialEq>(right: &T, read: &T) -> bool {
    right != read
}

/// The CRC-32 of zip and of PNG (ISO 3309), bit by bit.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
