//! A device for the rankings of one table.

use std::sync::{Arc, Mutex, PoisonError};

use super::Resident;
use crate::encoder::Features;
use crate::rank::{Hit, Order, Rows};
use crate::{Device, Result};

/// Ranks one table on a device. The first ranking copies the rows, which then stay there; clones
/// share them.
#[derive(Clone, Debug)]
pub struct DeviceRanker {
    device: Device,
    candle: candle_core::Device,
    resident: Arc<Mutex<Option<Arc<Resident>>>>,
}

impl DeviceRanker {
    /// Opens `device`. Copies nothing yet.
    ///
    /// # Errors
    /// As of [`Device::check`].
    pub fn new(device: Device) -> Result<Self> {
        let candle = device.open()?;
        #[cfg(feature = "cuda")]
        if let candle_core::Device::Cuda(device) = &candle {
            crate::cuda::warm_up(device, vec![super::cuda::source()]);
        }
        Ok(DeviceRanker { device, candle, resident: Arc::default() })
    }

    /// A ranker on a device of candle, for tests without a GPU.
    #[cfg(test)]
    pub(crate) fn of_handle(candle: candle_core::Device) -> Self {
        DeviceRanker { device: Device::Cuda(0), candle, resident: Arc::default() }
    }

    /// Returns a ranker on the same device for another table.
    #[must_use]
    pub fn for_other_table(&self) -> Self {
        DeviceRanker { device: self.device, candle: self.candle.clone(), resident: Arc::default() }
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Returns the same as [`Rows::top_k`]. `rows` must be the same table at every call. The
    /// first ranking copies as many rows as fit in three quarters of the device's free memory.
    ///
    /// # Errors
    /// As of [`Resident::new`] and [`Resident::top_k`].
    pub fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Hit>>> {
        let resident = {
            // Ignore lock poisoning: the slot has a whole table or none.
            let mut slot = self.resident.lock().unwrap_or_else(PoisonError::into_inner);
            match &*slot {
                Some(resident) => resident.clone(),
                None => {
                    let bytes = free(&self.candle).map_or(u64::MAX, |free| free / 4 * 3);
                    slot.insert(Arc::new(Resident::on_candle(&self.candle, rows, bytes)?)).clone()
                }
            }
        };
        resident.top_k(rows, queries, k, order)
    }
}

/// The free memory of the device in bytes, if its driver reports it.
#[cfg(feature = "cuda")]
fn free(device: &candle_core::Device) -> Option<u64> {
    crate::cuda::free_memory(device.as_cuda_device().ok()?).ok()
}

/// The free memory of the device in bytes, if its driver reports it.
#[cfg(not(feature = "cuda"))]
fn free(_: &candle_core::Device) -> Option<u64> {
    None
}
