//! Launches of the kernels: grid sizes and arguments. All unsafe launches are here.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaView, DeviceRepr, LaunchArgs, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Storage, StorageRef, Tensor,
};
use half::{bf16, f16};

use super::source::{
    FEW_QUERIES, Kernel, LIST_FLOATS, LIST_WARPS, SPAN_WARPS, TILE_QUERIES, spans_bytes,
};
use super::{DeviceBias, Problem, Ranges};

/// A launch of `lists.cu`.
pub(super) struct ListsLaunch<'a> {
    pub(super) problem: &'a Problem,
    pub(super) ranges: Ranges,
    pub(super) bias: Option<DeviceBias>,
    /// The parts of queries, of the heads of a warp each.
    pub(super) warps: usize,
    /// Whether the warps of a block share the rows of a part.
    pub(super) split: bool,
}

/// A launch of `spans.cu`.
pub(super) struct SpansLaunch<'a> {
    pub(super) problem: &'a Problem,
    /// The queries of a tile.
    pub(super) tile: usize,
    /// Number of tiles.
    pub(super) count: usize,
    /// The queries and rows of each group, or else the tiles.
    pub(super) groups: std::result::Result<[usize; 2], Tensor>,
    pub(super) bias: Option<DeviceBias>,
}

/// Memory of a tensor: the storage is locked as long as a view of it is in use.
struct Locked<'a>(StorageRef<'a>, &'a Layout);

impl<'a> Locked<'a> {
    fn new(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Locked(storage, layout)
    }

    /// The values from the first one on, and the stride of rows.
    fn view<T: CudaDType>(&self) -> Result<(CudaView<'_, T>, u64)> {
        match &*self.0 {
            Storage::Cuda(storage) => view(storage, self.1),
            _ => candle_core::bail!("a tensor is not on the CUDA device"),
        }
    }
}

/// The values of a matrix from the first one on, and the stride of its rows.
fn view<'a, T: CudaDType>(
    storage: &'a CudaStorage,
    layout: &Layout,
) -> Result<(CudaView<'a, T>, u64)> {
    let values = storage.as_cuda_slice::<T>()?.slice(layout.start_offset()..);
    Ok((values, layout.stride().first().map_or(0, |&stride| stride as u64)))
}

/// Pushes a view, or a null pointer.
fn push<'a, T>(launch: &mut LaunchArgs<'a>, view: Option<&'a CudaView<'_, T>>) {
    match view {
        Some(view) => launch.arg(view),
        None => launch.arg(&0u64),
    };
}

impl ListsLaunch<'_> {
    fn launch<T: CudaDType + DeviceRepr>(
        &self,
        name: &'static str,
        queries: &CudaStorage,
        layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let ListsLaunch { problem, ranges, bias, warps, split } = self;
        let (device, shape) = (queries.device(), layout.shape().clone());
        let kernel = Kernel { name, head: problem.head, bf16: None };
        let threads = 32 * LIST_WARPS;
        let split_bytes = 4 * LIST_FLOATS * threads;
        let function = kernel.load(device, split_bytes)?;
        // SAFETY: the kernel writes every value: each query has a warp for each of its heads.
        let mut out = unsafe { device.alloc::<T>(shape.elem_count())? };

        let cached = problem.cached.as_ref();
        let cached_rows = cached.map_or(0, |(_, rows)| *rows as u32);
        let cached = cached.map(|(rows, _)| rows.each_ref().map(Locked::new));
        let current = problem.current.as_ref().map(|rows| rows.each_ref().map(Locked::new));
        let (Some(first), Some(last)) =
            (cached.as_ref().or(current.as_ref()), current.as_ref().or(cached.as_ref()))
        else {
            candle_core::bail!("there are no keys to attend to")
        };
        let (query, query_stride) = view::<T>(queries, layout)?;
        let [(cached_keys, cached_stride), (cached_values, values_stride)] =
            [first[0].view::<T>()?, first[1].view::<T>()?];
        if cached_rows > 0 && cached_stride != values_stride {
            candle_core::bail!("the keys of a cache have another stride than its values");
        }
        let [(keys, key_stride), (values, value_stride)] =
            [last[0].view::<T>()?, last[1].view::<T>()?];

        let n = problem.queries as u32;
        let (ranges, [group_queries, group_rows]) = match ranges {
            Ranges::Groups(queries, rows) => (None, [*queries as u32, *rows as u32]),
            Ranges::Lists(numbers) => (Some((Locked::new(numbers), true)), [1, 0]),
            Ranges::Each(ranges) => (Some((Locked::new(ranges), false)), [1, 0]),
        };
        let bounds = ranges.as_ref().map(|(all, _)| all.view::<u32>()).transpose()?;
        let bounds = bounds.as_ref().map(|(all, _)| all);
        let has_numbers = ranges.as_ref().is_some_and(|(_, lists)| *lists);
        let numbers = bounds.filter(|_| has_numbers).map(|all| all.slice(2 * problem.queries..));
        let bias_values = bias.as_ref().map(|bias| Locked::new(&bias.values));
        let bias_values = bias_values.as_ref().map(Locked::view::<f32>).transpose()?;
        let (offsets, before) = sizes(bias.as_ref());
        let (bias_values, scale) = (bias_values.as_ref().map(|(all, _)| all), problem.heads.scale);
        let (heads, split_argument) = (problem.heads.count as u32, u32::from(*split));

        let blocks = if *split { *warps } else { warps.div_ceil(LIST_WARPS) };
        let config = LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (threads as u32, 1, 1),
            shared_mem_bytes: if *split { split_bytes as u32 } else { 0 },
        };
        let stream = device.cuda_stream();
        let mut launch = stream.launch_builder(&function);
        launch.arg(&mut out).arg(&query).arg(&query_stride).arg(&n);
        launch.arg(&cached_keys).arg(&cached_values).arg(&cached_stride).arg(&cached_rows);
        launch.arg(&keys).arg(&key_stride).arg(&values).arg(&value_stride);
        push(&mut launch, bounds);
        push(&mut launch, numbers.as_ref());
        launch.arg(&group_queries).arg(&group_rows).arg(&heads).arg(&scale);
        push(&mut launch, bias_values);
        launch.arg(&offsets).arg(&before).arg(&split_argument);
        // SAFETY: these are the arguments of `attend_lists`, for values of the type T. Queries
        // are (n, heads * HEAD), and so is `out`. `Problem` and `attend` have checked the widths
        // of keys and values, that every list, range and group is among their rows, and that the
        // bias has a value for each. The shared memory was granted when the kernel was loaded.
        unsafe { launch.launch(config) }.w()?;
        drop(launch);
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }
}

