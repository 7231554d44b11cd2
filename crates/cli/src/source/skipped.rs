//! Counts the files in folders and archives that are not images.

use std::collections::BTreeMap;
use std::path::Path;

use interrogate::picture::is_hidden;

/// The longest file ending that is counted by itself, in characters.
const ENDING: usize = 8;

/// The number of endings that are counted by themselves.
const ENDINGS: usize = 64;

/// The number of endings in a summary.
const LISTED: usize = 5;

/// Counts of skipped files and folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Files by ending, in lower case and with the dot.
    endings: BTreeMap<String, usize>,
    /// Files without an ending, or with one that is not counted by itself.
    others: usize,
    hidden: usize,
    folders: usize,
    excluded: usize,
    /// Folders of a command that never enters subfolders.
    plain_folders: usize,
    links: usize,
    repeated: usize,
}

impl Skipped {
    /// Counts a file without the ending of an image.
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

    /// Counts an entry of a folder whose subfolders are never entered.
    pub(crate) fn entry(&mut self, path: &Path) {
        match path.file_name().is_some_and(is_hidden) {
            true => self.hidden(),
            false if path.is_dir() => self.plain_folders += 1,
            false => self.file(path),
        }
    }

    /// Counts a hidden file or folder.
    pub(super) fn hidden(&mut self) {
        self.hidden += 1;
    }

    /// Counts a folder that is entered only with `--recursive`.
    pub(super) fn folder(&mut self) {
        self.folders += 1;
    }

    /// Counts a folder that `--exclude-dir` names.
    pub(super) fn excluded(&mut self) {
        self.excluded += 1;
    }

    /// Counts a symbolic link in an archive.
    pub(super) fn link(&mut self) {
        self.links += 1;
    }

    /// Counts a member with the name of an earlier member.
    pub(super) fn repeated(&mut self) {
        self.repeated += 1;
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &Skipped) {
        for (ending, count) in &other.endings {
            *self.endings.entry(ending.clone()).or_default() += count;
        }
        self.others += other.others;
        self.hidden += other.hidden;
        self.folders += other.folders;
        self.excluded += other.excluded;
        self.plain_folders += other.plain_folders;
        self.links += other.links;
        self.repeated += other.repeated;
    }

    /// Returns `skipped 3 files: 2 .txt, 1 .json; 2 hidden`; `None` if nothing was skipped.
    pub(crate) fn summary(&self) -> Option<String> {
        let mut kinds: Vec<_> = self.endings.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count)); // stable: equal ones by name
        let mut files: Vec<_> =
            kinds.iter().take(LISTED).map(|(ending, count)| format!("{count} {ending}")).collect();
        let listed: usize = kinds.iter().take(LISTED).map(|(_, count)| **count).sum();
        let all = self.endings.values().sum::<usize>() + self.others;
        if all > listed {
            files.push(format!("{} others", all - listed));
        }
        let s = |count| if count == 1 { "" } else { "s" };
        let mut parts = Vec::new();
        if all > 0 {
            parts.push(format!("{all} file{}: {}", s(all), files.join(", ")));
        }
        let (folders, links, repeated) = (self.folders, self.links, self.repeated);
        let plain = self.plain_folders;
        let more = [
            (self.hidden, format!("{} hidden", self.hidden)),
            (folders, format!("{folders} folder{}, which --recursive enters", s(folders))),
            (self.excluded, format!("{} excluded folder{}", self.excluded, s(self.excluded))),
            (plain, format!("{plain} folder{}", s(plain))),
            (links, format!("{links} symbolic link{} in archives", s(links))),
            (repeated, format!("{repeated} with the name of an earlier member")),
        ];
        parts.extend(more.into_iter().filter(|(count, _)| *count > 0).map(|(_, part)| part));
        (!parts.is_empty()).then(|| format!("skipped {}", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_lists_the_most_frequent_endings() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.summary(), None);
        for name in ["a.txt", "b.TXT", "c.json"] {
            skipped.file(Path::new(name));
        }
        skipped.hidden();
        skipped.hidden();
        let expected = "skipped 3 files: 2 .txt, 1 .json; 2 hidden";
        assert_eq!(skipped.summary().unwrap(), expected);
        for name in ["README", "a.\u{1b}[2J", "a.verylongending", "d.a", "d.b", "d.c", "d.d"] {
            skipped.file(Path::new(name));
        }
        skipped.folder();
        let expected = "skipped 10 files: 2 .txt, 1 .a, 1 .b, 1 .c, 1 .d, 4 others; 2 hidden; \
                    1 folder, which --recursive enters";
        assert_eq!(skipped.summary().unwrap(), expected);
    }

    #[test]
    fn number_of_counted_endings_is_bounded() {
        let mut skipped = Skipped::default();
        (0..1000).for_each(|n| skipped.file(Path::new(&format!("a.{n}"))));
        assert_eq!((skipped.endings.len(), skipped.others), (ENDINGS, 1000 - ENDINGS));
    }
}
