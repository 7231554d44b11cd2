//! What a build has done.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use interrogate::index::TableEntry;

use crate::escape::on_one_line;
use crate::lock::Holder;
use crate::talk::bytes;

/// The account of one build.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The index's folder.
    pub folder: PathBuf,
    /// The model that it is of.
    pub model: String,
    /// Its tables, by name.
    pub tables: Vec<TableReport>,
    /// Labels of all tables.
    pub labels: usize,
    /// Labels that were encoded, each once however many tables hold it.
    pub encoded: usize,
    /// Labels whose rows an earlier build, stopped or killed, had left behind.
    pub resumed: usize,
    /// Labels whose rows the index held that stood here before.
    pub reused: usize,
    /// Labels whose rows caches of clip-interrogator had.
    pub imported: usize,
    /// Rows of these caches for labels that repeat another, and not its bits: they
    /// are not in the index.
    pub differing: usize,
    /// Tokens of the labels that were encoded.
    pub tokens: usize,
    /// Size of the index's files.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whose build, killed before its end, this one took over.
    pub took_over: Option<Holder>,
    /// Why the index that stood here could not be used, where there was one.
    pub discarded: Option<interrogate::Error>,
    /// Errors of rows from an earlier, interrupted build that could not be used. Their
    /// labels were encoded again.
    pub refused: Vec<interrogate::Error>,
}

/// One table of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: usize,
    /// Its shards.
    pub shards: usize,
}

impl TableReport {
    pub(crate) fn of(entry: &TableEntry) -> Self {
        TableReport { name: entry.name.clone(), labels: entry.labels, shards: entry.shards.len() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(holder) = &self.took_over {
            writeln!(
                f,
                "took over from a build that was killed ({})",
                on_one_line(&holder.to_string())
            )?;
        }
        if let Some(error) = &self.discarded {
            writeln!(
                f,
                "the index that stood here could not be used: {}",
                on_one_line(&error.to_string())
            )?;
        }
        for error in &self.refused {
            let error = on_one_line(&error.to_string());
            writeln!(f, "a part of the build before could not be used: {error}")?;
        }
        writeln!(f, "index    {}", on_one_line(&self.folder.to_string_lossy()))?;
        writeln!(f, "model    {}", on_one_line(&self.model))?;
        for TableReport { name, labels, shards } in &self.tables {
            let plural = if *shards == 1 { "" } else { "s" };
            let name = on_one_line(name);
            writeln!(f, "table    {name}: {labels} labels in {shards} shard{plural}")?;
        }
        let Report { labels, encoded, resumed, reused, imported, differing, tokens, .. } = self;
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
        writeln!(f, "size     {}", bytes(self.bytes))?;
        write!(f, "time     {:.1} s", self.elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_lines() {
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
            took_over: None,
            discarded: None,
            refused: Vec::new(),
        };
        let text = "index    indexes/m
model    m
table    flavors: 6 labels in 1 shard
labels   6, 5 of them distinct: 3 encoded (12 tokens), 1 taken from a build before, 1 from the index before
size     10.2 kB
time     1.2 s";
        assert_eq!(report.to_string(), text);
        let holder = Holder { pid: 7, host: None, since: 0 };
        let after = Report { took_over: Some(holder), ..report };
        assert!(after.to_string().starts_with(
            "took over from a build that was killed (pid 7, since 1970-01-01 00:00 UTC)\nindex"
        ));
        let imported = Report { imported: 4, differing: 2, ..after };
        assert!(imported.to_string().contains(
            "labels   6, 9 of them distinct: 3 encoded (12 tokens), 1 taken from a build before, \
             1 from the index before, 4 from caches (2 rows of repeated labels differ from the \
             first's, which is kept)\n"
        ));
    }
}
