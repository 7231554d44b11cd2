//! What folders and archives hold that is no image, counted by kind.

use std::collections::BTreeMap;
use std::path::Path;

use interrogate::picture::is_hidden;

/// Characters of an ending that is named. Longer ones are counted together.
const ENDING: usize = 8;

/// Endings that are counted each for itself, and of those the ones that are named.
const ENDINGS: usize = 64;
const NAMED: usize = 5;

/// Counts of what was skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Files by their ending in lower case, with its dot.
    endings: BTreeMap<String, usize>,
    /// Files without an ending, or with one that is not named.
    others: usize,
    hidden: usize,
    folders: usize,
    /// Folders where none are entered.
    plain_folders: usize,
    links: usize,
    repeated: usize,
}

impl Skipped {
    /// A file that does not end like an image.
    pub(super) fn file(&mut self, path: &Path) {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let plain = |ending: &&str| {
            ending.len() <= ENDING && ending.chars().all(|c| c.is_ascii_alphanumeric())
        };
        let ending = ending.filter(plain).map(|ending| format!(".{}", ending.to_ascii_lowercase()));
        match ending {
            Some(ending) if self.endings.len() < ENDINGS || self.endings.contains_key(&ending) => {
                *self.endings.entry(ending).or_default() += 1;
            }
            _ => self.others += 1,
        }
    }

    /// What lies beside the images of a folder whose own folders are never entered.
    pub(crate) fn entry(&mut self, path: &Path) {
        match path.file_name().is_some_and(is_hidden) {
            true => self.hidden(),
            false if path.is_dir() => self.plain_folders += 1,
            false => self.file(path),
        }
    }

    /// A hidden file or folder.
    pub(super) fn hidden(&mut self) {
        self.hidden += 1;
    }

    /// A folder that is not entered.
    pub(super) fn folder(&mut self) {
        self.folders += 1;
    }

    /// A symbolic link in an archive.
    pub(super) fn link(&mut self) {
        self.links += 1;
    }

    /// A member whose name another one of its archive had before.
    pub(super) fn repeated(&mut self) {
        self.repeated += 1;
    }

    pub(super) fn add(&mut self, other: &Skipped) {
        for (ending, count) in &other.endings {
            *self.endings.entry(ending.clone()).or_default() += count;
        }
        self.others += other.others;
        self.hidden += other.hidden;
        self.folders += other.folders;
        self.plain_folders += other.plain_folders;
        self.links += other.links;
        self.repeated += other.repeated;
    }

    /// `skipped 3 files: 2 .txt, 1 .json; 2 hidden`; `None` where nothing was.
    pub(crate) fn summary(&self) -> Option<String> {
        let mut kinds: Vec<_> = self.endings.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count)); // stable: equal ones by name
        let mut files: Vec<_> =
            kinds.iter().take(NAMED).map(|(ending, count)| format!("{count} {ending}")).collect();
        let named: usize = kinds.iter().take(NAMED).map(|(_, count)| **count).sum();
        let all = self.endings.values().sum::<usize>() + self.others;
        if all > named {
            files.push(format!("{} others", all - named));
        }
        let s = |count| if count == 1 { "" } else { "s" };
        let mut said = Vec::new();
        if all > 0 {
            said.push(format!("{all} file{}: {}", s(all), files.join(", ")));
        }
        let (folders, links, repeated) = (self.folders, self.links, self.repeated);
        let plain = self.plain_folders;
        let more = [
            (self.hidden, format!("{} hidden", self.hidden)),
            (folders, format!("{folders} folder{}, which --recursive enters", s(folders))),
            (plain, format!("{plain} folder{}", s(plain))),
            (links, format!("{links} symbolic link{} in archives", s(links))),
            (repeated, format!("{repeated} with the name of an earlier member",)),
        ];
        said.extend(more.into_iter().filter(|(count, _)| *count > 0).map(|(_, said)| said));
        (!said.is_empty()).then(|| format!("skipped {}", said.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_the_most_frequent_named() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.summary(), None);
        for name in ["a.txt", "b.TXT", "c.json"] {
            skipped.file(Path::new(name));
        }
        skipped.hidden();
        skipped.hidden();
        let said = "skipped 3 files: 2 .txt, 1 .json; 2 hidden";
        assert_eq!(skipped.summary().unwrap(), said);
        for name in ["README", "a.\u{1b}[2J", "a.verylongending", "d.a", "d.b", "d.c", "d.d"] {
            skipped.file(Path::new(name));
        }
        skipped.folder();
        let said = "skipped 10 files: 2 .txt, 1 .a, 1 .b, 1 .c, 1 .d, 4 others; 2 hidden; \
                    1 folder, which --recursive enters";
        assert_eq!(skipped.summary().unwrap(), said);
    }

    #[test]
    fn endings_without_number_take_bounded_memory() {
        let mut skipped = Skipped::default();
        (0..1000).for_each(|n| skipped.file(Path::new(&format!("a.{n}"))));
        assert_eq!((skipped.endings.len(), skipped.others), (ENDINGS, 1000 - ENDINGS));
    }
}
