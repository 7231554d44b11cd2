//! The files of a run: which it reads, which it writes, and that no two of them are one.
//!
//! A file is known by its device and inode where it exists, so that a symbolic or a hard
//! link is the file that it leads to, and by its folder and name where it does not yet.
//! Every command that writes a file checks here before it opens one for writing.
//!
//! Where names differ in case alone and the system takes them for one (macOS and Windows by
//! default), files that exist are told by their inodes, and others by their names in lower
//! case. Other file systems that ignore case are not known: two sidecars of `a.jpg` and
//! `A.png` are told apart there until the first exists.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::args;
use crate::fault::Fault;
use crate::file_id::Id;
use crate::opening;
use crate::sink::{self, Refused};

/// Links that are followed to a file that does not exist yet, as Linux has it.
const LINKS: usize = 40;

/// A place for a file: a folder and a name in it.
type Place = (usize, OsString);

/// Folders by number; each is resolved once.
#[derive(Default)]
struct Folders {
    typed: HashMap<PathBuf, usize>,
    real: HashMap<PathBuf, usize>,
}

impl Folders {
    /// Where `path` stands; a link is a place of its own.
    fn place(&mut self, path: &Path) -> Place {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let number = match self.typed.get(folder) {
            Some(number) => *number,
            None => {
                let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                let next = self.real.len();
                let number = *self.real.entry(real).or_insert(next);
                self.typed.insert(folder.to_owned(), number);
                number
            }
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        (number, folded(name))
    }

    /// Where a file written to `path` would come to stand: through links that lead to
    /// nothing yet.
    fn end(&mut self, path: &Path) -> Place {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Ok(next) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(Path::new("")).join(next);
        }
        self.place(&path)
    }
}

fn folded(name: &OsStr) -> OsString {
    match cfg!(any(target_os = "macos", windows)) {
        true => name.to_string_lossy().to_lowercase().into(),
        false => name.to_owned(),
    }
}

/// Files by what tells them apart, each with what it is in this run.
#[derive(Default)]
struct Known {
    ids: HashMap<Id, String>,
    places: HashMap<Place, String>,
}

impl Known {
    fn add(&mut self, folders: &mut Folders, path: &Path, what: &str) {
        if let Ok(id) = Id::of(path) {
            self.ids.insert(id, what.to_owned());
        }
        for place in [folders.place(path), folders.end(path)] {
            self.places.insert(place, what.to_owned());
        }
    }

    fn find(&self, folders: &mut Folders, path: &Path) -> Option<&str> {
        let by_id = Id::of(path).ok().and_then(|id| self.ids.get(&id));
        let by_place = |place| self.places.get(&place);
        let found = by_id.or_else(|| by_place(folders.place(path)));
        found.or_else(|| by_place(folders.end(path))).map(String::as_str)
    }
}

