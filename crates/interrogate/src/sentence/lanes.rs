//! Sums in sixteen lanes, so that the compiler may vectorise them: floating
//! point sums keep their order otherwise.

const LANES: usize = 16;

/// The sum over `a[i] * b[i]`, as far as both go.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The sum over `f(values[i])`.
pub(super) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += f(chunk[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&value| f(value)).sum::<f32>()
}

/// `y[i] += a * x[i]`, as far as both go.
pub(super) fn axpy(y: &mut [f32], a: f32, x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_what_is_left_over_are_all_counted() {
        for length in [0, 1, 15, 16, 17, 40] {
            let a: Vec<f32> = (1..=length).map(|i| i as f32).collect();
            let squares = (length * (length + 1) * (2 * length + 1) / 6) as f32;
            assert_eq!(dot(&a, &a), squares);
            assert_eq!(sum(&a, |v| v * v), squares);
        }
    }
}
