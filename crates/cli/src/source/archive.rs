//! Archives of images: WebDataset's .tar, read from front to back.
//!
//! Nothing is unpacked to the disk, and one member is in memory at a time. A member is
//! called by its archive's path and its own name below that, whatever that begins with: no
//! file is ever opened by it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use interrogate::limits::PICTURE_BYTES;
use interrogate::picture::{has_image_extension, is_hidden};
use interrogate::{Error, Result};

use super::members::{Kind, Member, Members};
use super::skipped::Skipped;
use super::{Body, Image};
use crate::image_name::{self, Name};

/// Whether a path is an archive's, by its ending.
pub(super) fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}

/// Gives the images in the archive at `path` as [`super::Source::walk`] does, and counts
/// the rest. An archive that cannot be read to its end, and one without an image, is one
/// image more, which is lost.
pub(super) fn walk(
    path: &Path,
    number: &mut usize,
    wanted: &dyn Fn(&Name) -> bool,
    give: &mut dyn FnMut(Image) -> ControlFlow<()>,
    skipped: &mut Skipped,
) -> ControlFlow<()> {
    let before = *number;
    let mut read = || -> Result<ControlFlow<()>> {
        let mut members = Members::open(path)?;
        let mut known = Known::default();
        while let Some(member) = members.next()? {
            let Some(name) = known.name(path, &member, skipped) else { continue };
            if wanted(&name) {
                let body = body(&mut members, member, &name, &known)?;
                if give(Image { number: *number, name, body }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            *number += 1;
        }
        match *number == before {
            true => Err(Error::mismatch(path, "images", "at least one", "none")),
            false => Ok(ControlFlow::Continue(())),
        }
    };
    let error = match read() {
        Ok(flow) => return flow,
        Err(error) => error,
    };
    let name = Name { text: image_name::text(path), file: None };
    *number += 1;
    match wanted(&name) {
        true => give(Image { number: *number - 1, name, body: Body::Lost(error) }),
        false => ControlFlow::Continue(()),
    }
}

/// Members that came before, by the hash of their names. Hashes are keyed by chance: that
/// two names of a million have one is as likely as 1 in 10^7.
#[derive(Default)]
struct Known {
    hasher: RandomState,
    /// Where the content of each is: its beginning and its bytes; none where it has none.
    contents: HashMap<u64, Option<(u64, u64)>>,
}

impl Known {
    /// The name of the member as an image's, where it is one that is taken; else it is
    /// counted.
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
            () if inner.iter().any(is_hidden_but_dots) => skipped.hidden(),
            () if member.kind == Kind::SymbolicLink => skipped.link(),
            () if !has_image_extension(&inner) => skipped.file(&inner),
            () if repeated => skipped.repeated(),
            () => return Some(Name { text: image_name::text(&archive.join(inner)), file: None }),
        }
        None
    }

    /// Where the content of the member of this name is, if it came before.
    fn target(&self, name: &[u8]) -> Option<(u64, u64)> {
        self.contents.get(&self.hasher.hash_one(below(name))).copied().flatten()
    }
}

/// The content of a member that is wanted.
fn body(members: &mut Members<'_>, member: Member, name: &Name, known: &Known) -> Result<Body> {
    let lost = |expected: &str, found: String| {
        Ok(Body::Lost(Error::mismatch(&name.text, "member", expected, found)))
    };
    let content = match &member.kind {
        Kind::Sparse => return lost("a file that is stored whole", "a sparse one".into()),
        Kind::HardLink(target) => match known.target(target) {
            Some(content) => content,
            None => {
                let target = image_name::text(&below(target));
                return lost("a hard link to a file before it", format!("one to {target}"));
            }
        },
        _ => (member.at, member.size),
    };
    let (at, size) = content;
    if size > PICTURE_BYTES {
        let path = PathBuf::from(&name.text);
        let lost =
            Error::PictureTooLarge { path, unit: "bytes", limit: PICTURE_BYTES, found: size };
        return Ok(Body::Lost(lost));
    }
    members.read(&name.text, at, size).map(Body::Bytes)
}

/// A member's name as a path that begins nowhere: of `/data/0.jpg` and `./data/0.jpg` it is
/// `data/0.jpg`. `..` stays, as it tells two members apart.
fn below(name: &[u8]) -> PathBuf {
    let parts = name.split(|&byte| byte == b'/').filter(|part| !matches!(part, [] | [b'.']));
    parts.map(part).collect()
}

#[cfg(unix)]
fn part(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

/// What would begin anew in a path of this system stays within its part.
#[cfg(not(unix))]
fn part(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).replace(['\\', ':'], "_").into()
}

fn is_hidden_but_dots(part: &std::ffi::OsStr) -> bool {
    part != ".." && is_hidden(part)
}
