//! The GPU backend against the CPU backend. One test body runs on every device.

use super::*;
use crate::nn::backend::{RowLists, Span};
use crate::nn::cpu::Cpu;
use crate::nn::{Kv, KvCache};

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

/// Checks that each device computes the same as the CPU.
fn same<C>(what: &str, bound: f32, compute: C)
where
    C: Compute,
{
    let expected = compute.on(&Cpu::new(Precision::F32));
    for device in devices() {
        let found = compute.on(&Gpu::new(&device, Precision::F32));
        close(&found, &expected, bound, &format!("{what} {device:?}"));
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
        same(&format!("{activation:?}"), 1e-5, Product(activation));
        let expected = Product(activation).on(&Cpu::new(Precision::F32));
        for device in devices() {
            for (precision, bound) in [(Precision::F16, 0.02), (Precision::Bf16, 0.15)] {
                let found = Product(activation).on(&Gpu::new(&device, precision));
                close(&found, &expected, bound, &format!("{activation:?} {precision:?}"));
            }
        }
    }
}

struct Normalized {
    bias: bool,
}

impl Compute for Normalized {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let bias = self.bias.then(|| values(70, 3));
        let norm = backend.norm(values(70, 2), bias, 1e-5).unwrap();
        let mut out = B::Rows::default();
        backend.normalize(&norm, &rows(backend, 5, 70, 1), &mut out).unwrap();
        backend.download(std::mem::take(&mut out)).unwrap()
    }
}

#[test]
fn norms_agree() {
    same("layer norm", 2e-6, Normalized { bias: true });
    same("rms norm", 2e-6, Normalized { bias: false });
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
        same(&format!("{scope:?} {bias} {past}"), 5e-6, Attended { scope, bias, past });
    }
}

/// All operations that rearrange rows, in sequence.
struct Rearranged;

impl Compute for Rearranged {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let table = backend.table(Values::owned(&values(10 * 6, 1)), 6).unwrap();
        let [mut a, mut b, mut c] = [B::Rows::default(), B::Rows::default(), B::Rows::default()];
        backend.lookup(&table, &[3, 0, 9, 3], &mut a).unwrap();
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
    same("rows", 1e-6, Rearranged);
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
    same("cache", 2e-6, Cached);
}
