//! part.json: what the rows of a part are rows of.

use std::path::Path;

use interrogate::index::format::{MAX_DIM, MAX_MANIFEST, is_table_name};
use interrogate::index::{Digest, ModelEntry};
use interrogate::{Error as LibraryError, input};
use serde::{Deserialize, Serialize};

use super::PartNumber;
use super::number::is_name;
use crate::durable::Draft;
use crate::error::PartError;
use crate::{Dictionary, Result};

/// The file's name in the part's folder.
pub(super) const MANIFEST: &str = "part.json";

/// The version of the format.
const FORMAT: u32 = 1;

/// The content of part.json. It is written when a part begins and, with the journal's size,
/// when it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartManifest {
    format: u32,
    /// The part's number, and the number of parts.
    part: [usize; 2],
    /// The name of the index's folder.
    pub(crate) name: String,
    pub(crate) model: ModelEntry,
    /// Values of a row.
    pub(crate) dim: usize,
    /// The maximum rows of a shard of the index.
    pub(crate) shard_rows: usize,
    /// All dictionaries, by table.
    pub(crate) tables: Vec<PartTable>,
    /// This part's share of the labels.
    pub(crate) plan: PartPlan,
    /// Bytes of the journal; `None` while the part is unfinished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) journal: Option<u64>,
    /// The digest of the same JSON without this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
}

/// A part's share of the distinct labels of all dictionaries, which are sorted by tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartPlan {
    /// Labels of a block.
    pub(crate) block: usize,
    /// Number of all distinct labels.
    pub(crate) distinct: usize,
    /// Number of labels before this part's.
    pub(crate) first: usize,
    /// Number of this part's labels.
    pub(crate) labels: usize,
}

/// A dictionary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartTable {
    pub(crate) name: String,
    pub(crate) labels: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) top: Option<u32>,
    /// [`Digest::of_labels`] of its labels.
    pub(crate) dictionary: Digest,
}

impl PartTable {
    /// Describes `dictionaries`, sorted by table.
    pub(crate) fn of(dictionaries: &[Dictionary]) -> Vec<Self> {
        let table = |dictionary: &Dictionary| PartTable {
            name: dictionary.table().to_owned(),
            labels: dictionary.labels().len(),
            top: dictionary.top(),
            dictionary: Digest::of_labels(dictionary.labels().iter()),
        };
        let mut tables: Vec<_> = dictionaries.iter().map(table).collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// Describes a table in a message; `None` where there is none of that name.
    pub(crate) fn describe(table: Option<&Self>) -> String {
        let Some(table) = table else { return "none".to_owned() };
        let digest: String = table.dictionary.to_string().chars().take(12).collect();
        let top = table.top.map_or_else(String::new, |top| format!(", top {top}"));
        format!("{} labels ({digest}){top}", table.labels)
    }
}

impl PartManifest {
    /// Returns the manifest of an unfinished part of the plan that the other arguments
    /// describe.
    pub(crate) fn new(
        part: PartNumber,
        name: &str,
        model: ModelEntry,
        dim: usize,
        shard_rows: usize,
        tables: Vec<PartTable>,
        plan: PartPlan,
    ) -> Self {
        let (part, name) = ([part.number(), part.of()], name.to_owned());
        PartManifest {
            format: FORMAT,
            part,
            name,
            model,
            dim,
            shard_rows,
            tables,
            plan,
            journal: None,
            sha256: None,
        }
    }

    /// Reads and checks the manifest in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// [`PartError::Damaged`]; [`LibraryError::Io`], [`LibraryError::Mismatch`] and
    /// [`LibraryError::Json`] for a file that cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let json = match input::read(&path, MAX_MANIFEST) {
            Err(LibraryError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            read => read?,
        };
        let not_json = |source| LibraryError::Json { path: path.clone(), source };
        let manifest: PartManifest = serde_json::from_slice(&json).map_err(not_json)?;
        manifest.check(&path)?;
        Ok(Some(manifest))
    }

