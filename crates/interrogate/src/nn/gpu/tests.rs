//! The GPU backend against the CPU backend. One test body runs on every device.

mod maps;

use super::*;
use crate::nn::backend::{LogitsRequest, ReducedLogits, RowLists, Span};
use crate::nn::cpu::Cpu;
use crate::nn::{Activation, Kv, KvCache};

/// The devices of this machine that this build can use.
pub(crate) fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    match crate::Device::Cuda(0).open() {
        Ok(device) => devices.push(device),
        // The test output should say what was skipped.
        #[allow(clippy::print_stderr)]
        Err(error) => eprintln!("skipped on cuda:0: {error}"),
    }
    devices
}

/// Values of a fixed pattern.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32], bound: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= bound, "{what}: {found}, not {expected}");
    }
}

/// Checks that each device computes the same as the CPU, within the bounds of f32, f16 and bf16.
fn same<C>(what: &str, bounds: [f32; 3], compute: C)
where
    C: Compute,
{
    let expected = compute.on(&Cpu::new(Precision::F32));
    for device in devices() {
        let precisions = [Precision::F32, Precision::F16, Precision::Bf16];
        for (precision, bound) in precisions.into_iter().zip(bounds) {
            let found = compute.on(&Gpu::new(&device, precision));
            close(&found, &expected, bound, &format!("{what} {precision} {device:?}"));
        }
    }
}

/// A computation on any backend.
trait Compute {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32>;
}

fn rows<B: Backend>(backend: &B, count: usize, width: usize, seed: usize) -> B::Rows {
    backend.upload(values(count * width, seed), width).unwrap()
}

fn linear<B: Backend>(backend: &B, [n, k]: [usize; 2]) -> B::Linear {
    let weight: Vec<f32> = values(n * k, 1).iter().map(|v| v * 0.2).collect();
    backend.linear(&Values::owned(&weight), [n, k], Some(values(n, 2))).unwrap()
}

struct Product(Activation);

impl Compute for Product {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let (m, k, n) = (7, 48, 33);
        let (layer, x) = (linear(backend, [n, k]), rows(backend, m, k, 3));
        let (residual, mut out) = (rows(backend, m, n, 4), B::Rows::default());
        let epilogue = Epilogue { activation: self.0, residual: Some(&residual) };
        backend.apply(&layer, &x, epilogue, &mut out).unwrap();
        backend.download(std::mem::take(&mut out)).unwrap()
    }
}

#[test]
fn products_agree() {
    for activation in [
        Activation::None,
        Activation::QuickGelu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
    ] {
        same(&format!("{activation:?}"), [1e-5, 0.01, 0.08], Product(activation));
    }
}

/// A product with and without its epilogue, and of several layers at once.
struct Products;

impl Compute for Products {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let (m, k, n) = (3, 20, 9);
        let (layer, other) = (linear(backend, [n, k]), linear(backend, [1, k]));
        let bare = backend.linear(&Values::owned(&values(n * k, 7)), [n, k], None).unwrap();
        let x = rows(backend, m, k, 3);
        let [mut a, mut b, mut c] = [B::Rows::default(), B::Rows::default(), B::Rows::default()];
        let outs = &mut [(&layer, &mut a), (&other, &mut b), (&bare, &mut c)];
        backend.apply_each(outs, &x).unwrap();
        let mut found = Vec::new();
        for epilogue in [Epilogue::none(), Epilogue::activation(Activation::Gelu)] {
            let mut out = B::Rows::default();
            backend.apply(&bare, &x, epilogue, &mut out).unwrap();
            // A residual that is a sum itself.
            let mut sum = B::Rows::default();
            backend.apply(&bare, &x, Epilogue::plus(&out), &mut sum).unwrap();
            backend.apply(&layer, &x, Epilogue::plus(&sum), &mut out).unwrap();
            found.extend(backend.download(out).unwrap());
        }
        for rows in [a, b, c] {
            found.extend(backend.download(rows).unwrap());
        }
        found
    }
}

