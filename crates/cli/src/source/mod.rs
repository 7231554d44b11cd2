//! What is looked at: files, folders, globs, lists and archives become one
//! order of images.
//!
//! Owns which images there are, their names and their places in the order. What
//! is in them is for `stream`.

mod archive;
mod folder;
mod list;
mod members;
mod skipped;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use interrogate::picture::DecodeOptions;

use crate::args;
use crate::fault::Fault;
use crate::image_name::{self, Name};
pub(crate) use skipped::Skipped;

/// All images of a run, in their order.
#[derive(Debug)]
pub(crate) struct Source {
    entries: Vec<PathBuf>,
    /// Whether some of them are archives, so that nobody knows yet how many
    /// images there are.
    archives: bool,
    /// Folders among them that could not be read.
    unread: HashSet<PathBuf>,
    /// The file that named some.
    filelist: Option<PathBuf>,
    /// What folders hold besides, and what archives did in the last walk through them.
    skipped: Skipped,
    skipped_in_archives: Mutex<Skipped>,
    /// What is allowed of a damaged one.
    pub(crate) decode: DecodeOptions,
}

/// One image that is to be looked at.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its place among all images of the source, those left out included.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) body: Body,
}

/// Where an image's bytes are.
#[derive(Debug)]
pub(crate) enum Body {
    /// In the file of that path.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
    /// Nowhere: it is recorded as failed.
    Lost(interrogate::Error),
}

impl Source {
    /// The images that were typed, sorted by path, then those of the list in
    /// its own order; each once. A file that does not exist stays in, so that
    /// it fails alone.
    ///
    /// # Errors
    /// A folder or glob without an image, and what cannot be read.
    pub(crate) fn collect(args: &args::Images) -> Result<Self, Fault> {
        let stdin = Path::new("-");
        let (piped, typed): (Vec<_>, Vec<_>) =
            args.paths.iter().cloned().partition(|path| path == stdin);
        let (mut unread, mut skipped) = (HashSet::new(), Skipped::default());
        let mut entries = folder::collect(&typed, args.recursive, &mut unread, &mut skipped)?;
        if let Some(list) = &args.filelist {
            entries.extend(list::read(list, args.null)?);
        }
        if !piped.is_empty() && args.filelist.as_deref() != Some(stdin) {
            entries.extend(list::read(stdin, args.null)?);
        }
        let mut seen = HashSet::with_capacity(entries.len());
        entries.retain(|path| seen.insert(path.clone()));
        let archives = entries.iter().any(|path| archive::is_one(path));
        let (filelist, skipped_in_archives) = (args.filelist.clone(), Mutex::default());
        let decode = args.decoding.options();
        Ok(Source { entries, archives, unread, filelist, skipped, skipped_in_archives, decode })
    }

    /// How many images there are, where that is known before they are read.
    pub(crate) fn len(&self) -> Option<usize> {
        (!self.archives).then_some(self.entries.len())
    }

    /// Whether some images lie in archives.
    pub(crate) fn has_archives(&self) -> bool {
        self.archives
    }

    /// The files of images, and the archives.
    pub(crate) fn entries(&self) -> &[PathBuf] {
        &self.entries
    }

    /// The file that named some of them.
    pub(crate) fn filelist(&self) -> Option<&Path> {
        self.filelist.as_deref().filter(|list| *list != Path::new("-"))
    }

    /// What was skipped: in folders, and in archives by the last walk.
    pub(crate) fn skipped(&self) -> Option<String> {
        let mut skipped = self.skipped.clone();
        skipped.add(&self.skipped_in_archives.lock().unwrap_or_else(PoisonError::into_inner));
        skipped.summary()
    }

    /// Gives the images in their order, those that `wanted` refuses left out,
    /// until `give` breaks off.
    pub(crate) fn walk(
        &self,
        wanted: &dyn Fn(&Name) -> bool,
        give: &mut dyn FnMut(Image) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut skipped = Skipped::default();
        let flow = self.walk_counting(wanted, give, &mut skipped);
        *self.skipped_in_archives.lock().unwrap_or_else(PoisonError::into_inner) = skipped;
        flow
    }

    fn walk_counting(
        &self,
        wanted: &dyn Fn(&Name) -> bool,
        give: &mut dyn FnMut(Image) -> ControlFlow<()>,
        skipped: &mut Skipped,
    ) -> ControlFlow<()> {
        let mut number = 0;
        for path in &self.entries {
            if archive::is_one(path) {
                archive::walk(path, &mut number, wanted, give, skipped)?;
                continue;
            }
            let name = Name { text: image_name::text(path), file: Some(path.clone()) };
            if wanted(&name) {
                let body = match self.unread.contains(path) {
                    true => Body::Lost(unreadable(path)),
                    false => Body::File(path.clone()),
                };
                give(Image { number, name, body })?;
            }
            number += 1;
        }
        ControlFlow::Continue(())
    }
}

/// Why a folder cannot be read, asked once more.
fn unreadable(path: &Path) -> interrogate::Error {
    let kind = ErrorKind::PermissionDenied;
    let error = std::fs::read_dir(path).err().unwrap_or_else(|| kind.into());
    interrogate::Error::io("read", path)(error)
}
