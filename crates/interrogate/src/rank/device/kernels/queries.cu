// Queries in f16 and their error bounds, the longest row.

// Multiplies `count` queries (count, dim) by `sign`, 1 or -1, and rounds them to f16. `slacks`
// gets the error bound of each query's coarse scores before their rounding to f16, for a row of
// length 1: a warp per query. rank/device/cuda/mod.rs derives it.
KERNEL round_queries(float *queries, u32 count, u32 dim, float sign, u16 *halves, float *slacks) {
    const u32 lane = threadIdx.x % 32;
    const u32 q = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (q >= count) return;
    float squares = 0, lost = 0;
    for (u64 at = (u64)q * dim + lane; at < (u64)(q + 1) * dim; at += 32) {
        const float value = sign * queries[at];
        const u16 half = float_to_f16(value);
        const float rest = value - f16_to_float(half);
        queries[at] = value;
        halves[at] = half;
        squares = fused_multiply_add(value, value, squares);
        lost = fused_multiply_add(rest, rest, lost);
    }
    for (int apart = 16; apart > 0; apart /= 2) {
        squares += warp_shuffle_xor(squares, apart);
        lost += warp_shuffle_xor(lost, apart);
    }
    const float summing = (float)(dim + 8) * 0x1p-21f * square_root(squares);
    // The factor covers the rounding of this bound.
    if (lane == 0) slacks[q] = (square_root(lost) + summing) * 1.001f;
}

// The greatest squared length of a row without NaN, as the bits of an f32: a warp per row.
KERNEL longest(const u16 *rows, u32 n, u32 dim, u32 *greatest) {
    const u32 lane = threadIdx.x % 32;
    const u32 warps = gridDim.x * (blockDim.x / 32);
    for (u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < n; row += warps) {
        float sum = 0;
        for (u32 at = lane; at < dim; at += 32) {
            const float value = f16_to_float(rows[(u64)row * dim + at]);
            sum = fused_multiply_add(value, value, sum);
        }
        for (int apart = 16; apart > 0; apart /= 2) sum += warp_shuffle_xor(sum, apart);
        if (lane == 0 && sum == sum) atomic_max(greatest, float_bits(sum));
    }
}