#[test]
fn products_without_biases_and_sums_of_sums_agree() {
    same("products", [1e-5, 0.01, 0.1], Products);
}

struct Normalized {
    rows: usize,
    width: usize,
    bias: bool,
}

impl Compute for Normalized {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let &Normalized { rows: count, width, bias } = self;
        let bias = bias.then(|| values(width, 3));
        let norm = backend.norm(values(width, 2), bias, 1e-5).unwrap();
        let mut out = B::Rows::default();
        backend.normalize(&norm, &rows(backend, count, width, 1), &mut out).unwrap();
        let mut found = backend.download(std::mem::take(&mut out)).unwrap();
        // After a product, with a residual of either type, whether the sum is kept or not.
        let layer = linear(backend, [width, 10]);
        let (x, first) = (rows(backend, count, 10, 4), rows(backend, count, width, 5));
        let [mut sum, mut next] = [B::Rows::default(), B::Rows::default()];
        for (residual, keep) in [(&first, false), (&first, true)] {
            let parts = SumAndNorm { residual, norm: &norm, keep };
            backend.apply_and_normalize(&layer, &x, parts, &mut sum, &mut out).unwrap();
            found.extend(backend.download(std::mem::take(&mut out)).unwrap());
        }
        let parts = SumAndNorm { residual: &sum, norm: &norm, keep: true };
        backend.apply_and_normalize(&layer, &x, parts, &mut next, &mut out).unwrap();
        for rows in [out, sum, next] {
            found.extend(backend.download(rows).unwrap());
        }
        found
    }
}

#[test]
fn norms_agree() {
    for (rows, width) in [(5, 70), (1, 7), (3, 16), (2, 1000)] {
        for (name, bias) in [("layer norm", true), ("rms norm", false)] {
            let what = format!("{name} of {rows} rows of {width}");
            same(&what, [1e-5, 0.01, 0.06], Normalized { rows, width, bias });
        }
    }
}

/// Attention by each kind of scope, with and without cached rows.
struct Attended {
    scope: Kind,
    bias: bool,
    past: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Groups,
    Lists,
    Spans,
    EvenSpans,
}

impl Compute for Attended {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let (n, m, width, heads) = (12, 12, 30, Heads::scaled(3, 30));
        let all = m + self.past;
        let lists = RowLists::new(n, |query, list| {
            list.extend((0..all as u32).rev().step_by(query % 5 + 1));
        });
        let span = |queries, rows| Span { queries, rows };
        let spans = [span(0..5, 0..4), span(5..6, 7..12), span(6..12, 0..12)];
        // Groups in which no query attends to the last rows.
        let even = [0..4, 4..8, 8..12].map(|own| span(own.clone(), own.start / 2..own.end / 2));
        let scope = match self.scope {
            Kind::Groups => Scope::Groups(3),
            Kind::Lists => Scope::Lists(lists),
            Kind::Spans => Scope::Spans(spans.to_vec()),
            Kind::EvenSpans => Scope::Spans(even.to_vec()),
        };
        let bias =
            RelativeBias::new(3, all, all, |head, offset| 0.1 * head as f32 + 0.05 * offset as f32);
        let bias = self.bias.then_some(&bias);
        let mut cache = KvCache::<B>::default();
        for part in 0..self.past {
            let (keys, values) = (rows(backend, 1, width, part), rows(backend, 1, width, part + 9));
            cache.append(backend, 0, &keys, &values).unwrap();
        }
        let queries = rows(backend, n, width, 4);
        let (keys, values) = (rows(backend, m, width, 5), rows(backend, m, width, 6));
        let mut out = B::Rows::default();
        let scope = backend.scope(scope).unwrap();
        let mut kv = Kv::Read(&cache);
        let view = kv.view(backend, 0, &keys, &values).unwrap();
        backend.attend(heads, &queries, view, &scope, bias, &mut out).unwrap();
        let mut found = backend.download(std::mem::take(&mut out)).unwrap();
        // The same with the rows appended first.
        let mut kv = Kv::Append(&mut cache);
        let view = kv.view(backend, 0, &keys, &values).unwrap();
        if let Kind::Lists = self.scope {
            backend.attend(heads, &queries, view, &scope, bias, &mut out).unwrap();
            close(&backend.download(std::mem::take(&mut out)).unwrap(), &found, 1e-6, "appended");
        }
        if let Kind::Spans | Kind::EvenSpans = self.scope {
            backend.means(&queries, &scope, &mut out).unwrap();
            found.extend(backend.download(out).unwrap());
        }
        found
    }
}

