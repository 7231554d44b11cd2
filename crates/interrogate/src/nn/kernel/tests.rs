//! Every layout and instruction set against f64, with odd shapes.

use std::sync::Arc;

use super::super::activation::{Activation, Fused};
use super::super::simd::{Amx, Isa};
use super::*;

/// Pseudorandom numbers (splitmix64), uniform in -1..1.
pub(super) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// `x w^T` in f64, and the sum of the terms' magnitudes, which bounds the rounding error.
fn reference(x: &[f32], w: &[f32], k: usize) -> Vec<(f64, f64)> {
    let terms = |a: &[f32], b: &[f32]| {
        let terms = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
        terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
    };
    x.chunks(k).flat_map(|a| w.chunks(k).map(move |b| terms(a, b))).collect()
}

fn check(found: &[f32], expected: &[(f64, f64)], error: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &(sum, size))) in found.iter().zip(expected).enumerate() {
        let wrong = (f64::from(found) - sum).abs();
        assert!(wrong <= error * size + 1e-30, "{what}: value {i} is {found}, not {sum}");
    }
}

const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (1, 17, 33),
    (2, 64, 130),
    (3, 100, 70),
    (4, 31, 64),
    (5, 769, 40),
    (6, 48, 257),
    (7, 33, 31),
    (13, 385, 32),
    (14, 400, 96),
    (15, 1025, 35),
    (29, 64, 64),
    (127, 40, 50),
    (300, 50, 67),
];

fn product(panels: &Panels, x: &[f32], m: usize, fused: &Fused<'_>) -> Vec<f32> {
    let mut out = vec![f32::NAN; m * panels.n()];
    let part = Part { weight: panels, out: Out::new(&mut out, panels.n()), fused };
    Panels::products(&[part], x, m);
    out
}

fn stored(values: &[f32], element: Element) -> Arc<Vec<u8>> {
    Arc::new(match element {
        Element::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
        Element::Bf16 => {
            values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect()
        }
    })
}

fn rounded(values: &[f32], element: Element) -> Vec<f32> {
    let round = |&v: &f32| match element {
        Element::F16 => half::f16::from_f32(v).to_f32(),
        Element::Bf16 => half::bf16::from_f32(v).to_f32(),
    };
    values.iter().map(round).collect()
}

#[test]
fn panels_compute_the_product_on_every_isa() {
    for (m, k, n) in SHAPES {
        let (x, w) = (noise(1, m * k), noise(2, n * k));
        let expected = reference(&x, &w, k);
        for isa in Isa::all() {
            let panels = Panels::pack(isa, &w, n, k);
            let found = product(&panels, &x, m, &Fused::default());
            check(&found, &expected, 1e-6, &format!("{isa:?} {m} {k} {n}"));
        }
    }
}

#[test]
fn panels_of_pairs_compute_the_product_of_bf16_values() {
    let Some(isa) = Isa::bf16_pairs() else { return };
    for (m, k, n) in SHAPES {
        let (x, w) = (noise(1, m * k), noise(2, n * k));
        let expected = reference(&rounded(&x, Element::Bf16), &rounded(&w, Element::Bf16), k);
        let found = product(&Panels::pack(isa, &w, n, k), &x, m, &Fused::default());
        check(&found, &expected, 2e-6, &format!("{m} {k} {n}"));
    }
}

fn by_tiles(tiles: &Tiles, x: &[f32], m: usize, fused: &Fused<'_>) -> Vec<f32> {
    let mut out = vec![f32::NAN; m * tiles.n()];
    let part = Part { weight: tiles, out: Out::new(&mut out, tiles.n()), fused };
    Tiles::products(&[part], x, m);
    out
}

#[test]
fn tiles_of_three_pieces_compute_the_product_of_f32_values() {
    let Some(amx) = Amx::get() else { return };
    let larger = [(33, 1700, 65), (200, 800, 33), (400, 96, 100)];
    for (m, k, n) in SHAPES.into_iter().chain(larger) {
        // Values over nine orders of magnitude on either side.
        let spread = |values: Vec<f32>| -> Vec<f32> {
            values.iter().enumerate().map(|(i, v)| v * 10f32.powi((i % 19) as i32 - 9)).collect()
        };
        let (x, w) = (spread(noise(1, m * k)), spread(noise(2, n * k)));
        let found = by_tiles(&Tiles::f32(amx, &w, n, k), &x, m, &Fused::default());
        check(&found, &reference(&x, &w, k), 5e-7, &format!("{m} {k} {n}"));
    }
}

#[test]
fn tiles_are_more_accurate_than_panels() {
    let Some(amx) = Amx::get() else { return };
    let (m, k, n) = (40, 2048, 64);
    let (x, w) = (noise(1, m * k), noise(2, n * k));
    let expected = reference(&x, &w, k);
    let error = |found: Vec<f32>| -> f64 {
        found.iter().zip(&expected).map(|(&v, &(sum, _))| (f64::from(v) - sum).powi(2)).sum()
    };
    let tiles = error(by_tiles(&Tiles::f32(amx, &w, n, k), &x, m, &Fused::default()));
    let panels = Panels::pack(Isa::best(), &w, n, k);
    let panels = error(product(&panels, &x, m, &Fused::default()));
    assert!(tiles < panels, "{tiles:e} and {panels:e}");
}

