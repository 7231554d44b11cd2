//! The engine's layers against this library's kernels: one body for every device.

use candle_core::{Device, Tensor};

use super::super::attention::{self, Heads, Seen};
use super::super::{Activation, Epilogue, LayerNorm, Linear, Precision, RmsNorm};
use super::*;
use crate::rank::device::devices;

/// Values of a fixed, restless pattern.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
}

fn tensor(count: usize, width: usize, seed: usize, device: &Device) -> Tensor {
    Tensor::from_vec(values(count * width, seed), (count, width), device).unwrap()
}

fn close(found: &Tensor, expected: &[f32], bound: f32, what: &str) {
    let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= bound, "{what}: {found}, not {expected}");
    }
}

#[test]
fn products_are_the_kernels() {
    let activations = [
        Activation::None,
        Activation::QuickGelu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
    ];
    let (m, k, n) = (7, 48, 33);
    for device in devices() {
        for activation in activations {
            for (precision, bound) in
                [(Precision::F32, 1e-5), (Precision::F16, 0.02), (Precision::Bf16, 0.15)]
            {
                let cpu = Device::Cpu;
                let weight = (tensor(n, k, 1, &cpu) * 0.2).unwrap();
                let bias = tensor(1, n, 2, &cpu).flatten_all().unwrap();
                let kernels = Linear::new(&weight, Some(&bias), Precision::F32).unwrap();
                let residual = values(m * n, 4);
                let mut expected = vec![0.0; m * n];
                let epilogue = Epilogue { activation, residual: Some(&residual) };
                kernels.apply(&values(m * k, 3), m, &mut expected, epilogue).unwrap();
                let dense = Dense::new(&weight, Some(&bias), precision, &device).unwrap();
                let (x, residual) = (tensor(m, k, 3, &device), tensor(m, n, 4, &device));
                let found = dense.forward_with(&x, activation, Some(&residual)).unwrap();
                close(&found, &expected, bound, &format!("{activation:?} {precision:?}"));
            }
        }
    }
}

#[test]
fn normalisations_are_the_kernels() {
    let (rows, dim) = (5, 70);
    let x = values(rows * dim, 1);
    let cpu = Device::Cpu;
    let (weight, bias) = (tensor(1, dim, 2, &cpu), tensor(1, dim, 3, &cpu));
    let (weight, bias) = (weight.flatten_all().unwrap(), bias.flatten_all().unwrap());
    for device in devices() {
        let on = tensor(rows, dim, 1, &device);
        let mut expected = vec![0.0; x.len()];
        LayerNorm::new(&weight, &bias, 1e-5).unwrap().apply(&x, &mut expected).unwrap();
        let norm = Norm::new(&weight, Some(&bias), 1e-5, &device).unwrap();
        close(&norm.forward(&on).unwrap(), &expected, 2e-6, "layer");
        RmsNorm::new(&weight, 1e-6).unwrap().apply(&x, &mut expected).unwrap();
        let norm = Norm::new(&weight, None, 1e-6, &device).unwrap();
        close(&norm.forward(&on).unwrap(), &expected, 2e-6, "rms");
    }
}

#[test]
fn chains_are_the_kernels() {
    let (n, m, width, count) = (29, 33, 30, 3);
    let heads = Heads::scaled(count, width);
    let chain = |query: usize, rows: &mut Vec<u32>| {
        rows.extend((0..m as u32).rev().step_by(query % 7 + 1));
    };
    let (q, k, v) = (values(n * width, 4), values(m * width, 5), values(m * width, 6));
    let mut expected = vec![0.0; q.len()];
    attention::chains(heads, width, &q, Seen { keys: &k, values: &v }, chain, &mut expected);
    for device in devices() {
        let chains = Chains::new(n, chain, &device).unwrap();
        let (q, k) = (tensor(n, width, 4, &device), tensor(m, width, 5, &device));
        let v = tensor(m, width, 6, &device);
        close(&chains.attend(heads, &q, &k, &v).unwrap(), &expected, 2e-6, "all");
        let only = Tensor::new(&[20u32, 3, 3], &device).unwrap();
        let some = chains.select(&only).unwrap();
        let found = some.attend(heads, &q.index_select(&only, 0).unwrap(), &k, &v).unwrap();
        let rows = [20, 3, 3].map(|row| &expected[row * width..][..width]);
        close(&found, &rows.concat(), 2e-6, "some");
        let none = Chains::new(0, chain, &device).unwrap();
        let queries = q.narrow(0, 0, 0).unwrap();
        assert_eq!(none.attend(heads, &queries, &k, &v).unwrap().dims(), [0, width]);
    }
}

#[test]
fn groups_are_the_kernels() {
    for (n, m, width, count) in [(1, 1, 2, 1), (50, 50, 128, 2), (17, 33, 30, 3)] {
        let heads = Heads::scaled(count, width);
        let (q, k) = (values(3 * n * width, 1), values(3 * m * width, 2));
        let v = values(3 * m * width, 3);
        let mut expected = vec![0.0; q.len()];
        let seen = Seen { keys: &k, values: &v };
        attention::groups(heads, width, 3, &q, seen, &mut expected);
        for device in devices() {
            let (q, k) = (tensor(3 * n, width, 1, &device), tensor(3 * m, width, 2, &device));
            let v = tensor(3 * m, width, 3, &device);
            close(&groups(heads, 3, [&q, &k, &v], None).unwrap(), &expected, 2e-6, "groups");
        }
    }
}

/// A group of which a mask leaves the first rows, against the group without the others.
#[test]
fn what_is_masked_is_not_seen() {
    let (n, m, width, heads) = (4, 7, 6, Heads::scaled(2, 6));
    for device in devices() {
        let (q, k) = (tensor(2 * n, width, 1, &device), tensor(2 * m, width, 2, &device));
        let v = tensor(2 * m, width, 3, &device);
        let left = [5, 7];
        let mask =
            left.map(|left| (0..m).map(move |i| if i < left { 0.0 } else { f32::NEG_INFINITY }));
        let mask: Vec<f32> = mask.into_iter().flatten().collect();
        let mask = Tensor::from_vec(mask, (2, 1, 1, m), &device).unwrap();
        let found = groups(heads, 2, [&q, &k, &v], Some(&mask)).unwrap();
        for (group, left) in left.into_iter().enumerate() {
            let part = |all: &Tensor, rows, count| all.narrow(0, group * rows, count).unwrap();
            let own = [&part(&q, n, n), &part(&k, m, left), &part(&v, m, left)];
            let alone = groups(heads, 1, own, None).unwrap().flatten_all().unwrap();
            let alone = alone.to_vec1::<f32>().unwrap();
            close(&part(&found, n, n), &alone, 2e-6, "masked");
        }
    }
}
