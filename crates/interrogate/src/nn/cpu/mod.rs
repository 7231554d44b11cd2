//! The CPU backend: slices, and this library's kernels.
//!
//! A result row depends on its own input row alone, bit for bit: it is the same in any batch and
//! with any number of threads.

mod maps;
mod rows;
mod scope;
mod transpose;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::attention::{KvRows, attend_groups, attend_lists};
use super::backend::{
    Backend, Batch, Depthwise, Epilogue, KvView, LogitsRequest, ReducedLogits, Scope, Workspace,
};
use super::kernel::split::even;
use super::kv_pages::KvPages;
use super::linear::Linear;
use super::norm::Norm;
use super::precision::Precision;
use super::{Activation, Heads, RelativeBias, Rotary, Window, check, linear, threads};
use crate::Result;
use crate::weights::Values;
pub(crate) use rows::HostRows;
pub(crate) use scope::CpuScope;

/// The CPU backend.
#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    precision: Precision,
    /// Saves memory at the cost of time: leaves 16-bit weights in the mapped file even where
    /// packing them would be faster, and frees workspaces after each call.
    lean: bool,
    /// Unused workspaces, kept for the next call.
    free: Arc<Mutex<Vec<Workspace<Cpu>>>>,
}

/// A table in a file or in memory, whose rows are widened to f32 on lookup.
#[derive(Debug)]
pub(crate) struct HostTable {
    values: Values,
    width: usize,
}

impl Cpu {
    /// Creates the backend, with weights in `precision`.
    pub(crate) fn new(precision: Precision) -> Self {
        Cpu { precision, lean: false, free: Arc::default() }
    }

    /// Creates the backend for a model of gigabytes, which takes no more memory than its file
    /// and the states of one call.
    pub(crate) fn lean(precision: Precision) -> Self {
        Cpu { lean: true, ..Cpu::new(precision) }
    }
}

impl Backend for Cpu {
    type Rows = HostRows;
    type Linear = Linear;
    type Norm = Norm;
    type Table = HostTable;
    type Ids = Vec<u32>;
    type Scope = CpuScope;
    type Rotary = Rotary;
    type KvLayer = KvPages;

    fn linear(&self, weight: &Values, shape: [usize; 2], bias: Option<Vec<f32>>) -> Result<Linear> {
        Linear::new(weight, shape, bias, self.precision, self.lean)
    }

