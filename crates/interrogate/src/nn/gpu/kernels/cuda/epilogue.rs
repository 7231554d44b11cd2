//! The launches of the epilogues.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, DType, InplaceOp1, Layout, Result, Tensor};

use super::super::{Kernels, SUMS};
use super::functions::Kernel;
use super::launch::{Grid, check};
use super::operand::{Buffer, ViewMut, aligned, operand, view};
use crate::nn::Activation;

impl Kernels {
    /// Computes `activation(product + bias) + residual`, without a residual in place. `None` if
    /// the kernels do not take such rows.
    pub(in super::super) fn launch_epilogue(
        &self,
        product: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> Result<Option<Tensor>> {
        let Some(functions) = self.functions(product)? else { return Ok(None) };
        let (rows, width) = product.dims2()?;
        let product = aligned(product)?;
        check(Some(&product), self.dtype, product.shape())?;
        check(bias, DType::F32, &width.into())?;
        let grid = Grid::new(rows, width, functions.processors);
        let Some(residual) = residual else {
            let function = functions.get(Kernel::Finish, false, 0)?;
            product.inplace_op1(&Finish { function, bias, activation, grid })?;
            return Ok(Some(product));
        };
        let function = functions.get(Kernel::FinishSum, self.are_sums(residual)?, 0)?;
        let residual = aligned(residual)?;
        check(Some(&residual), residual.dtype(), product.shape())?;
        let device = product.device().as_cuda_device()?;
        let mut out = Buffer::new(device, SUMS, rows * width)?;
        if rows * width > 0 {
            let operands =
                [Some(&product), bias, Some(&residual)].map(|tensor| tensor.map(operand));
            let [product, bias, residual] = operands.each_ref().map(view);
            let (product, bias, residual) = (product?, bias?, residual?);
            let activation = number(activation);
            let stream = device.cuda_stream();
            let mut launch = stream.launch_builder(function);
            product.push(&mut launch);
            bias.push(&mut launch);
            launch.arg(&activation);
            residual.push(&mut launch);
            launch.arg(&grid.rows).arg(&grid.width).arg(&grid.lanes);
            out.push(&mut launch);
            // SAFETY: these are the arguments of `finish_sum` and `finish_sums`, in their order
            // and of their types: product, residual and out are (rows, width), the bias (width),
            // all contiguous and on 16 bytes.
            unsafe { launch.launch(grid.config()) }.w()?;
        }
        Ok(Some(out.into_tensor(&product, product.shape())?))
    }
}

/// The number of an activation in the kernel file.
fn number(activation: Activation) -> u32 {
    match activation {
        Activation::None => 0,
        Activation::QuickGelu => 1,
        Activation::Gelu => 2,
        Activation::GeluTanh => 3,
        Activation::Relu => 4,
        Activation::Silu => 5,
    }
}

/// The epilogue without a residual, in place.
struct Finish<'a> {
    function: &'a CudaFunction,
    bias: Option<&'a Tensor>,
    activation: Activation,
    grid: Grid,
}

impl InplaceOp1 for Finish<'_> {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        candle_core::bail!("expected rows on a CUDA device")
    }

    fn cuda_fwd(&self, product: &mut CudaStorage, layout: &Layout) -> Result<()> {
        let Finish { function, bias, activation, grid } = self;
        let device = product.device.clone();
        let bias = bias.map(operand);
        let (bias, activation) = (view(&bias)?, number(*activation));
        let mut product = ViewMut::new(product, layout)?;
        let stream = device.cuda_stream();
        let mut launch = stream.launch_builder(function);
        product.push(&mut launch);
        bias.push(&mut launch);
        launch.arg(&activation).arg(&grid.rows).arg(&grid.width).arg(&grid.lanes);
        if layout.shape().elem_count() > 0 {
            // SAFETY: these are the arguments of `finish`, in their order and of their types:
            // the product is (rows, width), the bias (width), both contiguous and on 16 bytes.
            unsafe { launch.launch(grid.config()) }.w()?;
        }
        Ok(())
    }
}
