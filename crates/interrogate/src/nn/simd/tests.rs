//! Every instruction set of the processor against scalar Rust, lane by lane.

use super::*;

/// Applies all operations to vectors of the three inputs.
struct Operations<'a>(&'a [f32; 16], &'a [f32; 16], &'a [f32; 16]);

impl Kernel for Operations<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (a, b, c) = (s.read(self.0), s.read(self.1), s.read(self.2));
        let lanes = |v: S::V| {
            let mut lanes = [0.0; 16];
            s.write(&mut lanes, v);
            lanes
        };
        let check = |name: &str, v: S::V, expected: &dyn Fn(f32, f32, f32) -> f32| {
            for (lane, found) in lanes(v).into_iter().take(S::LANES).enumerate() {
                let (a, b, c) = (self.0[lane], self.1[lane], self.2[lane]);
                let expected = expected(a, b, c);
                let same = expected.to_bits() == found.to_bits() || expected == found;
                assert!(same || expected.is_nan() && found.is_nan(), "{name} {a} {b} {c}: {found}");
            }
        };
        check("add", s.add(a, b), &|a, b, _| a + b);
        check("sub", s.sub(a, b), &|a, b, _| a - b);
        check("mul", s.mul(a, b), &|a, b, _| a * b);
        check("div", s.div(a, b), &|a, b, _| a / b);
        check("max", s.max(a, b), &|a, b, _| if a > b { a } else { b });
        check("min", s.min(a, b), &|a, b, _| if a < b { a } else { b });
        check("round", s.round(a), &|a, _, _| a.round_ties_even());
        check("if_less", s.if_less(a, b, c, a), &|a, b, c| if a < b { c } else { a });
        check("splat", s.splat(7.0), &|_, _, _| 7.0);
        let whole = s.round(s.min(s.splat(127.0), s.max(s.splat(-126.0), a)));
        let clamp = |a: f32| if a > -126.0 { a.min(127.0) } else { -126.0 };
        if self.0.iter().all(|a| !a.is_nan()) {
            check("pow2", s.pow2(whole), &|a, _, _| clamp(a).round_ties_even().exp2());
        }
        for (found, lane) in lanes(s.fma(a, b, c)).into_iter().zip(0..S::LANES) {
            let (a, b, c) = (self.0[lane], self.1[lane], self.2[lane]);
            let near = (found - a.mul_add(b, c)).abs() <= 2e-7 * ((a * b).abs() + c.abs());
            assert!(near || !(a * b + c).is_finite(), "fma {a} {b} {c}: {found}");
        }
        let finite = self.0.map(|v| if v.is_finite() { v % 1000.0 } else { 0.0 });
        let sum: f32 = finite[..S::LANES].iter().sum();
        assert!((s.sum(s.read(&finite)) - sum).abs() < 2e-2);
        let highest = finite[..S::LANES].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(s.highest(s.read(&finite)), highest);
    }
}

#[test]
fn operations_match_scalar_rust() {
    let a: [f32; 16] = std::array::from_fn(|i| (i as f32 - 7.5) * 1.3);
    let b: [f32; 16] = std::array::from_fn(|i| (i as f32 * 0.7).sin() + 0.01);
    let c: [f32; 16] = std::array::from_fn(|i| (i as f32).cos());
    let mut odd = a;
    odd[..7].copy_from_slice(&[0.5, 1.5, -2.5, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40]);
    let mut nan = b;
    nan[1] = f32::NAN;
    for isa in Isa::all() {
        isa.run(Operations(&a, &b, &c));
        isa.run(Operations(&odd, &b, &c));
        isa.run(Operations(&nan, &a, &c));
        isa.run(Operations(&a, &nan, &c));
    }
}

/// Widens sixteen values of both 16-bit types.
struct Widen<'a>(&'a [u16], &'a mut [f32], &'a mut [f32]);

impl Kernel for Widen<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for at in (0..self.0.len()).step_by(S::LANES) {
            // SAFETY: the length is a multiple of 16, so LANES values follow.
            let (f, b) = unsafe {
                let from = self.0.as_ptr().add(at);
                (s.load_f16(from), s.load_bf16(from))
            };
            s.write(&mut self.1[at..], f);
            s.write(&mut self.2[at..], b);
        }
    }
}