#[test]
fn tiles_of_one_piece_compute_the_product_of_bf16_values() {
    let Some(amx) = Amx::get() else { return };
    for (m, k, n) in SHAPES {
        let (x, w) = (noise(1, m * k), noise(2, n * k));
        let expected = reference(&rounded(&x, Element::Bf16), &rounded(&w, Element::Bf16), k);
        let found = by_tiles(&Tiles::bf16(amx, &w, n, k), &x, m, &Fused::default());
        check(&found, &expected, 2e-6, &format!("{m} {k} {n}"));
    }
}

#[test]
fn products_of_several_weights_equal_those_of_each() {
    let (k, sizes) = (70, [40, 7, 100]);
    for m in [1, 20, 300] {
        let x = noise(1, m * k);
        let weights: Vec<Vec<f32>> = sizes.iter().map(|n| noise(*n as u64, n * k)).collect();
        let panels = weights
            .iter()
            .zip(sizes)
            .map(|(w, n)| Weight::Panels(Panels::pack(Isa::best(), w, n, k)))
            .collect::<Vec<_>>();
        let tiles = |amx| {
            let weights = weights.iter().zip(sizes);
            weights.map(|(w, n)| Weight::Tiles(Tiles::f32(amx, w, n, k))).collect::<Vec<_>>()
        };
        let q8 = weights.iter().zip(sizes).map(|(w, n)| {
            let fill = |j: usize, row: &mut [f32]| row.copy_from_slice(&w[j * k..(j + 1) * k]);
            Weight::Q8(Q8::pack(Isa::int8(), (n, k), fill))
        });
        let q8 = q8.collect::<Vec<_>>();
        let rows = weights.iter().zip(sizes).map(|(w, n)| {
            let rows = Rows::new(Isa::best(), stored(w, Element::F16), 0, Element::F16, (n, k));
            Weight::Rows(rows.unwrap())
        });
        let rows = rows.collect::<Vec<_>>();
        for weights in Amx::get().map(tiles).into_iter().chain([panels, q8, rows]) {
            let mut outs = sizes.map(|n| vec![f32::NAN; m * n]);
            let fused = Fused::default();
            let products = weights.iter().zip(&mut outs);
            let products: Vec<_> =
                products.map(|(w, out)| (w, Out::new(out, w.n()), &fused)).collect();
            Weight::products(&products, &x, m);
            for (weight, out) in weights.iter().zip(outs) {
                let mut alone = vec![f32::NAN; out.len()];
                weight.product(&x, m, &mut alone, &fused);
                assert_eq!(out, alone);
            }
        }
    }
}

#[test]
fn non_finite_inputs_give_nan_in_tiles() {
    let Some(amx) = Amx::get() else { return };
    for wrong in [f32::NAN, f32::from_bits(0x7fff_ffff), f32::INFINITY, f32::MAX] {
        let (mut x, w) = (noise(1, 3 * 40), noise(2, 5 * 40));
        x[47] = wrong;
        let found = by_tiles(&Tiles::f32(amx, &w, 5, 40), &x, 3, &Fused::default());
        assert!(found[..5].iter().chain(&found[10..]).all(|v| v.is_finite()), "{wrong}");
        assert!(found[5..10].iter().all(|v| v.is_nan()), "{wrong}: {:?}", &found[5..10]);
    }
}

#[test]
fn rows_compute_the_product_of_the_stored_values_on_every_isa() {
    for (m, k, n) in SHAPES {
        let (x, w) = (noise(3, m * k), noise(4, n * k));
        for element in [Element::F16, Element::Bf16] {
            let expected = reference(&x, &rounded(&w, element), k);
            for isa in Isa::all() {
                let rows = Rows::new(isa, stored(&w, element), 0, element, (n, k)).unwrap();
                let mut found = vec![f32::NAN; m * n];
                rows.product(&x, m, Out::new(&mut found, n), &Fused::default());
                check(&found, &expected, 1e-6, &format!("{isa:?} {element:?} {m} {k} {n}"));
            }
        }
    }
}