    /// Writes the manifest in `folder`, in place of one that is there.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let sealed = PartManifest { sha256: Some(self.digest()?), ..self.clone() };
        let mut draft = Draft::create(folder)?;
        draft.append(&sealed.to_json()?)?;
        Ok(draft.persist(&folder.join(MANIFEST))?)
    }

    /// Which part it is.
    ///
    /// # Errors
    /// [`PartError::Number`], which [`open`](Self::open) has excluded.
    pub(crate) fn number(&self) -> Result<PartNumber, PartError> {
        PartNumber::new(self.part[0], self.part[1])
    }

    /// Returns the first property in which the plan of `other` differs, with the value here
    /// and there. Two parts of one plan have none. The part's number, its range and its
    /// state are not compared.
    pub(crate) fn difference(&self, other: &Self) -> Option<(String, String, String)> {
        let model = |m: &Self| {
            let start: String = m.model.fingerprint.chars().take(12).collect();
            format!("{} ({start})", m.model.id)
        };
        // The id of a model in a folder is its path, which may differ between machines.
        if self.model.fingerprint != other.model.fingerprint {
            return Some(("model".to_owned(), model(self), model(other)));
        }
        difference_of_tables(&self.tables, &other.tables).or_else(|| {
            let pairs = self.properties().into_iter().zip(other.properties());
            let mut differing = pairs.filter(|(here, there)| here != there);
            differing.next().map(|((what, here), (_, there))| (what.to_owned(), here, there))
        })
    }

    /// The properties that the parts of a build have in common, besides model and tables.
    fn properties(&self) -> [(&'static str, String); 6] {
        let precision = self.model.precision.clone();
        [
            ("precision", precision.unwrap_or_else(|| "f32".to_owned())),
            ("parts", self.part[1].to_string()),
            ("values of a row", self.dim.to_string()),
            ("rows of a shard", self.shard_rows.to_string()),
            ("labels of a block", self.plan.block.to_string()),
            ("distinct labels", self.plan.distinct.to_string()),
        ]
    }

    fn to_json(&self) -> Result<Vec<u8>> {
        let path = Path::new(MANIFEST).to_owned();
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|source| LibraryError::Json { path, source })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Returns the digest of this manifest without its `sha256` field.
    fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&PartManifest { sha256: None, ..self.clone() }.to_json()?))
    }

    fn check(&self, path: &Path) -> Result<()> {
        let damaged = |what, expected: &str, found: String| {
            let (path, expected) = (path.to_owned(), expected.to_owned());
            Err(PartError::Damaged { path, what, expected, found }.into())
        };
        if self.format != FORMAT {
            return damaged("format", &FORMAT.to_string(), self.format.to_string());
        }
        let digest = self.digest()?;
        if self.sha256 != Some(digest) {
            let found = self.sha256.map_or("none".to_owned(), |digest| digest.to_string());
            return damaged("sha256", &digest.to_string(), found);
        }
        // The checksum does not prevent forgery, so every field is checked.
        if let Err(PartError::Number { found, .. }) = self.number() {
            return damaged("part", "K of N parts", found);
        }
        if !is_name(&self.name) {
            return damaged("name", "a plain name", self.name.clone());
        }
        if !(1..=MAX_DIM).contains(&self.dim) {
            return damaged("dim", &format!("1 to {MAX_DIM}"), self.dim.to_string());
        }
        let PartPlan { block, distinct, first, labels } = self.plan;
        if self.shard_rows == 0 || block == 0 {
            return damaged("shard_rows and block", "at least 1", "0".to_owned());
        }
        if !self.tables.iter().all(|table| is_table_name(&table.name)) {
            return damaged("table name", "a plain name", "another".to_owned());
        }
        if first.checked_add(labels).is_none_or(|end| end > distinct) {
            let found = format!("{labels} after {first}");
            return damaged("labels", &format!("at most {distinct}"), found);
        }
        Ok(())
    }
}

/// Returns the first table that differs, as [`PartManifest::difference`] does.
pub(crate) fn difference_of_tables(
    here: &[PartTable],
    there: &[PartTable],
) -> Option<(String, String, String)> {
    let find = |tables: &[PartTable], name: &str| {
        PartTable::describe(tables.iter().find(|table| table.name == name))
    };
    here.iter().chain(there).find_map(|table| {
        let (a, b) = (find(here, &table.name), find(there, &table.name));
        (a != b).then(|| (format!("dictionary {}", table.name), a, b))
    })
}
