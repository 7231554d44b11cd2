//! Both forms against plain loops in f64, and against each other.

use super::*;

/// Rows (count, width) of a fixed pattern.
fn rows(count: usize, width: usize, seed: usize) -> Vec<f32> {
    (0..count * width).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
}

/// One query over the rows `list`, by the definition.
fn plain(heads: Heads, query: &[f32], [keys, values]: [&[f32]; 2], list: &[u32]) -> Vec<f64> {
    let (width, head) = (query.len(), query.len() / heads.count);
    let mut out = vec![0.0; width];
    for at in (0..width).step_by(head) {
        let part = |of: &[f32], row: u32, i: usize| f64::from(of[row as usize * width + at + i]);
        let score = |&row: &u32| {
            let dot: f64 = (0..head).map(|i| f64::from(query[at + i]) * part(keys, row, i)).sum();
            (dot * f64::from(heads.scale)).exp()
        };
        let scores: Vec<f64> = list.iter().map(score).collect();
        let total: f64 = scores.iter().sum();
        for i in 0..head {
            let sum: f64 = list.iter().zip(&scores).map(|(&row, w)| w * part(values, row, i)).sum();
            out[at + i] = sum / total;
        }
    }
    out
}

fn close(found: &[f32], expected: &[f64], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 2e-6, "{what}: {found} {expected}");
    }
}

/// Queries, keys of a group, width, heads. Covers more than a tile of rows, more than a block of
/// keys, heads of odd widths and wider than a panel.
const SHAPES: [(usize, usize, usize, usize); 7] = [
    (1, 1, 2, 1),
    (3, 5, 12, 2),
    (50, 50, 128, 2),
    (17, 33, 30, 3),
    (4, 800, 64, 1),
    (29, 385, 88, 1),
    (2, 3, 800, 2),
];

#[test]
fn groups_agree_with_the_definition() {
    for (n, m, width, count) in SHAPES {
        let heads = Heads::scaled(count, width);
        let (q, k, v) = (rows(2 * n, width, 1), rows(2 * m, width, 2), rows(2 * m, width, 3));
        let kv = [&k[..], &v[..]];
        let mut out = vec![f32::NAN; q.len()];
        attend_groups(heads, width, 2, &q, kv, None, &mut out);
        for (row, (query, out)) in q.chunks(width).zip(out.chunks(width)).enumerate() {
            let first = (row / n * m) as u32;
            let list: Vec<u32> = (first..first + m as u32).collect();
            close(out, &plain(heads, query, kv, &list), &format!("{n} {m} {width}"));
        }
    }
}

#[test]
fn lists_agree_with_the_definition() {
    for (n, m, width, count) in SHAPES {
        let heads = Heads::scaled(count, width);
        let (q, k, v) = (rows(n, width, 4), rows(m, width, 5), rows(m, width, 6));
        let kv = [&k[..], &v[..]];
        // Query i attends to every (i + 1)-th row, from the last to the first.
        let list = |i: usize| (0..m as u32).rev().step_by(i % 7 + 1).collect::<Vec<_>>();
        let mut out = vec![f32::NAN; q.len()];
        let kv_rows = KvRows::new(width, None, kv);
        attend_lists(heads, &q, kv_rows, |i, rows| rows.extend(list(i)), None, &mut out);
        for (i, (query, out)) in q.chunks(width).zip(out.chunks(width)).enumerate() {
            close(out, &plain(heads, query, kv, &list(i)), &format!("{n} {m} {width}"));
        }
    }
}

#[test]
fn rows_have_the_same_bits_in_any_batch() {
    let (width, heads) = (48, Heads::scaled(3, 48));
    let (q, k, v) = (rows(70, width, 1), rows(40, width, 2), rows(40, width, 3));
    let kv = [&k[..], &v[..]];
    let all = |i: usize, rows: &mut Vec<u32>| rows.extend(0..=(i % 40) as u32);
    let mut together = vec![0.0; q.len()];
    let kv_rows = KvRows::new(width, None, kv);
    attend_lists(heads, &q, kv_rows, all, None, &mut together);
    for (i, (query, expected)) in q.chunks(width).zip(together.chunks(width)).enumerate() {
        let mut alone = vec![0.0; width];
        attend_lists(heads, query, kv_rows, |_, rows| all(i, rows), None, &mut alone);
        assert_eq!(alone, expected);
    }
    let (k, v) = (rows(70, width, 4), rows(70, width, 5));
    attend_groups(heads, width, 2, &q, [&k, &v], None, &mut together);
    for half in [0..35 * width, 35 * width..70 * width] {
        let kv = [&k[half.clone()], &v[half.clone()]];
        let mut alone = vec![0.0; 35 * width];
        attend_groups(heads, width, 1, &q[half.clone()], kv, None, &mut alone);
        assert_eq!(alone, together[half]);
    }
}

#[test]
fn extreme_scores_stay_finite() {
    let (q, k, v) = (vec![1e4; 16], rows(3, 16, 1), rows(3, 16, 2));
    let kv = [&k[..], &v[..]];
    let (mut list, mut group) = (vec![0.0; 16], vec![0.0; 16]);
    let kv_rows = KvRows::new(16, None, kv);
    attend_lists(Heads::scaled(1, 16), &q, kv_rows, |_, rows| rows.extend(0..3), None, &mut list);
    attend_groups(Heads::scaled(1, 16), 16, 1, &q, kv, None, &mut group);
    assert!(list.iter().chain(&group).all(|v| v.is_finite()));
}

#[test]
fn empty_inputs_do_nothing() {
    attend_groups(Heads::scaled(1, 8), 8, 0, &[], [&[], &[]], None, &mut []);
    let kv = KvRows::new(8, None, [&[], &[]]);
    attend_lists(Heads::scaled(1, 8), &[], kv, |_, _| (), None, &mut []);
}
