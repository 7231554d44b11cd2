//! Every kernel of this processor against the definition, bit by bit.

use proptest::prelude::*;

use super::*;

/// The definition in scalar code.
fn defined(row: &[f16], query: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (d, (value, query)) in row.iter().zip(query).enumerate() {
        lanes[d % LANES] = value.to_f32().mul_add(*query, lanes[d % LANES]);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}

/// The bits of a score, with one pattern for every NaN.
fn bits(score: f32) -> u32 {
    if score.is_nan() { f32::NAN.to_bits() } else { score.to_bits() }
}

/// All rows with all queries, by `dots` and by `single`.
fn check(dim: usize, rows: &[f16], queries: &[Vec<f32>]) {
    let wanted: Vec<Vec<u32>> = queries
        .iter()
        .map(|query| rows.chunks(dim).map(|row| bits(defined(row, query))).collect())
        .collect();
    for kernel in Kernel::available() {
        let mut single = vec![0.0; rows.len() / dim];
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let pack = Pack::new(dim, &queries);
        for (q, wanted) in wanted.iter().enumerate() {
            let query = (pack.groups().nth(q / GROUP).unwrap(), q % GROUP);
            kernel.single(rows, dim, query, PREFETCH_DISTANCE, &mut single);
            let found: Vec<u32> = single.iter().copied().map(bits).collect();
            assert_eq!(&found, wanted, "{} single, dim {dim}", kernel.name());
        }
        for (r, quad) in rows.chunks(GROUP * dim).enumerate() {
            let mut widened = vec![Step([[f32::NAN; LANES]; GROUP]); pack.steps()];
            kernel.widen(quad, dim, &mut widened);
            for (q, group) in pack.groups().enumerate() {
                let scores = kernel.dots(&widened, group);
                for (q, scores) in (q * GROUP..queries.len()).zip(&scores) {
                    let found = scores[..quad.len() / dim].iter().copied().map(bits);
                    let wanted = &wanted[q][r * GROUP..][..quad.len() / dim];
                    assert_eq!(found.collect::<Vec<_>>(), wanted, "{} dim {dim}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn portable_kernel_is_always_available() {
    assert_eq!(Kernel::available().last().unwrap().name(), "portable");
    assert_eq!(Kernel::best().name(), Kernel::available().next().unwrap().name());
}

#[test]
fn lanes_fold_in_the_order_of_the_definition() {
    // Lane 8 is added to lane 0 before lane 1 is: the small value is lost first.
    let mut lanes = [0.0; LANES];
    (lanes[0], lanes[8], lanes[1]) = (1e8, 1.0, -1e8);
    assert_eq!(fold(&lanes), 0.0);
    (lanes[0], lanes[8], lanes[1]) = (1e8, -1e8, 1.0);
    assert_eq!(fold(&lanes), 1.0);
}

#[test]
fn nan_stays_in_its_row() {
    let mut rows = vec![f16::ONE; 9 * 20];
    (rows[0], rows[21], rows[59], rows[60]) =
        (f16::NAN, f16::INFINITY, f16::NEG_INFINITY, f16::MAX);
    (rows[100], rows[101]) = (f16::INFINITY, f16::NEG_INFINITY);
    check(20, &rows, &[vec![1.0; 20], vec![0.0; 20], vec![-1.0; 20]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any dim around the multiples of 16, any number of rows and queries, and every f16 but
    /// NaN: subnormals, infinities and both zeros included.
    #[test]
    fn every_kernel_gives_the_bits_of_the_definition(
        dim in 1usize..70,
        rows in 1usize..22,
        queries in 1usize..10,
        seed in prop::collection::vec((any::<u16>(), -1.0f32..1.0), 97),
    ) {
        let half = |i: usize| f16::from_bits(seed[i % 97].0.wrapping_add(i as u16));
        let ordinary = |h: f16| if h.is_nan() { f16::ZERO } else { h };
        let rows: Vec<f16> = (0..rows * dim).map(half).map(ordinary).collect();
        let queries: Vec<Vec<f32>> =
            (0..queries).map(|q| (0..dim).map(|d| seed[(q * dim + d) % 97].1).collect()).collect();
        check(dim, &rows, &queries);
    }
}
