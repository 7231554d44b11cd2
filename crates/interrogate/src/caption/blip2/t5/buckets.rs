//! Buckets of relative positions: `_relative_position_bucket` of `modeling_t5.py`, transformers
//! 5.23.

use super::super::config::T5Config;

/// Returns the bucket of a key `offset` positions after its query, or before it if negative:
/// half of the buckets each (`_relative_position_bucket`, bidirectional).
pub(super) fn bucket_both(config: &T5Config, offset: isize) -> usize {
    let half = config.relative_attention_num_buckets / 2;
    let after = if offset > 0 { half } else { 0 };
    after + bucket(half, config.relative_attention_max_distance, offset.unsigned_abs())
}

/// Returns the bucket of a key `distance` positions before its query.
pub(super) fn bucket_back(config: &T5Config, distance: usize) -> usize {
    let buckets = config.relative_attention_num_buckets;
    bucket(buckets, config.relative_attention_max_distance, distance)
}

/// Returns the bucket of a distance: one bucket for each distance in the first half, then
/// logarithmically wider ones up to the distance `far`.
fn bucket(buckets: usize, far: usize, distance: usize) -> usize {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    // In f32 like the reference, so that a distance at an edge gets the same bucket.
    let (distance, exact_f) = (distance as f32, exact as f32);
    let share = (distance / exact_f).ln() / (far as f32 / exact_f).ln();
    (exact + (share * (buckets - exact) as f32) as usize).min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `T5Attention._relative_position_bucket` of transformers 5.23 over
    /// distances 0, 1, 7, 8, 15, 16, 20, 64, 127, 128, 1000.
    #[test]
    fn buckets_equal_the_reference() {
        let config = T5Config::default();
        let distances = [0usize, 1, 7, 8, 15, 16, 20, 64, 127, 128, 1000];
        let back = distances.map(|d| bucket_back(&config, d));
        assert_eq!(back, BACK);
        let before = distances.map(|d| bucket_both(&config, -(d as isize)));
        assert_eq!(before, BEFORE);
        let after = distances[1..].iter().map(|&d| bucket_both(&config, d as isize));
        assert_eq!(
            after.collect::<Vec<_>>(),
            BEFORE[1..].iter().map(|b| b + 16).collect::<Vec<_>>()
        );
    }

    const BACK: [usize; 11] = [0, 1, 7, 8, 15, 16, 17, 26, 31, 31, 31];
    const BEFORE: [usize; 11] = [0, 1, 7, 8, 9, 10, 10, 14, 15, 15, 15];
}