#[test]
fn rows_have_the_same_bits_alone_and_in_a_batch() {
    let (m, k, n) = (150, 1100, 70);
    let (x, w) = (noise(5, m * k), noise(6, n * k));
    let bias = noise(7, n);
    let fused = Fused { bias: Some(&bias), activation: Activation::QuickGelu, ..Fused::default() };
    for isa in Isa::all().into_iter().chain(Isa::bf16_pairs()) {
        let panels = Panels::pack(isa, &w, n, k);
        let all = product(&panels, &x, m, &fused);
        for count in [1, 2, 3, 5, 8, 14, 40, 127] {
            let some = product(&panels, &x[10 * k..(10 + count) * k], count, &fused);
            assert_eq!(some, all[10 * n..(10 + count) * n], "{isa:?} {count}");
        }
    }
    for tiles in Amx::get()
        .into_iter()
        .flat_map(|amx| [Tiles::f32(amx, &w, n, k), Tiles::bf16(amx, &w, n, k)])
    {
        let x = noise(5, 450 * k);
        let all = by_tiles(&tiles, &x, 450, &fused);
        for count in [1, 2, 3, 5, 16, 17, 33, 127, 200, 440] {
            let some = by_tiles(&tiles, &x[10 * k..(10 + count) * k], count, &fused);
            assert_eq!(some, all[10 * n..(10 + count) * n], "tiles {count}");
        }
    }
}

#[test]
fn stored_rows_have_the_same_bits_alone_and_in_a_batch() {
    // Inputs that end within a vector, at a block's end and one value after it; outputs that end
    // within a group of four.
    for (k, n) in [(1100, 70), (1024, 64), (513, 9), (8, 3)] {
        let (m, bias) = (200, noise(7, n));
        let (x, w) = (noise(5, m * k), noise(6, n * k));
        let fused =
            Fused { bias: Some(&bias), activation: Activation::QuickGelu, ..Fused::default() };
        let kinds = [Element::F16, Element::Bf16];
        for (isa, element) in Isa::all().into_iter().flat_map(|isa| kinds.map(|kind| (isa, kind))) {
            let rows = Rows::new(isa, stored(&w, element), 0, element, (n, k)).unwrap();
            let product = |x: &[f32], m: usize| {
                let mut out = vec![f32::NAN; m * n];
                rows.product(x, m, Out::new(&mut out, n), &fused);
                out
            };
            let all = product(&x, m);
            for count in [1, 2, 3, 4, 5, 6, 7, 12, 13, 40, 48, 96, 97, 190] {
                let some = product(&x[10 * k..(10 + count) * k], count);
                assert_eq!(some, all[10 * n..(10 + count) * n], "{isa:?} {element:?} {count} {k}");
            }
        }
    }
}

#[test]
fn bias_activation_and_residual_apply_in_that_order() {
    for (m, k, n) in [(1, 20, 40), (5, 20, 33), (140, 20, 70)] {
        let (x, w, bias, residual) =
            (noise(1, m * k), noise(2, n * k), noise(3, n), noise(4, m * n));
        let fused =
            Fused { bias: Some(&bias), activation: Activation::Relu, residual: Some(&residual) };
        if let Some(amx) = Amx::get() {
            let tiles = Tiles::f32(amx, &w, n, k);
            let plain = by_tiles(&tiles, &x, m, &Fused::default());
            let expected: Vec<f32> =
                (0..m * n).map(|i| (plain[i] + bias[i % n]).max(0.0) + residual[i]).collect();
            assert_eq!(by_tiles(&tiles, &x, m, &fused), expected);
        }
        for isa in Isa::all() {
            let panels = Panels::pack(isa, &w, n, k);
            let plain = product(&panels, &x, m, &Fused::default());
            let expected: Vec<f32> =
                (0..m * n).map(|i| (plain[i] + bias[i % n]).max(0.0) + residual[i]).collect();
            assert_eq!(product(&panels, &x, m, &fused), expected, "{isa:?}");
            let rows = Rows::new(isa, stored(&w, Element::F16), 0, Element::F16, (n, k));
            let (rows, mut plain, mut found) = (rows.unwrap(), vec![0.0; m * n], vec![0.0; m * n]);
            rows.product(&x, m, Out::new(&mut plain, n), &Fused::default());
            rows.product(&x, m, Out::new(&mut found, n), &fused);
            let expected: Vec<f32> =
                (0..m * n).map(|i| (plain[i] + bias[i % n]).max(0.0) + residual[i]).collect();
            assert_eq!(found, expected, "{isa:?}");
        }
    }
}

#[test]
fn rows_may_start_at_any_byte_and_must_end_in_bounds() {
    let (k, n) = (19, 5);
    let (x, w) = (noise(8, k), noise(9, n * k));
    let mut bytes = vec![0xff; 3];
    bytes.extend_from_slice(&stored(&w, Element::F16));
    let bytes: Arc<Vec<u8>> = Arc::new(bytes);
    let rows = |start, shape| Rows::new(Isa::best(), bytes.clone(), start, Element::F16, shape);
    let mut found = vec![0.0; n];
    rows(3, (n, k)).unwrap().product(&x, 1, Out::new(&mut found, n), &Fused::default());
    check(&found, &reference(&x, &rounded(&w, Element::F16), k), 1e-6, "unaligned");
    assert!(rows(4, (n, k)).is_none());
    assert!(rows(3, (n + 1, k)).is_none());
    assert!(rows(3, (usize::MAX, k)).is_none());
    assert!(rows(usize::MAX, (n, k)).is_none());
}
