//! Archives of images: WebDataset's .tar, .tar.gz and tar on standard input, read from front to
//! back.
//!
//! Nothing is extracted to the disk, and one member is in memory at a time. The name of a
//! member is the archive's path and the member's path below it. No file is opened by that
//! name, so a member cannot escape the archive with `..` or an absolute path.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use interrogate::error::PictureError;
use interrogate::limits::PICTURE_BYTES;
use interrogate::picture::{has_image_extension, is_hidden};
use interrogate::{Error, Result};

use super::archive_bytes::ArchiveBytes;
use super::members::{Kind, Member, Members, below};
use super::sample::Sample;
use super::skipped::Skipped;
use super::{Body, Image};
use crate::image_name::{self, Name};

/// The argument for an archive on standard input.
pub(super) const STDIN: &str = "tar:-";

/// The endings of archives.
const ENDINGS: [&[u8]; 3] = [b".tar", b".tar.gz", b".tgz"];

/// Returns whether `path` has the ending of an archive, or is [`STDIN`].
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let ends_with = |ending: &&[u8]| {
        let start = name.len().checked_sub(ending.len());
        start.is_some_and(|start| start > 0 && name[start..].eq_ignore_ascii_case(ending))
    };
    ENDINGS.iter().any(ends_with) || is_stdin(path)
}

/// Returns whether `path` is [`STDIN`].
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Passes the images of the archive at `path` to `visit`, as [`super::Source::walk`] does,
/// and counts the other members in `skipped`. An archive that is damaged or without an
/// image adds one more image, which fails. With `samples`, images carry their key and the texts
/// beside them.
pub(super) fn walk(
    path: &Path,
    number: &mut usize,
    wanted: &dyn Fn(&Name) -> bool,
    visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
    skipped: &mut Skipped,
    samples: bool,
) -> ControlFlow<()> {
    let before = *number;
    let mut sample = samples.then(Sample::default);
    let mut read = || -> Result<ControlFlow<()>> {
        let mut members = Members::new(if is_stdin(path) {
            ArchiveBytes::stream(path, io::stdin())?
        } else {
            ArchiveBytes::open(path)?
        });
        let mut earlier = Earlier::default();
        while let Some(member) = members.next()? {
            if let Some(sample) = &mut sample {
                if sample.ends_before(&member) && sample.end(visit).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                if sample.read(&mut members, &member)? {
                    continue;
                }
            }
            let Some(name) = earlier.name(path, &member, skipped) else { continue };
            if wanted(&name) {
                let body = body(&mut members, member, &name, &earlier)?;
                let image = Image { number: *number, name, body };
                if let Some(sample) = &mut sample {
                    sample.push(image);
                } else if visit(image).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            *number += 1;
        }
        if *number == before {
            Err(Error::mismatch(path, "images", "at least one", "none"))
        } else {
            Ok(ControlFlow::Continue(()))
        }
    };
    let read = read();
    if let (Some(mut sample), Ok(ControlFlow::Continue(())) | Err(_)) = (sample, &read) {
        sample.end(visit)?;
    }
    match read {
        Ok(flow) => flow,
        Err(error) => super::lost(path, error, number, wanted, visit),
    }
}

/// The earlier members of an archive by the hash of their names. Hashes are randomly
/// keyed: a collision among a million names has a probability of about 10^-7.
#[derive(Default)]
struct Earlier {
    hasher: RandomState,
    /// The offset and length in bytes of each member's content; `None` without content.
    contents: HashMap<u64, Option<(u64, u64)>>,
}

impl Earlier {
    /// Returns the name of the member if it is an image, and counts it in `skipped` if not.
    fn name(&mut self, archive: &Path, member: &Member, skipped: &mut Skipped) -> Option<Name> {
        let inner = below(&member.name);
        let key = self.hasher.hash_one(&inner);
        let content = match &member.kind {
            Kind::File => Some((member.at, member.size)),
            Kind::HardLink(target) => self.target(target),
            _ => None,
        };
        if member.kind == Kind::Other {
            return None;
        }
        let repeated = self.contents.contains_key(&key);
        self.contents.entry(key).or_insert(content);
        match () {
            () if inner.iter().any(is_hidden_part) => skipped.hidden(),
            () if member.kind == Kind::SymbolicLink => skipped.link(),
            () if !has_image_extension(&inner) => skipped.file(&inner),
            () if repeated => skipped.repeated(),
            () => return Some(Name::new(image_name::text(&archive.join(inner)), None)),
        }
        None
    }

    /// Returns the offset and length of the content of the earlier member `name`.
    fn target(&self, name: &[u8]) -> Option<(u64, u64)> {
        self.contents.get(&self.hasher.hash_one(below(name))).copied().flatten()
    }
}

/// Reads the content of a wanted member.
fn body(members: &mut Members<'_>, member: Member, name: &Name, earlier: &Earlier) -> Result<Body> {
    let unreadable = |expected: &str, found: String| {
        Ok(Body::Lost(Error::mismatch(&name.text, "member", expected, found)))
    };
    let content = match &member.kind {
        Kind::Sparse => return unreadable("a file that is stored whole", "a sparse one".into()),
        Kind::HardLink(target) if members.is_read_once() => {
            let target = image_name::text(&below(target));
            let expected = "a file, since gzip and standard input are read once";
            return unreadable(expected, format!("a hard link to {target}"));
        }
        Kind::HardLink(target) => match earlier.target(target) {
            Some(content) => content,
            None => {
                let target = image_name::text(&below(target));
                return unreadable("a hard link to a file before it", format!("one to {target}"));
            }
        },
        _ => (member.at, member.size),
    };
    let (at, size) = content;
    if size > PICTURE_BYTES {
        let path = PathBuf::from(&name.text);
        let error = Error::Picture(PictureError::TooLarge {
            path,
            unit: "bytes",
            limit: PICTURE_BYTES,
            found: size,
        });
        return Ok(Body::Lost(error));
    }
    members.read(&name.text, at, size).map(Body::Bytes)
}

/// Returns whether a part of a path is hidden; `..` is not.
fn is_hidden_part(part: &std::ffi::OsStr) -> bool {
    part != ".." && is_hidden(part)
}
