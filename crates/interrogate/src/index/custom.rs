//! A table that stands in no index: labels embedded just now.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::encoder::TextEncoder;
use crate::rank::Block;
use crate::rank::codes::Coding;
use crate::rank::device::Place;
use crate::{Device, Result};

/// Labels that are embedded together, between two calls of a progress.
const BATCH: usize = 2048;

/// Labels with their rows in memory, ranked as an index's tables are: rows rounded
/// to f16, with codes beside them.
#[derive(Clone, Debug)]
pub struct CustomTable {
    name: String,
    top: Option<u32>,
    labels: Vec<String>,
    dim: usize,
    rows: Vec<f16>,
    coding: Option<Coding>,
    place: Option<Place>,
}

impl CustomTable {
    /// Embeds `labels`. `top` is how many of them a prompt takes, where the list
    /// decides that. `progress` is called with the number of labels done.
    ///
    /// Cost: that of encoding. Memory: three bytes a value.
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
        let coding = (!rows.is_empty()).then(|| Coding::of(dim, &rows));
        Ok(CustomTable { name: name.to_owned(), top, labels, dim, rows, coding, place: None })
    }

    /// The same, to be ranked on `device`: rows go there at the first ranking.
    ///
    /// # Errors
    /// Those of [`Device::check`].
    pub fn on(mut self, device: Device) -> Result<Self> {
        self.place = (!device.is_cpu()).then(|| Place::new(device)).transpose()?;
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many of its labels a prompt takes; `None` where the prompt decides.
    pub fn top(&self) -> Option<u32> {
        self.top
    }

    /// The labels, in the order of the rows.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    #[cfg(test)]
    pub(super) fn set_place(&mut self, place: Place) {
        self.place = Some(place);
    }

    pub(super) fn block(&self) -> Block<'_> {
        Block { rows: &self.rows, codes: self.coding.as_ref().map(Coding::codes) }
    }
}