#[test]
fn attention_agrees() {
    for (scope, bias, past) in [
        (Kind::Groups, false, 0),
        (Kind::Groups, true, 0),
        (Kind::Lists, false, 0),
        (Kind::Lists, true, 0),
        (Kind::Lists, false, 3),
        (Kind::Lists, true, 70),
        (Kind::Spans, false, 0),
        (Kind::EvenSpans, false, 0),
    ] {
        same(
            &format!("{scope:?} {bias} {past}"),
            [5e-6, 2e-3, 0.015],
            Attended { scope, bias, past },
        );
    }
}

/// By the kernel on CUDA, on the host on other devices. Logits of two values have many ties.
#[test]
fn reduced_logits_agree() {
    for (sequences, vocab, kinds) in [(1, 1, 61), (3, 100, 61), (5, 50_272, 997), (2, 30_524, 2)] {
        let logit = |i: usize| ((i * 7919 + i / 13) % kinds) as f32 / 16.0 - 9.0;
        let logits: Vec<f32> = (0..sequences * vocab).map(logit).collect();
        let picks = (0..9).map(|i| [i % sequences as u32, (i * i * 631) % vocab as u32]);
        let request = LogitsRequest { candidates: 17, picks: picks.collect() };
        for device in devices() {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let gpu = Gpu::new(&device, Precision::F32);
                let DeviceRows(rows) = gpu.upload(logits.clone(), vocab).unwrap();
                let rows = DeviceRows(rows.map(|rows| rows.to_dtype(dtype).unwrap()));
                let found = gpu.reduce_logits(&rows, &request).unwrap().unwrap();
                let rounded = rows.get().unwrap().to_dtype(DType::F32).unwrap();
                let rounded: Vec<f32> = rounded.flatten_all().unwrap().to_vec1().unwrap();
                let expected = ReducedLogits::of(&rounded, vocab, &request);
                let what = format!("{device:?} {dtype:?} {sequences} of {vocab}");
                close(&found.log_sums, &expected.log_sums, 1e-4, &what);
                assert_eq!(found.candidates, expected.candidates, "{what}");
                assert_eq!(found.picked, expected.picked, "{what}");
            }
            let gpu = Gpu::new(&device, Precision::F32);
            let beyond = LogitsRequest { candidates: 1, picks: vec![[0, vocab as u32]] };
            let rows = gpu.upload(logits.clone(), vocab).unwrap();
            assert!(gpu.reduce_logits(&rows, &beyond).is_err());
        }
    }
}

