//! Products in eight bits against f64 of the rounded values, and all instruction sets against
//! each other, bit for bit.

use super::super::super::activation::{Activation, Fused};
use super::super::super::simd::Isa;
use super::super::Out;
use super::super::tests::noise;
use super::*;

const SHAPES: [(usize, usize, usize); 8] = [
    (1, 64, 4),
    (1, 1, 1),
    (2, 63, 5),
    (4, 200, 33),
    (6, 65, 70),
    (15, 130, 128),
    (197, 130, 18),
    (9, 2560, 7),
];

fn isas() -> Vec<Isa> {
    Isa::all().into_iter().chain([Isa::int8()]).collect()
}

fn pack(isa: Isa, w: &[f32], n: usize, k: usize) -> Q8 {
    Q8::pack(isa, (n, k), |j, row| row.copy_from_slice(&w[j * k..(j + 1) * k]))
}

fn product(weight: &Q8, x: &[f32], m: usize, fused: &Fused<'_>) -> Vec<f32> {
    let mut out = vec![f32::NAN; m * weight.n()];
    Q8::products(&[Part { weight, out: Out::new(&mut out, weight.n()), fused }], x, m);
    out
}

/// The values of rows of `k`, rounded as the module documents, in f64.
fn rounded(values: &[f32], k: usize) -> Vec<f64> {
    let block = |block: &[f32]| -> Vec<f64> {
        let most = block.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let code = |v: &f32| f64::from((v * (127.0 / most)).round_ties_even());
        block.iter().map(|v| code(v) * f64::from(most / 127.0)).collect()
    };
    values.chunks(k).flat_map(|row| row.chunks(BLOCK)).flat_map(block).collect()
}

#[test]
fn products_are_those_of_the_rounded_values() {
    for (m, k, n) in SHAPES {
        let (x, w) = (noise(m as u64, m * k), noise(7, n * k));
        let (rx, rw) = (rounded(&x, k), rounded(&w, k));
        for isa in isas() {
            let found = product(&pack(isa, &w, n, k), &x, m, &Fused::default());
            for (i, found) in found.into_iter().enumerate() {
                let terms = rx[i / n * k..][..k].iter().zip(&rw[i % n * k..][..k]);
                let (sum, size) = terms
                    .map(|(a, b)| a * b)
                    .fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
                let wrong = (f64::from(found) - sum).abs();
                assert!(wrong <= 1e-6 * size + 1e-30, "{isa:?} {m} {k} {n}: {found}, not {sum}");
            }
        }
    }
}

#[test]
fn rounding_error_is_within_its_bound() {
    let (k, n) = (1000, 50);
    let (x, w) = (noise(1, k), noise(2, n * k));
    let found = product(&pack(Isa::int8(), &w, n, k), &x, 1, &Fused::default());
    for (found, w) in found.iter().zip(w.chunks(k)) {
        let exact: f64 = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        // Each factor is off by 1/254 of at most 1: so each product is off by twice that plus
        // its square.
        let bound = k as f64 * (2.0 / 254.0 + 1.0 / (254.0 * 254.0));
        let wrong = (f64::from(*found) - exact).abs();
        assert!(wrong > 0.0 && wrong < bound, "{wrong}");
        // Errors have both signs, so the sum grows with the root of the number of terms.
        assert!(wrong < 5.0 * (k as f64).sqrt() * 2.0 / 254.0, "{wrong}");
    }
}

#[test]
fn every_isa_and_batch_gives_the_same_bits() {
    for (m, k, n) in SHAPES {
        let (x, w, bias) = (noise(3, m * k), noise(4, n * k), noise(5, n));
        let fused = Fused { bias: Some(&bias), activation: Activation::Relu, residual: None };
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let expected = bits(product(&pack(Isa::PORTABLE, &w, n, k), &x, m, &fused));
        for isa in isas() {
            let weight = pack(isa, &w, n, k);
            assert_eq!(bits(product(&weight, &x, m, &fused)), expected, "{isa:?} {m} {k} {n}");
            let rows = x.chunks(k).map(|row| product(&weight, row, 1, &fused));
            assert_eq!(bits(rows.collect::<Vec<_>>().concat()), expected, "{isa:?}, alone");
        }
    }
}

#[test]
fn ends_of_the_range_do_not_overflow() {
    // Sixty-four products of 127 times 127 of one sign: the largest sums, also for kernels that
    // add pairs in sixteen bits first.
    let (k, n) = (128, 4);
    for sign in [1.0, -1.0] {
        for isa in isas() {
            let weight = pack(isa, &vec![sign; n * k], n, k);
            let found = product(&weight, &vec![1.0; k], 1, &Fused::default());
            assert!(found.iter().all(|v| (v - sign * k as f32).abs() < 1e-4), "{isa:?} {found:?}");
        }
    }
}

#[test]
fn zeros_stay_zero_and_non_finite_values_give_nan() {
    let (k, n) = (70, 2);
    for isa in isas() {
        let weight = pack(isa, &vec![0.0; n * k], n, k);
        assert_eq!(product(&weight, &noise(1, k), 1, &Fused::default()), [0.0; 2]);
        for value in [f32::NAN, f32::INFINITY] {
            let mut w = noise(2, n * k);
            w[k + 69] = value;
            let weight = pack(isa, &w, n, k);
            let found = product(&weight, &noise(1, k), 1, &Fused::default());
            assert!(found[0].is_finite() && found[1].is_nan(), "{isa:?} {found:?}");
            let mut x = noise(1, k);
            x[3] = value;
            let weight = pack(isa, &noise(2, n * k), n, k);
            assert!(product(&weight, &x, 1, &Fused::default()).iter().all(|v| v.is_nan()));
        }
        let weight = pack(isa, &vec![1e-44; n * k], n, k);
        let found = product(&weight, &vec![1.0; k], 1, &Fused::default());
        assert!(found.iter().all(|v| v.is_finite()), "{found:?}");
    }
}
