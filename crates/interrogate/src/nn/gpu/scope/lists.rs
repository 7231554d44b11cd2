//! Lists of rows on a device.

use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor};

use super::super::super::backend::RowLists;
#[cfg(feature = "cuda")]
use super::super::transfer::upload_ids;
use super::once;

/// A list of rows for each query.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    lists: RowLists,
    device: Device,
    longest: usize,
    padded: OnceLock<PaddedLists>,
    #[cfg(feature = "cuda")]
    packed: OnceLock<PackedLists>,
}

/// Lists padded to equal length, and the mask that excludes the padding: for candle's operations.
#[derive(Clone, Debug)]
pub(in crate::nn::gpu) struct PaddedLists {
    /// (queries, longest) in u32.
    pub(in crate::nn::gpu) rows: Tensor,
    /// (queries, longest, 1): 0, or minus infinity after a list's end.
    pub(in crate::nn::gpu) mask: Tensor,
}

/// Lists one after the other: for the kernels.
#[cfg(feature = "cuda")]
#[derive(Clone, Debug)]
pub(in crate::nn::gpu) struct PackedLists {
    /// The start and the end of each list, (queries, 2) in u32, and then the lists.
    pub(in crate::nn::gpu) numbers: Tensor,
    /// The number of rows that the lists need: one more than the greatest row number.
    pub(in crate::nn::gpu) rows: usize,
}

impl Lists {
    pub(in crate::nn::gpu) fn new(lists: RowLists, device: &Device) -> Self {
        Lists {
            longest: lists.longest(),
            lists,
            device: device.clone(),
            padded: OnceLock::new(),
            #[cfg(feature = "cuda")]
            packed: OnceLock::new(),
        }
    }

    /// Number of queries.
    pub(in crate::nn::gpu) fn len(&self) -> usize {
        self.lists.len()
    }

    /// The length of the longest list.
    pub(in crate::nn::gpu) fn longest(&self) -> usize {
        self.longest
    }

    /// The length of the list of a query.
    pub(in crate::nn::gpu) fn length(&self, query: usize) -> usize {
        self.lists.get(query).len()
    }

    pub(in crate::nn::gpu) fn padded(&self) -> Result<&PaddedLists> {
        once(&self.padded, || {
            let (queries, longest) = (self.len(), self.longest);
            let mut rows = vec![0u32; queries * longest];
            let mut mask = vec![f32::NEG_INFINITY; queries * longest];
            for query in 0..queries {
                let list = self.lists.get(query);
                rows[query * longest..][..list.len()].copy_from_slice(list);
                mask[query * longest..][..list.len()].fill(0.0);
            }
            Ok(PaddedLists {
                rows: Tensor::from_vec(rows, (queries, longest), &self.device)?,
                mask: Tensor::from_vec(mask, (queries, longest, 1), &self.device)?,
            })
        })
    }

    #[cfg(feature = "cuda")]
    pub(in crate::nn::gpu) fn packed(&self) -> Result<&PackedLists> {
        once(&self.packed, || {
            let queries = self.len();
            let total: usize = (0..queries).map(|query| self.length(query)).sum();
            // The kernel counts beyond the end of a list, by a few steps.
            if i32::try_from(total).is_err() {
                candle_core::bail!("too many rows in the lists of a batch: {total}");
            }
            let mut numbers = Vec::with_capacity(2 * queries + total);
            let mut end = 0;
            for query in 0..queries {
                numbers.push(end);
                end += self.length(query) as u32;
                numbers.push(end);
            }
            (0..queries).for_each(|query| numbers.extend_from_slice(self.lists.get(query)));
            let rows = numbers[2 * queries..].iter().max().map_or(0, |&row| row as usize + 1);
            let numbers = upload_ids(&numbers, numbers.len(), &self.device)?;
            Ok(PackedLists { numbers, rows })
        })
    }
}