#[test]
fn every_16_bit_value_is_widened_exactly() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    for isa in Isa::all() {
        let (mut f, mut b) = (vec![0.0; all.len()], vec![0.0; all.len()]);
        isa.run(Widen(&all, &mut f, &mut b));
        for (i, bits) in all.iter().enumerate() {
            let (ef, eb) = (half::f16::from_bits(*bits).to_f32(), f32::from_bits((i as u32) << 16));
            assert!(f[i].to_bits() == ef.to_bits() || f[i].is_nan() && ef.is_nan());
            assert!(b[i].to_bits() == eb.to_bits() || b[i].is_nan() && eb.is_nan());
        }
    }
}

/// Rounds to bf16.
struct Round<'a>(&'a [f32], &'a mut [u16]);

impl Kernel for Round<'_> {
    const PAIRS: bool = true;
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for at in (0..self.0.len()).step_by(S::LANES) {
            // SAFETY: both lengths are one multiple of 16.
            unsafe { s.round_bf16(self.0.as_ptr().add(at), self.1.as_mut_ptr().add(at)) };
        }
    }
}

#[test]
fn rounding_to_bf16_is_to_nearest_even_on_every_isa() {
    let values: Vec<f32> =
        (0..1 << 16).map(|i: u32| f32::from_bits(0x3f80_0000 + i * 0x7fff)).collect();
    let expected: Vec<u16> = values.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect();
    for isa in Isa::all().into_iter().chain(Isa::bf16_pairs()) {
        let mut found = vec![0; values.len()];
        isa.run(Round(&values, &mut found));
        for ((v, e), f) in values.iter().zip(&expected).zip(&found) {
            assert!(e == f || v.is_nan() || v.is_subnormal(), "{isa:?}: {v} -> {f:x}, not {e:x}");
        }
    }
}

/// Products of the bytes `x` with the weights `w`, and the rounding of `values`.
struct Bytes<'a> {
    x: &'a [i8; 64],
    w: &'a [[i8; 64]; 16],
    values: &'a [f32; 16],
}

impl Kernel for Bytes<'_> {
    const BYTES: bool = true;
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Bytes { x, w, values } = self;
        let mut sums = s.start_sums(x.iter().map(|&x| i32::from(x)).sum());
        for step in 0..16 {
            let mut bytes = [0u8; 64];
            for (to, w) in bytes.chunks_exact_mut(4).zip(w) {
                let four = &w[4 * step..][..4];
                to.iter_mut().zip(four).for_each(|(to, w)| *to = w.cast_unsigned() ^ 128);
            }
            // SAFETY: `bytes` holds 4 * LANES weights, and `x` sixteen steps of four.
            sums = unsafe {
                s.add_products(sums, x[4 * step..].as_ptr(), s.load_bytes(bytes.as_ptr()))
            };
        }
        let mut found = [0.0; 16];
        s.write(&mut found, s.sums_to_f32(sums));
        for (found, w) in found.iter().zip(w).take(S::LANES) {
            let expected: i32 = x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum();
            assert_eq!(*found, expected as f32);
        }
        let mut codes = [0i8; 16];
        // SAFETY: LANES codes fit.
        unsafe { s.round_bytes(s.read(values), codes.as_mut_ptr()) };
        for (&code, value) in codes.iter().zip(values).take(S::LANES) {
            let expected = if value.is_nan() { -127.0 } else { value.clamp(-127.0, 127.0) };
            assert_eq!(f32::from(code), expected.round_ties_even(), "{value}");
        }
    }
}

#[test]
fn products_of_bytes_are_exact_on_every_isa() {
    let noise = |i: usize, j: usize| ((i * 131 + j * 37) % 255) as i32 - 127;
    let values = [
        0.5,
        1.5,
        -2.5,
        126.6,
        127.4,
        1e9,
        -1e9,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        3.49,
        -126.5,
        99.9,
        -1e-40,
        64.5,
    ];
    let mixed = (
        std::array::from_fn(|j| noise(3, j) as i8),
        std::array::from_fn(|i| std::array::from_fn(|j| noise(i, j) as i8)),
    );
    // The largest sums, of both signs.
    let ends = ([127; 64], std::array::from_fn(|i| [if i % 2 == 0 { 127 } else { -127 }; 64]));
    for isa in Isa::all().into_iter().chain([Isa::int8()]) {
        for (x, w) in [&mixed, &ends] {
            isa.run(Bytes { x, w, values: &values });
        }
    }
}
