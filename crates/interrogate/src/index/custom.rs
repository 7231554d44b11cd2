//! A table of the user's own labels, embedded at run time and held in memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::encoder::TextEncoder;
use crate::error::RowsError;
use crate::rank::Block;
use crate::rank::codes::Coding;
use crate::rank::device::DeviceRanker;
use crate::{Device, Error, Result};

/// Labels that are embedded in one batch, between two progress reports.
const BATCH: usize = 2048;

/// Labels with their rows in memory. Ranked like a table of an index: rows are rounded to
/// f16 and have quantized codes.
#[derive(Clone, Debug)]
pub struct CustomTable {
    name: String,
    top: Option<u32>,
    labels: Vec<String>,
    dim: usize,
    rows: Vec<f16>,
    coding: Option<Coding>,
    ranker: Option<DeviceRanker>,
}

impl CustomTable {
    /// Embeds `labels`. `top` is the number of labels in a prompt, or `None` if the prompt
    /// decides. Calls `progress` with the number of labels done.
    ///
    /// Uses three bytes of memory a value.
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode`].
    pub fn encode(
        name: &str,
        top: Option<u32>,
        labels: Vec<String>,
        encoder: &dyn TextEncoder,
        mut progress: impl FnMut(usize),
    ) -> Result<Self> {
        let dim = encoder.dim();
        let mut rows = vec![f16::ZERO; labels.len() * dim];
        let batches = labels.chunks(BATCH).zip(rows.chunks_mut(BATCH * dim.max(1)));
        for (number, (labels, rows)) in batches.enumerate() {
            let texts: Vec<&str> = labels.iter().map(String::as_str).collect();
            rows.convert_from_f32_slice(encoder.encode(&texts)?.as_slice());
            progress(number * BATCH + labels.len());
        }
        Ok(CustomTable { top, ..Self::from_rows(name, labels, dim, rows)? })
    }

    /// Creates a table of rows (labels, `dim`) that are embedded already: unit rows, rounded to
    /// f16. It has no number of labels in a prompt.
    ///
    /// Computes the quantized codes, and uses three bytes of memory a value.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if `rows` does not hold `dim` values for each label.
    pub fn from_rows(name: &str, labels: Vec<String>, dim: usize, rows: Vec<f16>) -> Result<Self> {
        if labels.len().checked_mul(dim) != Some(rows.len()) {
            let (expected, found) = (labels.len().saturating_mul(dim), rows.len());
            return Err(Error::Rows(RowsError::Dim { what: "a table", expected, found }));
        }
        let coding = (!rows.is_empty()).then(|| Coding::of(dim, &rows));
        let name = name.to_owned();
        Ok(CustomTable { name, top: None, labels, dim, rows, coding, ranker: None })
    }

    /// Ranks the table on `device` from now on. The first ranking copies the rows there.
    ///
    /// # Errors
    /// Those of [`Device::check`].
    pub fn on(mut self, device: Device) -> Result<Self> {
        self.ranker = (!device.is_cpu()).then(|| DeviceRanker::new(device)).transpose()?;
        Ok(self)
    }

    /// Returns the table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of labels in a prompt, or `None` if the prompt decides.
    pub fn top(&self) -> Option<u32> {
        self.top
    }

    /// Returns the labels, in the order of the rows.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn ranker(&self) -> Option<&DeviceRanker> {
        self.ranker.as_ref()
    }

    #[cfg(test)]
    pub(super) fn set_ranker(&mut self, ranker: DeviceRanker) {
        self.ranker = Some(ranker);
    }

    pub(super) fn block(&self) -> Block<'_> {
        Block { rows: &self.rows, codes: self.coding.as_ref().map(Coding::codes) }
    }
}
