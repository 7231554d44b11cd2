//! The launches of the lookups.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{Result, Tensor};

use super::super::super::transfer::upload_ids;
use super::super::lookup::Lookup;
use super::super::{Kernels, SUMS};
use super::functions::Kernel;
use super::launch::{Grid, MOST, check};
use super::operand::{Buffer, aligned, operand, view};

impl Kernels {
    /// Sums the rows `ids` of `first`, or all of its rows, and those of `second`. `None` if the
    /// kernels do not take such rows.
    pub(in super::super) fn launch_lookup(
        &self,
        first: &Tensor,
        ids: Option<&[u32]>,
        second: Lookup<'_>,
    ) -> Result<Option<Tensor>> {
        let Some(functions) = self.functions(first)? else { return Ok(None) };
        let (count, width) = first.dims2()?;
        let rows = second.ids.len();
        if rows > MOST || ids.map_or(count, <[u32]>::len) != rows {
            candle_core::bail!("expected ids of {rows} rows");
        }
        let function = functions.get(Kernel::Lookup, self.are_sums(first)?, 0)?;
        let (first, table) = (aligned(first)?, aligned(second.table)?);
        check(Some(&table), self.dtype, &(table.dim(0)?, width).into())?;
        // All ids in one copy.
        let all = [ids.unwrap_or_default(), second.ids].concat();
        let all = upload_ids(&all, all.len(), first.device())?;
        let second_ids = all.narrow(0, ids.map_or(0, <[u32]>::len), rows)?;
        let first_ids = ids.map(|_| all.narrow(0, 0, rows)).transpose()?;
        let device = first.device().as_cuda_device()?;
        let grid = Grid::new(rows, width, functions.processors);
        let mut out = Buffer::new(device, SUMS, rows * width)?;
        if rows * width > 0 {
            let tensors = [Some(&first), first_ids.as_ref(), Some(&table), Some(&second_ids)];
            let operands = tensors.map(|tensor| tensor.map(operand));
            let [x, first_ids, table, second_ids] = operands.each_ref().map(view);
            let (x, first_ids, table, second_ids) = (x?, first_ids?, table?, second_ids?);
            let stream = device.cuda_stream();
            let mut launch = stream.launch_builder(function);
            x.push(&mut launch);
            first_ids.push(&mut launch);
            table.push(&mut launch);
            second_ids.push(&mut launch);
            launch.arg(&grid.rows).arg(&grid.width).arg(&grid.lanes);
            out.push(&mut launch);
            // SAFETY: these are the arguments of `lookup` and `lookup_sums`, in their order and
            // of their types. The ids are rows of their tables: `Lookup` checked them, and
            // without `first_ids`, `first` has as many rows as there are ids.
            unsafe { launch.launch(grid.config()) }.w()?;
        }
        Ok(Some(out.into_tensor(&first, &(rows, width).into())?))
    }
}
