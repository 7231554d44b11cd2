//! Opens GPUs, and manages their memory.

use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUmemPool_attribute as PoolAttribute, CUmemoryPool,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Device, Result};

/// Opens the GPU of this number, once per process: a context takes some tenths of a second, and
/// all models and rankings use one stream.
///
/// candle's own default is a stream for each thread, which would not wait for what another
/// thread started.
pub(crate) fn open(number: usize) -> Result<Device> {
    static OPENED: Mutex<Vec<(usize, Device)>> = Mutex::new(Vec::new());
    // Ignore lock poisoning: the list has whole entries.
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device)) = opened.iter().find(|(known, _)| *known == number) {
        return Ok(device.clone());
    }
    let device = CudaDevice::new_with_stream(number)?;
    // By default cudarc creates two events for each allocation, waits for them at each launch and
    // records them after it, as soon as a context has a stream of its own: about ten calls of the
    // driver for one launch.
    //
    // SAFETY: all memory is allocated, used and freed in the order of the device's one stream,
    // except by `Staging`, which lets the two streams wait for each other.
    unsafe { device.disable_event_tracking() };
    keep_freed_memory(&device)?;
    let device = Device::Cuda(device);
    opened.push((number, device.clone()));
    Ok(device)
}

/// Waits for the device, and returns freed memory to its driver.
pub(crate) fn release_freed_memory(device: &CudaDevice) -> Result<()> {
    device.cuda_stream().synchronize().w()?;
    match pool(device)? {
        // SAFETY: the pool is the device's own, which lives as long as the device.
        Some(pool) => unsafe { mem_pool::trim_to(pool, 0) }.w(),
        None => Ok(()),
    }
}

/// Returns the bytes that can be allocated: those that the driver has, and those that were freed
/// here.
pub(crate) fn free_memory(device: &CudaDevice) -> Result<u64> {
    let (free, _) = device.cuda_stream().context().mem_get_info().w()?;
    let Some(pool) = pool(device)? else { return Ok(free as u64) };
    let attribute = |which| {
        let mut bytes = 0u64;
        // SAFETY: the pool is the device's own, and these attributes are of 64 bits.
        unsafe { mem_pool::get_attribute(pool, which, (&raw mut bytes).cast()) }.w()?;
        Ok::<_, candle_core::Error>(bytes)
    };
    let reserved = attribute(PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
    let used = attribute(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
    Ok(free as u64 + reserved.saturating_sub(used))
}

/// Lets the device's pool keep freed memory for later allocations. By default the pool returns
/// it to the driver whenever the host waits for the device, and allocates it again.
fn keep_freed_memory(device: &CudaDevice) -> Result<()> {
    let Some(pool) = pool(device)? else { return Ok(()) };
    let mut threshold = u64::MAX;
    let attribute = PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pool is the device's own, and the threshold is of 64 bits.
    unsafe { mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast()) }.w()
}

/// The pool that allocations come from, if the device has one.
fn pool(device: &CudaDevice) -> Result<Option<CUmemoryPool>> {
    let stream = device.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(None);
    }
    // SAFETY: the context's device exists.
    unsafe { device::get_mem_pool(context.cu_device()) }.w().map(Some)
}