impl SpansLaunch<'_> {
    fn launch<T: CudaDType + DeviceRepr>(
        &self,
        bf16: bool,
        queries: &CudaStorage,
        layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let SpansLaunch { problem, tile, count, groups, bias } = self;
        let (device, shape) = (queries.device(), layout.shape().clone());
        let name = if *tile == FEW_QUERIES { "attend_few" } else { "attend_spans" };
        debug_assert!([FEW_QUERIES, TILE_QUERIES].contains(tile));
        let shared = spans_bytes(problem.head, *tile);
        let kernel = Kernel { name, head: problem.head, bf16: Some(bf16) };
        let function = kernel.load(device, shared)?;
        // SAFETY: the kernel writes every value: each query is in one tile, and each tile has a
        // block for each head.
        let mut out = unsafe { device.alloc::<T>(shape.elem_count())? };

        let cached = problem.cached.as_ref().map(|(rows, _)| rows);
        let Some(rows) = problem.current.as_ref().or(cached) else {
            candle_core::bail!("there are no keys to attend to")
        };
        let rows = rows.each_ref().map(Locked::new);
        let (query, query_stride) = view::<T>(queries, layout)?;
        let [(keys, key_stride), (values, value_stride)] =
            [rows[0].view::<T>()?, rows[1].view::<T>()?];
        let tiles = groups.as_ref().err().map(Locked::new);
        let tiles = tiles.as_ref().map(Locked::view::<u32>).transpose()?;
        let [group_queries, group_rows] =
            groups.as_ref().map_or([1, 0], |sizes| sizes.map(|size| size as u32));
        let bias_values = bias.as_ref().map(|bias| Locked::new(&bias.values));
        let bias_values = bias_values.as_ref().map(Locked::view::<f32>).transpose()?;
        let (offsets, before) = sizes(bias.as_ref());
        let (heads, scale) = (problem.heads.count as u32, problem.heads.scale);

        let config = LaunchConfig {
            grid_dim: (*count as u32, heads, 1),
            block_dim: (32 * SPAN_WARPS as u32, 1, 1),
            shared_mem_bytes: shared as u32,
        };
        let stream = device.cuda_stream();
        let mut launch = stream.launch_builder(&function);
        launch.arg(&mut out).arg(&query).arg(&query_stride);
        launch.arg(&keys).arg(&key_stride).arg(&values).arg(&value_stride);
        push(&mut launch, tiles.as_ref().map(|(all, _)| all));
        launch.arg(&group_queries).arg(&group_rows).arg(&heads).arg(&scale);
        push(&mut launch, bias_values.as_ref().map(|(all, _)| all));
        launch.arg(&offsets).arg(&before);
        // SAFETY: these are the arguments of `attend_spans` and `attend_few`, compiled for the
        // type T. Queries are (n, heads * HEAD), and so is `out`. `Problem` and `attend` have
        // checked the widths of keys and values, that tiles and groups are among the queries and
        // rows, and that the bias has a value for each. The shared memory has the size that the
        // kernel lays out, which was granted when it was loaded.
        unsafe { launch.launch(config) }.w()?;
        drop(launch);
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }
}

/// The number of offsets of a bias, and the index of that of the query's own position.
fn sizes(bias: Option<&DeviceBias>) -> (u32, u32) {
    bias.map_or((0, 0), |bias| (bias.values.dims()[1] as u32, bias.before as u32))
}

impl CustomOp1 for ListsLaunch<'_> {
    fn name(&self) -> &'static str {
        "attention over lists"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("{} has no kernel for the CPU", self.name())
    }

    fn cuda_fwd(&self, queries: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        match queries.dtype() {
            DType::F32 => self.launch::<f32>("attend_lists_f32", queries, layout),
            DType::F16 => self.launch::<f16>("attend_lists_f16", queries, layout),
            DType::BF16 => self.launch::<bf16>("attend_lists_bf16", queries, layout),
            other => candle_core::bail!("{} has no kernel for {other:?}", self.name()),
        }
    }
}

impl CustomOp1 for SpansLaunch<'_> {
    fn name(&self) -> &'static str {
        "attention over spans"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("{} has no kernel for the CPU", self.name())
    }

    fn cuda_fwd(&self, queries: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        match queries.dtype() {
            DType::F16 => self.launch::<f16>(false, queries, layout),
            DType::BF16 => self.launch::<bf16>(true, queries, layout),
            other => candle_core::bail!("{} has no kernel for {other:?}", self.name()),
        }
    }
}