/// What a run reads and writes beside its images.
#[derive(Debug, Default)]
pub(crate) struct Files {
    reads: Vec<(PathBuf, &'static str)>,
    writes: Vec<(PathBuf, &'static str)>,
    /// Folders of indexes: nothing else is written there.
    indexes: Vec<PathBuf>,
}

impl Files {
    /// The run reads the file at `path`; `what` is said of it in errors.
    #[must_use]
    pub(crate) fn reading(mut self, path: &Path, what: &'static str) -> Self {
        self.reads.push((path.to_owned(), what));
        self
    }

    /// The run writes the file at `path`.
    #[must_use]
    pub(crate) fn writing(mut self, path: &Path, what: &'static str) -> Self {
        self.writes.push((path.to_owned(), what));
        self
    }

    /// The run reads the model that was named, where it is a folder or a file.
    #[must_use]
    pub(crate) fn model(mut self, name: Option<&str>) -> Self {
        let Some(path) = name.map(Path::new) else { return self };
        match fs::read_dir(path) {
            Ok(files) => {
                let files = files.flatten().map(|file| file.path()).filter(|path| is_models(path));
                self.reads.extend(files.map(|path| (path, "a file of the model")));
                self
            }
            Err(_) if path.is_file() => self.reading(path, "the model"),
            Err(_) => self, // compiled in, or a hub's
        }
    }

    /// The run reads an index, or builds it of dictionaries.
    #[must_use]
    pub(crate) fn source(mut self, source: &args::Source) -> Self {
        match &source.index {
            Some(folder) => self.indexes.push(folder.clone()),
            None => self.indexes.extend(opening::folders(Path::new(opening::INDEXES))),
        }
        let dictionaries = fs::read_dir(&source.dicts).into_iter().flatten().flatten();
        let texts = dictionaries.map(|file| file.path());
        let texts = texts.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
        self.reads.extend(texts.map(|path| (path, "a dictionary")));
        if source.dicts.is_file() {
            self.reads.push((source.dicts.clone(), "a dictionary"));
        }
        self.model(source.model.model.as_deref())
    }

    /// Refuses a run that would write over what it reads, or over what it writes itself.
    /// `images` are read; with `sidecars` a text is written beside each. Nothing is opened.
    ///
    /// Costs a system call an image where sidecars are written or a file to be written
    /// exists, two with sidecars; a folder is resolved once. Memory: some 150 bytes an
    /// image with sidecars, and none without.
    ///
    /// # Errors
    /// [`Refused::Input`], [`Refused::Index`], [`Refused::Twice`].
    pub(crate) fn check(&self, images: &[PathBuf], sidecars: bool) -> Result<(), Fault> {
        let mut folders = Folders::default();
        let (mut read, mut written) = (Known::default(), Known::default());
        // Terminals and devices are nobody's, and what was written to one is not read there.
        let is_lasting =
            |(path, _): &&(PathBuf, _)| fs::metadata(path).map_or(true, |file| file.is_file());
        for (path, what) in self.reads.iter().filter(is_lasting) {
            read.add(&mut folders, path, what);
        }
        for (path, what) in self.writes.iter().filter(is_lasting) {
            if let Some(what) = read.find(&mut folders, path) {
                return Err(input(path, what));
            }
            if let Some(first) = written.find(&mut folders, path) {
                return Err(twice(path, first, what));
            }
            self.apart_from_indexes(path)?;
            written.add(&mut folders, path, what);
        }
        // Only a file that exists is an image that exists; others are told by their names.
        let exist = self.writes.iter().any(|(path, _)| path.is_file());
        let names: Vec<_> = self.writes.iter().filter_map(|(path, _)| path.file_name()).collect();
        for image in images {
            let named = || image.file_name().is_some_and(|name| names.contains(&name));
            let is_written = (exist || named())
                && match Id::of(image) {
                    Ok(id) => written.ids.contains_key(&id),
                    Err(_) => written.find(&mut folders, image).is_some(),
                };
            if is_written {
                return Err(input(image, "an image"));
            }
        }
        match sidecars {
            true => beside(images, &mut folders, &read, &written),
            false => Ok(()),
        }
    }

    fn apart_from_indexes(&self, path: &Path) -> Result<(), Fault> {
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = build_index::durable::folder_of(&folder);
        let Ok(folder) = Id::of(folder) else { return Ok(()) };
        match self.indexes.iter().find(|index| Id::of(index).is_ok_and(|index| index == folder)) {
            Some(index) => {
                Err(Refused::Index { path: path.to_owned(), index: index.clone() }.into())
            }
            None => Ok(()),
        }
    }
}

/// Refuses sidecars of `images` that are another file of the run, or one another.
fn beside(
    images: &[PathBuf],
    folders: &mut Folders,
    read: &Known,
    written: &Known,
) -> Result<(), Fault> {
    let mut taken = HashMap::with_capacity(images.len());
    let (mut pictures, mut absent) = (HashSet::with_capacity(images.len()), HashSet::new());
    for image in images {
        match Id::of(image) {
            Ok(id) => drop(pictures.insert(id)),
            Err(_) => drop(absent.insert(folders.place(image))),
        }
    }
    let of = |image: &Path| format!("the sidecar of {}", image.display());
    for (number, image) in images.iter().enumerate() {
        let sidecar = sink::beside(image);
        // It takes the place of a link and leaves alone what that leads to.
        let (id, place) = (Id::of(&sidecar).ok(), folders.place(&sidecar));
        let known = |files: &Known| {
            let found = id.as_ref().and_then(|id| files.ids.get(id));
            found.or_else(|| files.places.get(&place)).cloned()
        };
        if let Some(what) = known(read) {
            return Err(input(&sidecar, &what));
        }
        if let Some(what) = known(written) {
            return Err(twice(&sidecar, &what, &of(image)));
        }
        if id.is_some_and(|id| pictures.contains(&id)) || absent.contains(&place) {
            return Err(input(&sidecar, "an image"));
        }
        match taken.entry(place) {
            Entry::Vacant(free) => drop(free.insert(number)),
            Entry::Occupied(first) => {
                let first = &images[*first.get()];
                // One image by two names of its folder has one sidecar.
                if folders.place(first) != folders.place(image) {
                    return Err(twice(&sidecar, &of(first), &of(image)));
                }
            }
        }
    }
    Ok(())
}

/// Whether a file in a model's folder is one that a model consists of.
fn is_models(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["safetensors", "bin", "pt", "pth", "json"].contains(&ending)
        || ["merges.txt", "vocab.txt"].contains(&name)
}

fn input(path: &Path, what: &str) -> Fault {
    Refused::Input { path: path.to_owned(), what: what.to_owned() }.into()
}

fn twice(path: &Path, first: &str, second: &str) -> Fault {
    let (first, second) = (first.to_owned(), second.to_owned());
    Refused::Twice { path: path.to_owned(), first, second }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files of these names.
    fn folder(names: &[&str]) -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        names.iter().for_each(|name| fs::write(root.join(name), "").unwrap());
        (folder, move |name: &str| root.join(name))
    }

    fn refused(result: Result<(), Fault>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_known_by_whatever_name() {
        let (_folder, path) = folder(&["a.jpg", "list", "other"]);
        let check = |output: &str| {
            let files = Files::default().reading(&path("list"), "the list");
            files.writing(&path(output), "the answers").check(&[path("a.jpg")], false)
        };
        for name in ["other", "none", "gone/none"] {
            check(name).unwrap();
        }
        let error = refused(check("./list"));
        let tail = "list: expected a file to write, found one that is read in this run (the list)";
        assert!(error.ends_with(tail), "{error}");
        for name in ["a.jpg", "./a.jpg"] {
            assert!(refused(check(name)).contains("read in this run (an image)"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_the_file_that_it_leads_to() {
        let (_folder, path) = folder(&["a.jpg"]);
        std::os::unix::fs::symlink("a.jpg", path("soft.jsonl")).unwrap();
        std::os::unix::fs::symlink("soft.jsonl", path("softer.jsonl")).unwrap();
        fs::hard_link(path("a.jpg"), path("hard.jsonl")).unwrap();
        for name in ["soft.jsonl", "softer.jsonl", "hard.jsonl"] {
            let files = Files::default().writing(&path(name), "the answers");
            assert!(refused(files.check(&[path("a.jpg")], false)).contains("(an image)"), "{name}");
        }
        // To a file that does not exist yet.
        std::os::unix::fs::symlink("new.html", path("to-new")).unwrap();
        let files = Files::default().writing(&path("to-new"), "the answers");
        let files = files.writing(&path("new.html"), "the report");
        let error = refused(files.check(&[], false));
        assert!(
            error.ends_with("new.html: the answers and the report would both be written there")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_device_may_be_read_and_written() {
        let null = Path::new("/dev/null");
        let files = Files::default().reading(null, "the list").writing(null, "the answers");
        files.writing(null, "the report").check(&[null.to_owned()], false).unwrap();
    }

    #[test]
    fn two_sidecars_at_one_place_are_refused() {
        let (_folder, path) = folder(&["p.jpg", "p.png", "q.jpg"]);
        Files::default().check(&[path("p.jpg"), path("q.jpg"), path("./p.jpg")], true).unwrap();
        let error = refused(Files::default().check(&[path("p.jpg"), path("p.png")], true));
        assert!(error.contains("p.txt: the sidecar of "), "{error}");
        let files = Files::default().writing(&path("q.txt"), "the answers");
        assert!(
            refused(files.check(&[path("q.jpg")], true)).contains("q.txt: the answers and the")
        );
        let files = Files::default().reading(&path("q.txt"), "the deny list");
        assert!(refused(files.check(&[path("q.jpg")], true)).contains("(the deny list)"));
    }

    #[test]
    fn a_sidecar_is_no_image() {
        let (_folder, path) = folder(&["photo.txt", "p.jpg"]);
        let error = refused(Files::default().check(&[path("photo.txt")], true));
        assert!(error.contains("read in this run (an image)"), "{error}");
        let named = [path("p.jpg"), path("p.txt")]; // the second does not exist
        assert!(refused(Files::default().check(&named, true)).contains("(an image)"));
    }

    /// Each folder is resolved once, however many images it holds.
    #[test]
    fn folders_are_resolved_once() {
        let (_folder, path) = folder(&[]);
        let mut folders = Folders::default();
        for image in 0..1000 {
            folders.place(&path(&format!("{image}.jpg")));
            folders.place(&path(&format!("./{image}.jpg")));
        }
        assert_eq!((folders.typed.len(), folders.real.len()), (1, 1));
    }
}
