//! The images of a run: files, folders, globs, lists, archives and Parquet files as one ordered
//! list.
//!
//! Owns the images' names and numbers. `stream` reads and decodes them.

mod archive;
mod archive_bytes;
mod folder;
mod list;
mod members;
mod parquet;
mod parquet_columns;
mod ranges;
mod sample;
mod skipped;
mod table;
#[cfg(test)]
mod tests;
mod url;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use interrogate::models::ImageClient;
use interrogate::picture::DecodeOptions;

use crate::args;
use crate::error::CliError;
use crate::fields::{self, Field, Value};
use crate::image_name::{self, Name};
use folder::Folders;
pub(crate) use skipped::Skipped;

/// All images of a run, in their order.
#[derive(Debug)]
pub(crate) struct Source {
    entries: Vec<PathBuf>,
    /// Whether some entries are archives or Parquet files, whose images are not counted in
    /// advance.
    archives: bool,
    /// The folders among the entries that cannot be read.
    unread: HashSet<PathBuf>,
    /// The value of `--filelist`.
    filelist: Option<PathBuf>,
    /// The other files in folders.
    skipped: Skipped,
    /// The other members of archives, counted by the last walk.
    skipped_in_archives: Mutex<Skipped>,
    /// Downloads images, with `--allow-urls`.
    client: Option<ImageClient>,
    /// Whether images carry the values that pass through.
    with_fields: bool,
    /// How images are decoded.
    pub(crate) decode: DecodeOptions,
}

/// An image that is not read yet.
#[derive(Debug)]
pub(crate) struct Image {
    /// The position among all images of the source, from 0; unwanted images count too.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) body: Body,
}

/// The encoded bytes of an image.
#[derive(Debug)]
pub(crate) enum Body {
    /// In a file, which is not read yet.
    File(PathBuf),
    /// At an address, which is not downloaded yet.
    Url(String),
    /// In memory.
    Bytes(Vec<u8>),
    /// Unreadable: the image fails with this error.
    Lost(interrogate::Error),
}

impl Source {
    /// Collects the images of the arguments, sorted by path, and then those of the list,
    /// in its order; duplicates are dropped. A missing file is kept, so that it fails
    /// alone.
    ///
    /// # Errors
    /// For a folder or glob without an image, and for what cannot be read.
    pub(crate) fn collect(args: &args::Images) -> Result<Self, CliError> {
        let stdin = Path::new("-");
        let (piped, named): (Vec<_>, Vec<_>) =
            args.paths.iter().cloned().partition(|path| path == stdin);
        let (urls, named): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|path| url::of(path).is_some());
        let reads_list = !piped.is_empty() || args.filelist.as_deref() == Some(stdin);
        if reads_list && named.iter().any(|path| archive::is_stdin(path)) {
            return Err(CliError::Arguments {
                message: format!("standard input cannot be both a list and {}", archive::STDIN),
                hint: "save the list to a file, and pass --filelist FILE".to_owned(),
            });
        }
        let folders = Folders { recursive: args.recursive, excluded: &args.exclude_dir };
        let (mut unread, mut skipped) = (HashSet::new(), Skipped::default());
        let mut entries = folder::collect(&named, &folders, &mut unread, &mut skipped)?;
        if !urls.is_empty() {
            entries.extend(urls);
            entries.sort();
        }
        if let Some(list) = &args.filelist {
            entries.extend(list::read(list, args.null)?);
        }
        if !piped.is_empty() && args.filelist.as_deref() != Some(stdin) {
            entries.extend(list::read(stdin, args.null)?);
        }
        let client = url::client(&entries, args.allow_urls)?;
        let mut unique = HashSet::with_capacity(entries.len());
        entries.retain(|path| unique.insert(path.clone()));
        let archives = entries.iter().any(|path| is_container(path));
        let (filelist, skipped_in_archives) = (args.filelist.clone(), Mutex::default());
        let decode = args.decoding.options();
        Ok(Source {
            entries,
            archives,
            unread,
            filelist,
            skipped,
            skipped_in_archives,
            client,
            with_fields: false,
            decode,
        })
    }

    /// Returns the source with the values that pass through, and their columns: those of the
    /// Parquet file, if that is the one entry; else the key, and of archives also the .json and
    /// .txt of each sample. Also returns the names of the other columns of the Parquet file.
    ///
    /// # Errors
    /// For a Parquet file that cannot be read, and one among other entries.
    pub(crate) fn with_fields(mut self) -> Result<(Self, Vec<Field>, Vec<String>), CliError> {
        self.with_fields = true;
        let is_parquet = |path: &&PathBuf| url::of(path).is_none() && parquet::is_parquet(path);
        match (self.entries.iter().find(is_parquet), self.entries.len()) {
            (Some(path), 1) => {
                let columns = parquet::Images::open(path)?.columns;
                Ok((self, columns.fields, columns.left_out))
            }
            (Some(path), _) => Err(CliError::Arguments {
                message: format!("{}: a Parquet file in a list of images", path.display()),
                hint: "name Parquet files themselves: each is an input".to_owned(),
            }),
            (None, _) if self.archives => Ok((self, sample::columns(), Vec::new())),
            (None, _) => Ok((self, vec![Field::text("key")], Vec::new())),
        }
    }

    /// Downloads the image at `url`.
    ///
    /// # Errors
    /// Those of [`ImageClient::fetch`].
    pub(crate) fn fetch(&self, url: &str) -> interrogate::Result<Vec<u8>> {
        match &self.client {
            Some(client) => client.fetch(url),
            // `collect` refuses addresses then.
            None => Err(interrogate::Error::mismatch(url, "image", "a file", "an address")),
        }
    }

    /// Returns whether some images are downloaded.
    pub(crate) fn has_urls(&self) -> bool {
        self.client.is_some()
    }

    /// Returns the number of images; `None` if some are in archives.
    pub(crate) fn len(&self) -> Option<usize> {
        (!self.archives).then_some(self.entries.len())
    }

    /// Returns whether a second walk finds no images, since the first has read them from
    /// standard input.
    pub(crate) fn is_read_once(&self) -> bool {
        self.entries.iter().any(|path| archive::is_stdin(path))
    }

    /// Returns whether some images are in archives.
    pub(crate) fn has_archives(&self) -> bool {
        self.archives
    }

    /// Returns the image files and the archives.
    pub(crate) fn entries(&self) -> &[PathBuf] {
        &self.entries
    }

    /// Returns the file of `--filelist`; `None` for stdin.
    pub(crate) fn filelist(&self) -> Option<&Path> {
        self.filelist.as_deref().filter(|list| *list != Path::new("-"))
    }

    /// Returns a summary of the files that are not images: those in folders, and those
    /// in archives after a walk.
    pub(crate) fn skipped(&self) -> Option<String> {
        let mut skipped = self.skipped.clone();
        skipped.add(&self.skipped_in_archives.lock().unwrap_or_else(PoisonError::into_inner));
        skipped.summary()
    }

    /// Passes the `wanted` images to `visit` in order, until it breaks.
    pub(crate) fn walk(
        &self,
        wanted: &dyn Fn(&Name) -> bool,
        visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut skipped = Skipped::default();
        let flow = self.walk_counting(wanted, visit, &mut skipped);
        *self.skipped_in_archives.lock().unwrap_or_else(PoisonError::into_inner) = skipped;
        flow
    }

    fn walk_counting(
        &self,
        wanted: &dyn Fn(&Name) -> bool,
        visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
        skipped: &mut Skipped,
    ) -> ControlFlow<()> {
        let mut number = 0;
        for path in &self.entries {
            let url = url::of(path);
            if url.is_none() && archive::is_archive(path) {
                archive::walk(path, &mut number, wanted, visit, skipped, self.with_fields)?;
                continue;
            }
            if url.is_none() && parquet::is_parquet(path) {
                parquet::walk(path, &mut number, wanted, visit)?;
                continue;
            }
            let file = url.is_none().then(|| path.clone());
            let mut name = Name::new(image_name::text(path), file);
            if self.with_fields {
                let last = path.file_name().map(|last| image_name::text(Path::new(last)));
                let key = |last: String| Value::Text(fields::key(&last).0.to_owned());
                name.fields = vec![last.map_or(Value::Missing, key)];
            }
            if wanted(&name) {
                let body = match url {
                    Some(url) => Body::Url(url.to_owned()),
                    None if self.unread.contains(path) => Body::Lost(unreadable(path)),
                    None => Body::File(path.clone()),
                };
                visit(Image { number, name, body })?;
            }
            number += 1;
        }
        ControlFlow::Continue(())
    }
}