/// Rows of 16 bits attend in f32, and keep their type; a cache takes the type of its rows.
#[test]
fn attention_keeps_the_type_of_rows() {
    let (width, heads) = (12, Heads::scaled(3, 12));
    let scopes = || {
        let lists = RowLists::new(4, |query, list| list.extend(0..6 + query as u32));
        let span = |queries, rows| Span { queries, rows };
        let spans = vec![span(0..1, 0..7), span(1..4, 2..9)];
        [Scope::Lists(lists), Scope::Groups(1), Scope::Spans(spans)]
    };
    let (keys, values_) = (values(9 * width, 1), values(9 * width, 2));
    let queries = values(4 * width, 3);
    for device in devices() {
        let backend = Gpu::new(&device, Precision::F32);
        let run = |dtype: DType, scope: Scope| {
            let rows = |values: &[f32]| {
                let rows =
                    backend.copy(Source::Floats(values), &[values.len() / width, width], dtype);
                DeviceRows(Some(rows.unwrap()))
            };
            // The first five rows are in the cache, the others of the call.
            let mut layer = KvTensors::default();
            let (cached, current) = (5 * width, 5 * width..);
            backend.append(&mut layer, &rows(&keys[..cached]), &rows(&values_[..cached])).unwrap();
            let current = [rows(&keys[current.clone()]), rows(&values_[current])];
            let view = KvView { cached: Some(&layer), current: Some([&current[0], &current[1]]) };
            let scope = backend.scope(scope).unwrap();
            let mut out = DeviceRows::default();
            backend.attend(heads, &rows(&queries), view, &scope, None, &mut out).unwrap();
            assert_eq!(out.get().unwrap().dtype(), dtype);
            let found = out.get().unwrap().to_dtype(DType::F32).unwrap();
            found.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        for (dtype, bound) in [(DType::F16, 2e-3), (DType::BF16, 2e-2)] {
            for (found, expected) in scopes().into_iter().zip(scopes()) {
                let what = format!("{dtype:?} {found:?} {device:?}");
                close(&run(dtype, found), &run(DType::F32, expected), bound, &what);
            }
        }
    }
}

/// All operations that rearrange rows, in sequence.
struct Rearranged;

impl Compute for Rearranged {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let table = backend.table(Values::owned(&values(10 * 6, 1)), 6).unwrap();
        let [mut a, mut b, mut c] = [B::Rows::default(), B::Rows::default(), B::Rows::default()];
        let other = backend.table(Values::owned(&values(4 * 6, 5)), 6).unwrap();
        backend.lookup(&table, &[3, 0, 9, 3], &mut a).unwrap();
        backend.lookup_sum([(&table, &[5, 5, 1, 0]), (&other, &[3, 0, 1, 2])], &mut b).unwrap();
        backend.concat(&[&b, &a], &mut c).unwrap();
        backend.select(&c, &backend.ids(&[4, 1, 6, 3]).unwrap(), &mut a).unwrap();
        backend.add_lookup(&table, &[1, 2, 3, 4], &mut a).unwrap();
        backend.prepend(&rows(backend, 1, 6, 7), 2, &a, &mut b).unwrap();
        backend.add_to_groups(&rows(backend, 3, 6, 8), &mut b).unwrap();
        backend.repeat(&rows(backend, 3, 6, 9), 2, &mut c).unwrap();
        backend.multiply(&c, &mut b).unwrap();
        backend.scale(0.5, &mut b).unwrap();
        backend.concat(&[&a, &b], &mut c).unwrap();
        backend.select(&c, &backend.ids(&[9, 0, 4, 4]).unwrap(), &mut a).unwrap();
        [backend.download(a).unwrap(), backend.download(c).unwrap()].concat()
    }
}

#[test]
fn rearranged_rows_agree() {
    same("rows", [1e-6, 3e-3, 0.025], Rearranged);
}

/// A cache that grows, is truncated and grows again.
struct Cached;

impl Compute for Cached {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let (width, heads) = (8, Heads::scaled(2, 8));
        let mut cache = KvCache::<B>::default();
        let append = |cache: &mut KvCache<B>, count: usize, seed: usize| {
            let (keys, values) =
                (rows(backend, count, width, seed), rows(backend, count, width, 3));
            cache.append(backend, 0, &keys, &values).unwrap();
        };
        append(&mut cache, 100, 1);
        cache.truncate(backend, 70);
        append(&mut cache, 60, 2);
        cache.truncate(backend, 129);
        let lists = RowLists::new(1, |_, list| list.extend(0..129));
        let scope = backend.scope(Scope::Lists(lists)).unwrap();
        let view = KvView { cached: cache.layer(0), current: None };
        let mut out = B::Rows::default();
        let queries = rows(backend, 1, width, 5);
        backend.attend(heads, &queries, view, &scope, None, &mut out).unwrap();
        backend.download(std::mem::take(&mut out)).unwrap()
    }
}

#[test]
fn caches_agree() {
    same("cache", [2e-6, 1e-3, 8e-3], Cached);
}
