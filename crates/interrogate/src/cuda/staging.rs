//! Copies between the host and a device through page-locked memory, on a stream of their own.
//!
//! Before a copy from pageable memory, the driver may wait for all that is queued on its stream
//! (CUDA driver API, "API synchronization behavior"); then the host could not queue a batch while
//! another is computed. Copies from page-locked memory do not wait, and reach the speed of the
//! link.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::result::{memcpy_dtoh_async, memcpy_htod_async};
use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags as EventFlags;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaSlice, CudaStream, CudaView, DevicePtr, DevicePtrMut, DeviceRepr,
    PinnedHostSlice,
};
use candle_core::cuda_backend::{CudaDevice, DeviceId, WrapErr};
use rayon::prelude::*;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of a buffer. Page-locking costs time by the byte, so a buffer is only as large as the
/// start of a copy and of the threads that fill it are negligible.
const BUFFER: usize = 16 << 20;

/// A value that a copy may have.
pub(crate) trait Value:
    DeviceRepr + FromBytes + IntoBytes + Immutable + Copy + Send + Sync
{
}

impl<T: DeviceRepr + FromBytes + IntoBytes + Immutable + Copy + Send + Sync> Value for T {}

/// Two streams of a device and the page-locked buffers between it and the host.
#[derive(Debug)]
pub(crate) struct Staging {
    /// The stream of all computation.
    compute: Arc<CudaStream>,
    copies: Arc<CudaStream>,
    /// Buffers that no call uses.
    free: Mutex<Vec<Buffer>>,
}

impl Staging {
    /// Returns the staging of `device`, created at its first use.
    pub(crate) fn of(device: &CudaDevice) -> Result<Arc<Self>> {
        static CREATED: Mutex<Vec<(DeviceId, Arc<Staging>)>> = Mutex::new(Vec::new());
        // Ignore lock poisoning: the list has whole entries.
        let mut created = CREATED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, staging)) = created.iter().find(|(id, _)| *id == device.id()) {
            return Ok(staging.clone());
        }
        let compute = device.cuda_stream();
        let copies = compute.context().new_stream().w()?;
        let staging = Arc::new(Staging { compute, copies, free: Mutex::default() });
        created.push((device.id(), staging.clone()));
        Ok(staging)
    }

    /// Copies `len` values to the device. `fill` writes the values from an index on. Returns
    /// before they have arrived; what is queued on the device's stream after this waits for them.
    pub(crate) fn upload<T: Value>(
        &self,
        len: usize,
        mut fill: impl FnMut(usize, &mut [T]),
    ) -> Result<CudaSlice<T>> {
        // Allocated on the stream of copies, so that the copy does not wait for computation.
        //
        // SAFETY: all values are written below, before the slice is returned.
        let mut slice = unsafe { self.copies.alloc::<T>(len) }.w()?;
        let mut buffers = Buffers::new(self);
        let copied = self.fill(&mut slice, &mut buffers, &mut fill);
        self.complete(copied)?;
        self.compute.join(&self.copies).w()?;
        // From here on, memory and values are those of the stream of computation, which frees
        // the memory too.
        let pointer = slice.leak();
        // SAFETY: the pointer is that of `len` values allocated above.
        Ok(unsafe { self.compute.upgrade_device_ptr(pointer, len) })
    }

    fn fill<T: Value>(
        &self,
        slice: &mut CudaSlice<T>,
        buffers: &mut Buffers<'_>,
        fill: &mut impl FnMut(usize, &mut [T]),
    ) -> Result<()> {
        let (size, len) = (size_of::<T>(), slice.len());
        let step = BUFFER / size;
        let (to, _recorded) = slice.device_ptr_mut(&self.copies);
        for first in (0..len).step_by(step) {
            let buffer = buffers.next()?;
            let bytes = &mut buffer.bytes()?[..step.min(len - first) * size];
            let Ok(values) = <[T]>::mut_from_bytes(bytes) else { return Err(misaligned()) };
            fill(first, values);
            // SAFETY: the values from `first` on are within the slice. The buffer is neither
            // written nor freed before the event after the copy, or the stream if that fails.
            unsafe {
                memcpy_htod_async(to + (first * size) as u64, bytes, self.copies.cu_stream())
            }
            .w()?;
            buffer.copied.record(&self.copies).w()?;
        }
        Ok(())
    }

    /// Copies values to the host. Waits until what is queued on the device's stream now is done,
    /// but not for what other threads queue later.
    pub(crate) fn download<T: Value>(&self, values: &CudaView<'_, T>) -> Result<Vec<T>> {
        let computed = self.compute.record_event(Some(EventFlags::CU_EVENT_BLOCKING_SYNC)).w()?;
        computed.synchronize().w()?;
        let mut buffers = Buffers::new(self);
        let read = self.read(values, &mut buffers);
        self.complete(read)
    }

    /// Reads values that are computed.
    fn read<T: Value>(
        &self,
        values: &CudaView<'_, T>,
        buffers: &mut Buffers<'_>,
    ) -> Result<Vec<T>> {
        let (size, len) = (size_of::<T>(), values.len());
        let step = BUFFER / size;
        let (from, _recorded) = values.device_ptr(&self.copies);
        let mut read = Vec::with_capacity(len);
        let mut add = |buffer: &mut Buffer, count: usize| {
            let bytes = &buffer.bytes()?[..count * size];
            let Ok(piece) = <[T]>::ref_from_bytes(bytes) else { return Err(misaligned()) };
            read.par_extend(piece.par_iter().copied());
            Ok(())
        };
        // The values that arrive while those before are copied to the host's own memory.
        let mut arriving = 0;
        for first in (0..len).step_by(step) {
            let count = step.min(len - first);
            let buffer = buffers.next()?;
            let piece = &mut buffer.bytes()?[..count * size];
            // SAFETY: the values from `first` on are within the view. The buffer is read after
            // the event after the copy, and not written or freed before that.
            unsafe {
                memcpy_dtoh_async(piece, from + (first * size) as u64, self.copies.cu_stream())
            }
            .w()?;
            buffer.copied.record(&self.copies).w()?;
            if arriving > 0 {
                add(buffers.before()?, arriving)?;
            }
            arriving = count;
        }
        if arriving > 0 {
            add(buffers.last()?, arriving)?;
        }
        Ok(read)
    }

    /// Waits for copies that may still use the buffers after an error.
    fn complete<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.copies.synchronize().w()?;
        }
        result
    }
}