/// Returns whether `path` is an archive or a Parquet file.
fn is_container(path: &Path) -> bool {
    url::of(path).is_none() && (archive::is_archive(path) || parquet::is_parquet(path))
}

/// Expands ranges of numbers and globs in `named`, sorted by path, without duplicates. Folders
/// stay, and so do missing files.
///
/// # Errors
/// For a glob that is invalid or matches nothing.
pub(crate) fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    folder::expand(named)
}

/// What an input of several images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKind {
    Archive,
    Parquet,
    Folder,
    List,
}

/// The endings of lists among the inputs of shards.
const LISTS: [&str; 4] = ["txt", "csv", "tsv", "list"];

/// Returns what the input at `path` is, by its ending; `None` for what has no several images, and
/// for standard input and addresses.
pub(crate) fn input_kind(path: &Path) -> Option<InputKind> {
    if path == Path::new("-") || archive::is_stdin(path) || url::of(path).is_some() {
        return None;
    }
    let ending = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    match () {
        () if path.is_dir() => Some(InputKind::Folder),
        () if archive::is_archive(path) => Some(InputKind::Archive),
        () if parquet::is_parquet(path) => Some(InputKind::Parquet),
        () if LISTS.iter().any(|list| ending.eq_ignore_ascii_case(list)) => Some(InputKind::List),
        () => None,
    }
}

/// Returns the error of reading the folder at `path` again.
fn unreadable(path: &Path) -> interrogate::Error {
    let kind = ErrorKind::PermissionDenied;
    let error = std::fs::read_dir(path).err().unwrap_or_else(|| kind.into());
    interrogate::Error::io("read", path)(error)
}

/// Visits the rest of the archive or Parquet file at `path`, which cannot be read, as one image
/// with its name.
fn lost(
    path: &Path,
    error: interrogate::Error,
    number: &mut usize,
    wanted: &dyn Fn(&Name) -> bool,
    visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let name = Name::new(image_name::text(path), None);
    *number += 1;
    if wanted(&name) {
        visit(Image { number: *number - 1, name, body: Body::Lost(error) })
    } else {
        ControlFlow::Continue(())
    }
}
