//! A build's report as text.

use std::fmt;

use super::escape;
use super::format::bytes;
use crate::lock::LockOwner;
use crate::report::{PartReport, Report, TableReport};

/// Displays a [`Report`] in lines, names escaped.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a Report);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { labels, encoded, resumed, reused, imported, differing, tokens, .. } = self.0;
        write_killed(f, self.0.killed_build.as_ref())?;
        if let Some(error) = &self.0.discarded {
            let error = escape::line(&error.to_string());
            writeln!(f, "the index that stood here could not be used: {error}")?;
        }
        write_refused(f, &self.0.refused)?;
        writeln!(f, "index    {}", escape::line(&self.0.folder.to_string_lossy()))?;
        writeln!(f, "model    {}", escape::line(&self.0.model))?;
        for TableReport { name, labels, shards } in &self.0.tables {
            let plural = if *shards == 1 { "" } else { "s" };
            let name = escape::line(name);
            writeln!(f, "table    {name}: {labels} labels in {shards} shard{plural}")?;
        }
        let distinct = encoded + resumed + reused + imported + self.0.merged;
        write!(
            f,
            "labels   {labels}, {distinct} of them distinct: {encoded} encoded ({tokens} tokens), {resumed} taken from a build before, {reused} from the index before"
        )?;
        match (imported, differing) {
            (0, _) => {}
            (n, 0) => write!(f, ", {n} from caches")?,
            (n, lost) => write!(
                f,
                ", {n} from caches ({lost} rows of repeated labels differ from the first's, which is kept)"
            )?,
        }
        match self.0.merged {
            0 => writeln!(f)?,
            n => writeln!(f, ", {n} from parts")?,
        }
        writeln!(f, "size     {}", bytes(self.0.bytes))?;
        write!(f, "time     {:.1} s", self.0.elapsed.as_secs_f64())
    }
}

/// Displays a [`PartReport`] in lines, names escaped.
#[derive(Clone, Copy, Debug)]
pub struct PartSummary<'a>(pub &'a PartReport);

impl fmt::Display for PartSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartReport { part, distinct, encoded, resumed, tokens, .. } = self.0;
        write_killed(f, self.0.killed_build.as_ref())?;
        write_refused(f, &self.0.refused)?;
        writeln!(f, "part     {part} in {}", escape::line(&self.0.folder.to_string_lossy()))?;
        writeln!(f, "model    {}", escape::line(&self.0.model))?;
        let labels = encoded + resumed;
        writeln!(
            f,
            "labels   {labels} of {distinct} distinct ones: {encoded} encoded ({tokens} tokens), {resumed} taken from a build before"
        )?;
        writeln!(f, "size     {}", bytes(self.0.bytes))?;
        write!(f, "time     {:.1} s", self.0.elapsed.as_secs_f64())
    }
}

fn write_killed(f: &mut fmt::Formatter<'_>, owner: Option<&LockOwner>) -> fmt::Result {
    let Some(owner) = owner else { return Ok(()) };
    let owner = escape::line(&owner.to_string());
    writeln!(f, "took over from a build that was killed ({owner})")
}

fn write_refused(f: &mut fmt::Formatter<'_>, errors: &[interrogate::Error]) -> fmt::Result {
    errors.iter().try_for_each(|error| {
        let error = escape::line(&error.to_string());
        writeln!(f, "some rows of the build before could not be used: {error}")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::part::PartNumber;

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
            merged: 0,
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
        let merged =
            Report { merged: 5, imported: 0, encoded: 0, resumed: 0, reused: 0, ..imported };
        assert!(Summary(&merged).to_string().contains("labels   6, 5 of them distinct: 0 encoded"));
        assert!(Summary(&merged).to_string().contains("from the index before, 5 from parts\n"));
    }

    #[test]
    fn report_of_a_part_is_displayed_in_lines() {
        let report = PartReport {
            folder: "parts/m.part-2-of-8".into(),
            model: "m".into(),
            part: PartNumber::new(2, 8).unwrap(),
            distinct: 80,
            encoded: 9,
            resumed: 1,
            tokens: 50,
            bytes: 10_240,
            elapsed: Duration::from_millis(1_250),
            killed_build: None,
            refused: Vec::new(),
        };
        let text = "part     2/8 in parts/m.part-2-of-8
model    m
labels   10 of 80 distinct ones: 9 encoded (50 tokens), 1 taken from a build before
size     10.2 kB
time     1.2 s";
        assert_eq!(PartSummary(&report).to_string(), text);
    }
}
