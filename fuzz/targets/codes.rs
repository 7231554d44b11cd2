//! Arbitrary codes with arbitrary rows: a ranking has only existing rows. Correct codes of
//! the same rows: the ranking equals a full scan, bit for bit.

#![no_main]

use half::f16;
use half::slice::HalfBitsSliceExt;
use interrogate::encoder::Features;
use interrogate::rank::codes::{Codes, Coding};
use interrogate::rank::{Block, Order, Rows};
use interrogate_fuzz::Numbers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers(bytes);
    let dim = 1 + usize::from(numbers.byte()) % 70;
    let count = usize::from(numbers.byte());
    let k = usize::from(numbers.byte()) % (count / 8 + 2);
    let queries = 1 + usize::from(numbers.byte()) % 8;
    let order = if numbers.byte() % 2 == 0 { Order::Best } else { Order::Worst };
    let small = |byte: u8| f32::from(byte as i8) / 64.0;
    let queries: Vec<Features> = (0..queries)
        .filter_map(|_| Features::new((0..dim).map(|_| small(numbers.byte())).collect()).ok())
        .collect();
    let finite = numbers.byte() % 2 == 0;
    let bits: Vec<u16> = (0..dim * count)
        .map(|at| match finite {
            true => f16::from_f32(small(numbers.byte()) + (at % 3) as f32).to_bits(),
            false => numbers.u16(),
        })
        .collect();
    let rows: &[f16] = bits.reinterpret_cast();
    let plain = Rows::new(dim, vec![rows]).expect("whole rows");
    let whole = plain.top_k(&queries, k, order).expect("queries of the width");
    if finite && count > 0 {
        let coding = Coding::of(dim, rows);
        let block = Block { rows, codes: Some(coding.codes()) };
        let coded = Rows::with_codes(dim, vec![block]).expect("codes of the rows");
        let found = coded.top_k(&queries, k, order).expect("as before");
        for (whole, found) in whole.iter().zip(&found) {
            let bits = |hit: &interrogate::rank::Hit| (hit.row, hit.score.to_bits());
            assert!(whole.iter().map(bits).eq(found.iter().map(bits)));
        }
    }
    let mean: Vec<f32> = (0..dim).map(|_| numbers.f32()).collect();
    let spread: Vec<f32> = (0..dim).map(|_| numbers.f32()).collect();
    let spread = (numbers.byte() % 2 == 0).then_some(&spread[..]);
    let scales: Vec<f32> = (0..count).map(|_| numbers.f32()).collect();
    let slack: Vec<f32> = (0..count).map(|_| numbers.f32()).collect();
    let codes: Vec<i8> = (0..dim * count).map(|_| numbers.byte() as i8).collect();
    let codes = Codes::new(&mean, spread, &scales, &slack, &codes).expect("lengths that fit");
    let forged = Rows::with_codes(dim, vec![Block { rows, codes: Some(codes) }]).expect("too");
    for hits in forged.top_k(&queries, k, order).expect("as before") {
        assert!(hits.len() <= k && hits.iter().all(|hit| hit.row < count));
    }
});