/// Two buffers that a call uses in turns. No call waits for the buffers of another: it may run on
/// a thread that has taken over work of the other call's threads.
struct Buffers<'a> {
    staging: &'a Staging,
    buffers: [Option<Buffer>; 2],
    turn: usize,
}

#[derive(Debug)]
struct Buffer {
    memory: PinnedHostSlice<u8>,
    /// The last copy from or to this buffer.
    copied: CudaEvent,
}

impl<'a> Buffers<'a> {
    fn new(staging: &'a Staging) -> Self {
        Buffers { staging, buffers: [None, None], turn: 0 }
    }

    /// Returns the other buffer than the last time.
    fn next(&mut self) -> Result<&mut Buffer> {
        self.turn = 1 - self.turn;
        let slot = &mut self.buffers[self.turn];
        match slot {
            Some(buffer) => Ok(buffer),
            None => {
                // Ignore lock poisoning: the list has whole entries.
                let free = self.staging.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let buffer = free.map_or_else(|| Buffer::new(self.staging.copies.context()), Ok)?;
                Ok(slot.insert(buffer))
            }
        }
    }

    /// Returns the buffer that `next` returned last.
    fn last(&mut self) -> Result<&mut Buffer> {
        self.buffers[self.turn].as_mut().ok_or_else(misaligned)
    }

    /// Returns the buffer that `next` returned before the last one.
    fn before(&mut self) -> Result<&mut Buffer> {
        self.buffers[1 - self.turn].as_mut().ok_or_else(misaligned)
    }
}

impl Drop for Buffers<'_> {
    fn drop(&mut self) {
        let mut free = self.staging.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.buffers.iter_mut().filter_map(Option::take));
    }
}

impl Buffer {
    fn new(context: &Arc<CudaContext>) -> Result<Self> {
        // Without flags: memory that is cached, as the host reads it too.
        //
        // SAFETY: the memory is zeroed before it is used as a slice.
        let mut memory = unsafe { context.alloc_pinned_with_flags::<u8>(BUFFER, 0) }.w()?;
        let start = memory.as_mut_ptr().w()?;
        // SAFETY: the memory has this length, and nothing else uses it yet.
        unsafe { start.write_bytes(0, BUFFER) };
        Ok(Buffer { memory, copied: context.new_event(None).w()? })
    }

    /// Returns the memory, after the last copy.
    fn bytes(&mut self) -> Result<&mut [u8]> {
        self.copied.synchronize().w()?;
        self.memory.as_mut_slice().w()
    }
}

fn misaligned() -> candle_core::Error {
    candle_core::Error::Msg("a page-locked buffer is missing or misaligned".into())
}
