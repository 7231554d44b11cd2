//! What is done to a file, and what its reader must keep to.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::allocator::{Turn, alone, peak};

/// What a reader may take beside the file's own size.
const ROOM: usize = 64 << 20;

/// How long a reading may take. These files take milliseconds; the machine may be
/// busy, and even stand still for a while, so that one that took longer is tried
/// again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reader of the file at a path: what it read, or what it said.
pub(crate) struct Reader<'a, T> {
    pub(crate) path: PathBuf,
    pub(crate) read: &'a dyn Fn(&Path) -> Result<T, String>,
    /// How much it may take beside the file's size.
    pub(crate) room: usize,
    /// Of how many places one is tried.
    pub(crate) step: usize,
    /// The test's: what it makes for the reader counts for no other.
    pub(crate) _turn: Turn,
}

impl<'a, T: PartialEq + std::fmt::Debug> Reader<'a, T> {
    pub(crate) fn new(
        path: impl Into<PathBuf>,
        read: &'a dyn Fn(&Path) -> Result<T, String>,
    ) -> Self {
        Reader { path: path.into(), read, room: ROOM, step: 1, _turn: alone() }
    }

    /// The same at one of so many places, for a reader that takes long.
    pub(crate) fn every(self, step: usize) -> Self {
        Reader { step, ..self }
    }

    /// Reads a file of `bytes`. `how` says what was done to it.
    fn try_one(&self, bytes: &[u8], how: &str) -> Result<T, String> {
        fs::write(&self.path, bytes).unwrap();
        let reading = || {
            let start = Instant::now();
            let read = catch_unwind(AssertUnwindSafe(|| (self.read)(&self.path)));
            (read, start.elapsed())
        };
        let ((mut read, mut took), most) = peak(reading);
        if took >= PATIENCE {
            (read, took) = reading();
        }
        let name = self.path.file_name().unwrap().display();
        let Ok(read) = read else { panic!("{name}, {how}: a panic") };
        assert!(took < PATIENCE, "{name}, {how}: {took:?}");
        assert!(most <= bytes.len() + self.room, "{name}, {how}: {most} bytes of memory");
        if let Err(said) = &read {
            assert!(!said.trim().is_empty(), "{name}, {how}: an error without a word");
        }
        read
    }

    /// The file cut at each offset; flipped in each of its first `header` bytes, a
    /// bit, all bits, and to the ends of what a byte holds; grown by a byte and by a
    /// page. `wrong` tells an answer that must not come of a changed file.
    pub(crate) fn assault(&self, header: usize, wrong: impl Fn(&T, &T) -> bool) {
        let whole = fs::read(&self.path).unwrap();
        let right = self.try_one(&whole, "whole").unwrap();
        let check = |bytes: &[u8], how: String| {
            if let Ok(read) = self.try_one(bytes, &how)
                && wrong(&right, &read)
            {
                panic!("{}, {how}: read as {read:?}", self.path.display());
            }
        };
        for cut in (0..whole.len()).step_by(self.step) {
            check(&whole[..cut], format!("cut at {cut}"));
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
            let grown = [&whole[..], &vec![0; more]].concat();
            check(&grown, format!("grown by {more}"));
        }
        let again = self.try_one(&whole, "whole again").unwrap();
        assert_eq!(again, right);
    }

    /// One file of these bytes, which must not be read as anything.
    pub(crate) fn refuses(&self, bytes: &[u8]) -> String {
        self.tries(bytes).err().unwrap()
    }

    /// One file of these bytes, whatever comes of it.
    pub(crate) fn tries(&self, bytes: &[u8]) -> Result<T, String> {
        self.try_one(bytes, "made up")
    }

    /// One file of these bytes, which may be read.
    pub(crate) fn reads(&self, bytes: &[u8]) -> T {
        self.tries(bytes).unwrap()
    }
}

/// Any answer will do: nothing in the file tells that it was changed.
pub(crate) fn any<T>(_: &T, _: &T) -> bool {
    false
}

/// Only the answer of the whole file will do, or an error: the file has a
/// checksum.
pub(crate) fn other<T: PartialEq>(right: &T, read: &T) -> bool {
    right != read
}

/// The CRC-32 of zip and of PNG (ISO 3309), bit by bit.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