    fn norm(&self, weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<Norm> {
        Norm::new(weight, bias, eps)
    }

    fn table(&self, values: Values, width: usize) -> Result<HostTable> {
        Ok(HostTable { values, width })
    }

    fn rotary(&self, rotary: Rotary) -> Result<Rotary> {
        Ok(rotary)
    }

    fn upload(&self, values: Vec<f32>, width: usize) -> Result<HostRows> {
        Ok(HostRows { width, values })
    }

    fn download(&self, rows: HostRows) -> Result<Vec<f32>> {
        Ok(rows.values)
    }

    fn ids(&self, ids: &[u32]) -> Result<Vec<u32>> {
        Ok(ids.to_vec())
    }

    fn scope(&self, scope: Scope) -> Result<CpuScope> {
        Ok(CpuScope::new(scope))
    }

    fn reduce_logits(&self, _: &HostRows, _: &LogitsRequest) -> Result<Option<ReducedLogits>> {
        Ok(None)
    }

    fn apply_each(&self, layers: &mut [(&Linear, &mut HostRows)], x: &HostRows) -> Result<()> {
        let m = x.len();
        let outs = layers.iter_mut().map(|(layer, out)| (*layer, out.shaped(m, layer.outputs())));
        Linear::apply_each(&mut outs.collect::<Vec<_>>(), &x.values, m)
    }

    fn apply(
        &self,
        layer: &Linear,
        x: &HostRows,
        Epilogue { activation, residual }: Epilogue<'_, Self>,
        out: &mut HostRows,
    ) -> Result<()> {
        let m = x.len();
        let residual = residual.map(|residual| &residual.values[..]);
        let epilogue = linear::Epilogue { activation, residual };
        layer.apply(&x.values, m, out.shaped(m, layer.outputs()), epilogue)
    }

    fn normalize(&self, norm: &Norm, x: &HostRows, out: &mut HostRows) -> Result<()> {
        norm.apply(&x.values, out.shaped(x.len(), x.width))
    }

    fn attend(
        &self,
        heads: Heads,
        queries: &HostRows,
        kv: KvView<'_, Self>,
        scope: &CpuScope,
        bias: Option<&RelativeBias>,
        out: &mut HostRows,
    ) -> Result<()> {
        let width = queries.width;
        let (n, out) = (queries.len(), out.shaped(queries.len(), width));
        let (keys, values) = match kv.current {
            Some([keys, values]) => (&keys.values[..], &values.values[..]),
            None => (&[][..], &[][..]),
        };
        if let (CpuScope::Groups(count), None) = (scope, kv.cached) {
            let queries = &queries.values;
            attend_groups(heads, width, *count, queries, [keys, values], bias, out);
            return Ok(());
        }
        let cached = kv.cached.map(|layer| [&layer.keys, &layer.values]);
        let kv = KvRows::new(width, cached, [keys, values]);
        let list = scope.lists(n, kv.rows())?;
        attend_lists(heads, &queries.values, kv, list, bias, out);
        Ok(())
    }

    fn convolve(
        &self,
        layer: &Linear,
        window: &Window,
        x: &HostRows,
        activation: Activation,
        out: &mut HostRows,
    ) -> Result<()> {
        maps::convolve(layer, window, x, activation, out)
    }

    fn convolve_depthwise(
        &self,
        Depthwise { kernel, bias }: &Depthwise<Self>,
        window: &Window,
        x: &HostRows,
        out: &mut HostRows,
    ) -> Result<()> {
        maps::depthwise([kernel, bias], window, x, out)
    }

    fn activate(&self, activation: Activation, rows: &mut HostRows) -> Result<()> {
        activation.apply(&mut rows.values);
        Ok(())
    }

    fn rotate(&self, rotary: &Rotary, rows: &mut HostRows) -> Result<()> {
        let width = rows.width;
        rotary.apply(&mut rows.values, width)
    }

    fn lookup(&self, table: &HostTable, ids: &[u32], out: &mut HostRows) -> Result<()> {
        let rows = out.shaped(ids.len(), table.width).chunks_exact_mut(table.width);
        for (&id, row) in ids.iter().zip(rows) {
            table.values.widen(id as usize * table.width, row);
        }
        Ok(())
    }

    fn add_lookup(&self, table: &HostTable, ids: &[u32], rows: &mut HostRows) -> Result<()> {
        let mut read = vec![0.0; table.width];
        check("positions", ids.len() * table.width, rows.values.len())?;
        for (&id, row) in ids.iter().zip(rows.values.chunks_exact_mut(table.width)) {
            table.values.widen(id as usize * table.width, &mut read);
            row.iter_mut().zip(&read).for_each(|(value, more)| *value += more);
        }
        Ok(())
    }

    fn select(&self, x: &HostRows, ids: &Vec<u32>, out: &mut HostRows) -> Result<()> {
        let rows = out.shaped(ids.len(), x.width).chunks_exact_mut(x.width);
        ids.iter().zip(rows).for_each(|(&id, row)| row.copy_from_slice(x.row(id as usize)));
        Ok(())
    }

    fn concat(&self, parts: &[&HostRows], out: &mut HostRows) -> Result<()> {
        out.values.clear();
        out.width = parts.first().map_or(0, |part| part.width);
        for part in parts {
            check("the width of rows", out.width, part.width)?;
            out.values.extend_from_slice(&part.values);
        }
        Ok(())
    }

    fn prepend(
        &self,
        first: &HostRows,
        groups: usize,
        rows: &HostRows,
        out: &mut HostRows,
    ) -> Result<()> {
        check("the width of rows", first.values.len(), rows.width)?;
        out.values.clear();
        out.width = rows.width;
        let group = rows.values.len() / groups.max(1);
        for group in rows.values.chunks_exact(group.max(1)) {
            out.values.extend_from_slice(&first.values);
            out.values.extend_from_slice(group);
        }
        Ok(())
    }

    fn add_to_groups(&self, group: &HostRows, rows: &mut HostRows) -> Result<()> {
        let whole = rows.values.len().next_multiple_of(group.values.len().max(1));
        check("groups of rows", whole, rows.values.len())?;
        for rows in rows.values.chunks_exact_mut(group.values.len().max(1)) {
            rows.iter_mut().zip(&group.values).for_each(|(value, more)| *value += more);
        }
        Ok(())
    }

    fn repeat(&self, group: &HostRows, groups: usize, out: &mut HostRows) -> Result<()> {
        out.width = group.width;
        out.values.clear();
        (0..groups).for_each(|_| out.values.extend_from_slice(&group.values));
        Ok(())
    }

    fn transpose(&self, groups: usize, rows: &HostRows, out: &mut HostRows) -> Result<()> {
        let count = rows.len();
        check("groups of rows", count.next_multiple_of(groups.max(1)), count)?;
        transpose::transpose(groups, rows, out);
        Ok(())
    }

    fn multiply(&self, by: &HostRows, rows: &mut HostRows) -> Result<()> {
        check("values to multiply", rows.values.len(), by.values.len())?;
        rows.values.iter_mut().zip(&by.values).for_each(|(value, by)| *value *= by);
        Ok(())
    }

    fn scale(&self, by: f32, rows: &mut HostRows) -> Result<()> {
        rows.values.iter_mut().for_each(|value| *value *= by);
        Ok(())
    }

    fn means(&self, x: &HostRows, scope: &CpuScope, out: &mut HostRows) -> Result<()> {
        let spans = scope.spans();
        let out = out.shaped(spans.len(), x.width);
        out.fill(0.0);
        for (span, mean) in spans.iter().zip(out.chunks_exact_mut(x.width)) {
            for row in span.rows.clone() {
                mean.iter_mut().zip(x.row(row)).for_each(|(mean, value)| *mean += value);
            }
            mean.iter_mut().for_each(|mean| *mean /= span.rows.len().max(1) as f32);
        }
        Ok(())
    }

    fn append(&self, layer: &mut KvPages, keys: &HostRows, values: &HostRows) -> Result<()> {
        layer.keys.append(&keys.values, keys.width);
        layer.values.append(&values.values, values.width);
        Ok(())
    }

    fn truncate(&self, layer: &mut KvPages, rows: usize) {
        layer.keys.truncate(rows);
        layer.values.truncate(rows);
    }

    fn batch_tokens(&self, tokens: usize) -> usize {
        tokens
    }

    fn batch_nodes(&self, tokens: usize, _: usize) -> usize {
        tokens
    }

    fn batches(&self, items: usize, most: usize) -> std::vec::IntoIter<Range<usize>> {
        let share = items.div_ceil(rayon::current_num_threads());
        even(items, most.min(share)).collect::<Vec<_>>().into_iter()
    }

    fn with_workspace<T: Send>(
        &self,
        work: impl FnOnce(&mut Workspace<Self>) -> Result<T> + Send,
    ) -> Result<T> {
        threads::in_pool(|| self.reuse_workspace(work))
    }

    fn each<I, T>(
        &self,
        _: &'static str,
        batches: I,
        work: impl Fn(&mut Workspace<Self>, I::Item) -> Result<T> + Sync,
    ) -> Result<Vec<T>>
    where
        I: ExactSizeIterator + Send,
        I::Item: Batch + Clone + Send,
        T: Send,
    {
        threads::each(batches, |batch| self.reuse_workspace(|workspace| work(workspace, batch)))
    }
}

impl Cpu {
    /// Calls `work` with a workspace that is kept for later calls, so that a model that encodes
    /// batch after batch allocates nothing after the first.
    fn reuse_workspace<T>(&self, work: impl FnOnce(&mut Workspace<Self>) -> T) -> T {
        // Ignore lock poisoning: a workspace has no state to break.
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = free().pop().unwrap_or_default();
        let result = work(&mut workspace);
        if !self.lean {
            free().push(workspace);
        }
        result
    }
}
