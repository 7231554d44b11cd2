//! A build's report as text.

use std::fmt;

use super::escape;
use super::format::bytes;
use crate::report::{Report, TableReport};

/// Displays a [`Report`] in lines, names escaped.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a Report);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { labels, encoded, resumed, reused, imported, differing, tokens, .. } = self.0;
        if let Some(owner) = &self.0.killed_build {
            let owner = escape::line(&owner.to_string());
            writeln!(f, "took over from a build that was killed ({owner})")?;
        }
        if let Some(error) = &self.0.discarded {
            let error = escape::line(&error.to_string());
            writeln!(f, "the index that stood here could not be used: {error}")?;
        }
        for error in &self.0.refused {
            let error = escape::line(&error.to_string());
            writeln!(f, "a part of the build before could not be used: {error}")?;
        }
        writeln!(f, "index    {}", escape::line(&self.0.folder.to_string_lossy()))?;
        writeln!(f, "model    {}", escape::line(&self.0.model))?;
        for TableReport { name, labels, shards } in &self.0.tables {
            let plural = if *shards == 1 { "" } else { "s" };
            let name = escape::line(name);
            writeln!(f, "table    {name}: {labels} labels in {shards} shard{plural}")?;
        }
        let distinct = encoded + resumed + reused + imported;
        write!(
            f,
            "labels   {labels}, {distinct} of them distinct: {encoded} encoded ({tokens} tokens), {resumed} taken from a build before, {reused} from the index before"
        )?;
        match (imported, differing) {
            (0, _) => writeln!(f)?,
            (n, 0) => writeln!(f, ", {n} from caches")?,
            (n, lost) => writeln!(
                f,
                ", {n} from caches ({lost} rows of repeated labels differ from the first's, which is kept)"
            )?,
        }
        writeln!(f, "size     {}", bytes(self.0.bytes))?;
        write!(f, "time     {:.1} s", self.0.elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lock::LockOwner;

    #[test]
    fn report_is_displayed_in_lines() {
        let report = Report {
            folder: "indexes/m".into(),
            model: "m".into(),
            tables: vec![TableReport { name: "flavors".into(), labels: 6, shards: 1 }],
            labels: 6,
            encoded: 3,
            resumed: 1,
            reused: 1,
            imported: 0,
            differing: 0,
            tokens: 12,
            bytes: 10_240,
            elapsed: Duration::from_millis(1_250),
            killed_build: None,
            discarded: None,
            refused: Vec::new(),
        };
        let text = "index    indexes/m
model    m
table    flavors: 6 labels in 1 shard
labels   6, 5 of them distinct: 3 encoded (12 tokens), 1 taken from a build before, 1 from the index before
size     10.2 kB
time     1.2 s";
        assert_eq!(Summary(&report).to_string(), text);
        let owner = LockOwner { pid: 7, host: None, since: 0 };
        let after = Report { killed_build: Some(owner), ..report };
        assert!(Summary(&after).to_string().starts_with(
            "took over from a build that was killed (pid 7, since 1970-01-01 00:00 UTC)\nindex"
        ));
        let imported = Report { imported: 4, differing: 2, ..after };
        assert!(Summary(&imported).to_string().contains(
            "labels   6, 9 of them distinct: 3 encoded (12 tokens), 1 taken from a build before, \
             1 from the index before, 4 from caches (2 rows of repeated labels differ from the \
             first's, which is kept)\n"
        ));
    }
}
