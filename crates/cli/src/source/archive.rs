//! Archives of images: WebDataset's .tar, read from front to back.
//!
//! Nothing is unpacked to the disk, and one member is in memory at a time.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use interrogate::limits::PICTURE_BYTES;
use interrogate::{Error, Result, input};
use tar::{Archive, Entry};

use super::{Body, Image, Name, folder};

/// A tar's unit: headers and the end are whole blocks.
const BLOCK: u64 = 512;

/// Whether a path is an archive's, by its ending.
pub(super) fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}

/// Gives the images in the archive at `path` as [`super::Source::walk`] does. An
/// archive that cannot be read to its end is one image more, which is lost.
pub(super) fn walk(
    path: &Path,
    number: &mut usize,
    wanted: &dyn Fn(&Name) -> bool,
    give: &mut dyn FnMut(Image) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let read = input::open(path).and_then(|file| {
        let mut archive = Archive::new(BufReader::with_capacity(1 << 20, &file));
        let members = archive.entries().map_err(Error::io("read", path))?;
        for member in members {
            let Some(image) = image(path, *number, member, wanted)? else { continue };
            *number += 1;
            let Some(image) = image else { continue };
            if give(image).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        whole(path, &file)?;
        Ok(ControlFlow::Continue(()))
    });
    match read {
        Ok(flow) => flow,
        Err(error) => {
            let name = Name { text: super::text(path), file: None };
            *number += 1;
            match wanted(&name) {
                true => give(Image { number: *number - 1, name, body: Body::Lost(error) }),
                false => ControlFlow::Continue(()),
            }
        }
    }
}

/// The member as an image; `None` where it is none, `Some(None)` where it is not
/// wanted.
fn image<R: Read>(
    path: &Path,
    number: usize,
    member: io::Result<Entry<'_, R>>,
    wanted: &dyn Fn(&Name) -> bool,
) -> Result<Option<Option<Image>>> {
    let mut member = member.map_err(Error::io("read", path))?;
    let inner = member.path().map_err(Error::io("read", path))?.into_owned();
    if !member.header().entry_type().is_file() || !folder::is_image(&inner) {
        return Ok(None);
    }
    let inner = path.join(inner);
    let name = Name { text: super::text(&inner), file: None };
    if !wanted(&name) {
        return Ok(Some(None));
    }
    let size = member.size();
    if size > PICTURE_BYTES {
        let lost = Error::PictureTooLarge {
            path: inner,
            unit: "bytes",
            limit: PICTURE_BYTES,
            found: size,
        };
        return Ok(Some(Some(Image { number, name, body: Body::Lost(lost) })));
    }
    let mut bytes = Vec::new();
    member.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 != size {
        let found = format!("{} of {} is the last", bytes.len(), name.text);
        return Err(Error::mismatch(path, "archive cut short", format!("{size} bytes"), found));
    }
    Ok(Some(Some(Image { number, name, body: Body::Bytes(bytes) })))
}

/// Refuses an archive without the blocks of zeros that end it (POSIX.1-1988,
/// ustar): one that was cut between two members reads well to that point.
fn whole(path: &Path, mut file: &File) -> Result<()> {
    let len = file.seek(SeekFrom::End(0)).map_err(Error::io("read", path))?;
    let mut last = Vec::new();
    file.seek(SeekFrom::Start(len.saturating_sub(BLOCK))).map_err(Error::io("read", path))?;
    file.take(BLOCK).read_to_end(&mut last).map_err(Error::io("read", path))?;
    if last.len() as u64 == BLOCK && last.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    Err(Error::mismatch(path, "archive cut short", "a block of zeros at the end", "none"))
}
