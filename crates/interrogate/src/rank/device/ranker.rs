//! Where a table's rows go at its first ranking.

use std::sync::{Arc, Mutex, PoisonError};

use super::Resident;
use crate::encoder::Features;
use crate::rank::{Hit, Order, Rows};
use crate::{Device, Result};

/// A device that the rows of one table go to when they are first ranked, and stay on.
#[derive(Clone, Debug)]
pub struct DeviceRanker {
    device: Device,
    engine: candle_core::Device,
    resident: Arc<Mutex<Option<Arc<Resident>>>>,
}

impl DeviceRanker {
    /// Opens `device`; copies nothing yet.
    ///
    /// # Errors
    /// Those of [`Device::check`].
    pub fn new(device: Device) -> Result<Self> {
        let engine = device.open()?;
        Ok(DeviceRanker { device, engine, resident: Arc::default() })
    }

    /// The engine's own device, for tests: its processor stands for a GPU.
    #[cfg(test)]
    pub(crate) fn of_engine(engine: candle_core::Device) -> Self {
        DeviceRanker { device: Device::Cuda(0), engine, resident: Arc::default() }
    }

    /// The same device for another table.
    #[must_use]
    pub fn for_other_table(&self) -> Self {
        DeviceRanker { device: self.device, engine: self.engine.clone(), resident: Arc::default() }
    }

    /// Which device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// What [`Rows::top_k`] gives. `rows` are the table's own, the same each time;
    /// three quarters of the memory that is free at the first ranking hold as many of
    /// them as they can.
    ///
    /// # Errors
    /// Those of [`Resident`]'s.
    pub fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Hit>>> {
        let resident = {
            // A poisoned place holds a whole table or none.
            let mut slot = self.resident.lock().unwrap_or_else(PoisonError::into_inner);
            match &*slot {
                Some(resident) => resident.clone(),
                None => {
                    let bytes = free(&self.engine).map_or(u64::MAX, |free| free / 4 * 3);
                    slot.insert(Arc::new(Resident::on_engine(&self.engine, rows, bytes)?)).clone()
                }
            }
        };
        resident.top_k(rows, queries, k, order)
    }
}

/// Bytes that the device has free, where its driver tells.
#[cfg(feature = "cuda")]
fn free(device: &candle_core::Device) -> Option<u64> {
    let device = device.as_cuda_device().ok()?;
    let (free, _) = device.cuda_stream().context().mem_get_info().ok()?;
    Some(free as u64)
}

/// Bytes that the device has free, where its driver tells.
#[cfg(not(feature = "cuda"))]
fn free(_: &candle_core::Device) -> Option<u64> {
    None
}
