//! Modules that stand side by side do not need each other in a circle, at any depth of
//! any of the three crates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::repository;
use crate::sources::{code, is_test, rust};

/// The names from a crate's root to a module or an item.
type Names = Vec<String>;

/// The paths that the code of each module names, without its tests, by the module's names.
struct Crate(BTreeMap<Names, Vec<Names>>);

impl Crate {
    fn open(src: &str) -> Self {
        let root = repository().join(src);
        let files = rust(src);
        let modules = files.iter().filter(|path| !is_test(path)).map(|path| {
            let paths = paths(&without_tests(path));
            (names_of(path.strip_prefix(&root).unwrap()), paths)
        });
        Crate(modules.collect())
    }

    /// The module that `path` leads to from the module `from`, through re-exports;
    /// `None` for another crate's, and for what is not a module's.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Names> {
        let (first, _) = path.split_first()?;
        let (mut at, mut rest): (Names, &[String]) = match first.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from[..from.len().checked_sub(1)?].to_vec(), &path[1..]),
            name if self.0.contains_key(&join(from, name)) => (from.to_vec(), path),
            _ => return None,
        };
        while let Some((name, left)) = rest.split_first() {
            match name.as_str() {
                "super" => drop(at.pop()),
                name if self.0.contains_key(&join(&at, name)) => at.push(name.to_owned()),
                name => match self.reexport(&at, name).filter(|_| depth < 8) {
                    Some(path) => return self.resolve(&at, path, depth + 1),
                    None => break,
                },
            }
            rest = left;
        }
        Some(at)
    }

    /// The path by which `module` imports `name`.
    fn reexport(&self, module: &[String], name: &str) -> Option<&Names> {
        let paths = self.0.get(module)?;
        paths.iter().find(|path| path.len() > 1 && path.last().is_some_and(|last| last == name))
    }

    /// For each folder: which of the modules in it need which others in it.
    fn needs(&self) -> BTreeMap<Names, BTreeMap<String, BTreeSet<String>>> {
        let mut folders: BTreeMap<Names, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (from, paths) in &self.0 {
            let found = paths.iter().filter_map(|path| self.resolve(from, path, 0));
            for to in found {
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                // A folder and what is in it are one thing.
                if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
                    let needs = folders.entry(from[..common].to_vec()).or_default();
                    needs.entry(a.clone()).or_default().insert(b.clone());
                }
            }
        }
        folders
    }
}

fn join(names: &[String], name: &str) -> Names {
    names.iter().cloned().chain([name.to_owned()]).collect()
}

/// `clip/openai/mod.rs` is `clip::openai`.
fn names_of(path: &Path) -> Names {
    let names = path.with_extension("");
    let mut names: Names = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}

/// The code of `path` without comments, tests and what only docs use.
fn without_tests(path: &Path) -> String {
    let mut text = String::new();
    let mut lines = code(path).into_iter();
    while let Some(line) = lines.next() {
        match line.trim() {
            "#[cfg(test)]" | "#[cfg(doc)]" => drop(lines.next()),
            line => text += &format!("{line}\n"),
        }
    }
    text
}

/// Every path of `use` declarations, with their groups spelled out, and every path that
/// begins with `crate`, `self` or `super`.
fn paths(code: &str) -> Vec<Names> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        let declares = line.is_empty() || line.starts_with("pub");
        if let Some(end) = code[at..].find(';').filter(|_| declares) {
            expand(&[], &code[at + 4..at + end], &mut found);
        }
    }
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let path = code[at..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c));
            let path: String = path.collect();
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
                found.push(path.split("::").filter(|n| !n.is_empty()).map(str::to_owned).collect());
            }
        }
    }
    found
}

/// Adds the paths of a tree such as `a::{b, c::{d, e}}` behind `before`.
fn expand(before: &[String], tree: &str, found: &mut Vec<Names>) {
    let tree = tree.trim();
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.rsplit_once('}').map(|(group, _)| group)),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let head = head.split("::").map(str::trim).filter(|name| !name.is_empty());
    let path: Names = before.iter().cloned().chain(head.map(str::to_owned)).collect();
    let Some(group) = group else {
        return found.push(path);
    };
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    expand(&path, &group[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn sibling_modules_form_no_circle() {
    for src in ["crates/interrogate/src", "crates/build-index/src", "crates/cli/src"] {
        for (folder, mut needs) in Crate::open(src).needs() {
            // Modules that need nothing that is left are removed, until none is.
            while let Some(free) = {
                let free =
                    |needed: &BTreeSet<String>| !needed.iter().any(|n| needs.contains_key(n));
                needs.iter().find(|(_, needed)| free(needed)).map(|(name, _)| name.clone())
            } {
                needs.remove(&free);
            }
            assert!(needs.is_empty(), "{src}/{}: a circle among {needs:#?}", folder.join("/"));
        }
    }
}

#[test]
fn the_graph_has_the_edges_that_the_code_has() {
    let needs = Crate::open("crates/interrogate/src").needs();
    let top = &needs[&Vec::new()];
    assert!(top["clip"].contains("nn") && top["nn"].contains("weights"));
    // Through `use super::{..}`, and through what a folder re-exports.
    assert!(top["pipeline"].contains("error"));
    let mut found = Vec::new();
    expand(&[], "crate::{a, b::{c as d, self}}", &mut found);
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["crate::a", "crate::b::c", "crate::b::self"]);
}
