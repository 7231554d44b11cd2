//! The launch of the norms.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{DType, Result, Tensor};

use super::super::super::DeviceNorm;
use super::super::norm::Branch;
use super::super::{Kernels, SUMS};
use super::functions::{BLOCK_NORM_SHARED, BLOCK_WARPS, CHUNK, Kernel, MAX_CHUNKS, ROW_WARPS};
use super::launch::{BLOCKS, check, config};
use super::operand::{Buffer, View, aligned, operand, view};

impl Kernels {
    /// Normalizes `x`, or its sum with `branch`; also returns the sum if `keep`. `None` if the
    /// kernels do not take such rows.
    pub(in super::super) fn launch_norm(
        &self,
        x: &Tensor,
        branch: Option<Branch<'_>>,
        norm: &DeviceNorm,
        keep: bool,
    ) -> Result<Option<(Tensor, Option<Tensor>)>> {
        let Some(functions) = self.functions(x)? else { return Ok(None) };
        let (rows, width) = x.dims2()?;
        let most = 32 * CHUNK * MAX_CHUNKS;
        if width > most * BLOCK_WARPS {
            return Ok(None);
        }
        let are_sums = self.are_sums(x)?;
        let x = aligned(x)?;
        let product = branch.map(|branch| aligned(branch.product)).transpose()?;
        check(product.as_ref(), self.dtype, x.shape())?;
        let [bias, shift] = [branch.and_then(|branch| branch.bias), norm.bias.as_ref()];
        for vector in [Some(&norm.weight), bias, shift] {
            check(vector, DType::F32, &width.into())?;
        }
        let device = x.device().as_cuda_device()?;
        let mut out = Buffer::new(device, self.dtype, rows * width)?;
        let mut sum = keep.then(|| Buffer::new(device, SUMS, rows * width)).transpose()?;
        // A warp a row, where it holds the row and the rows occupy the device.
        let by_warp = width <= most && (rows > 4 * functions.processors || width <= most / 4);
        let (kernel, of_block, threads, shared) = if by_warp {
            (Kernel::WarpNorm, ROW_WARPS, 32 * ROW_WARPS, 0)
        } else {
            (Kernel::BlockNorm, 1, 32 * BLOCK_WARPS, BLOCK_NORM_SHARED)
        };
        let function = functions.get(kernel, are_sums, kernel.chunks(width))?;
        let blocks = rows.div_ceil(of_block).min(BLOCKS * functions.processors);
        if rows * width > 0 {
            let tensors = [Some(&x), product.as_ref(), bias, Some(&norm.weight), shift];
            let operands = tensors.map(|tensor| tensor.map(operand));
            let [x, product, bias, weight, shift] = operands.each_ref().map(view);
            let (x, product, bias, weight, shift) = (x?, product?, bias?, weight?, shift?);
            let (eps, n, columns) = (norm.eps as f32, rows as u32, width as u32);
            let (stream, null) = (device.cuda_stream(), View::Null);
            let mut launch = stream.launch_builder(function);
            x.push(&mut launch);
            product.push(&mut launch);
            bias.push(&mut launch);
            match &mut sum {
                Some(sum) => sum.push(&mut launch),
                None => null.push(&mut launch),
            }
            weight.push(&mut launch);
            shift.push(&mut launch);
            launch.arg(&eps).arg(&n).arg(&columns);
            out.push(&mut launch);
            // SAFETY: these are the arguments of all four norms, in their order and of their
            // types: x, product, sum and out are (rows, width), the others (width), all
            // contiguous and on 16 bytes. A row fits the registers of a warp or of a block.
            unsafe { launch.launch(config([blocks, 1], threads, shared)) }.w()?;
        }
        let sum = sum.map(|sum| sum.into_tensor(&x, x.shape())).transpose()?;
        Ok(Some((out.into_tensor(&x, x.shape())?, sum)))
    }
}
