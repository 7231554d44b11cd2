// True scores of the selected rows, sorted, and whether they decide the ranking.

// The sixteen sums of a score are in two lanes, eight each; returns the score to both, added in
// the order of rank/dot.
DEVICE float folded(const float sums[8]) {
    float eight[8], four[4];
    UNROLL for (int i = 0; i < 8; i++) eight[i] = rounded_add(sums[i], warp_shuffle_xor(sums[i], 1));
    UNROLL for (int i = 0; i < 4; i++) four[i] = rounded_add(eight[i], eight[i + 4]);
    return rounded_add(rounded_add(four[0], four[2]), rounded_add(four[1], four[3]));
}

#define AHEAD 8 // loads in flight for a lane

// Adds the products of one lane's half of a row with the query, which is f32 and zero-padded to
// a multiple of 16: the values 8 to 15 of every sixteen if `half`, else 0 to 7.
DEVICE void row_sums(const u16 *row, const float *query, u32 dim, u32 half, float sums[8]) {
    for (u32 base = 8 * half; base < dim; base += 16 * AHEAD) {
        Eight eights[AHEAD];
        UNROLL for (u32 a = 0; a < AHEAD; a++)
            if (base + 16 * a < dim) eights[a] = *(const Eight *)(row + base + 16 * a);
        UNROLL for (u32 a = 0; a < AHEAD; a++) {
            if (base + 16 * a >= dim) continue;
            const float *values = query + base + 16 * a;
            UNROLL for (int i = 0; i < 8; i++)
                sums[i] = fused_multiply_add(f16_to_float(eights[a].value[i]), values[i], sums[i]);
        }
    }
}

// Sorts `length` keys, a power of two, greatest first: bitonic, by one block.
DEVICE void sort(u64 *keys, u32 length) {
    for (u32 run = 2; run <= length; run *= 2)
        for (u32 apart = run / 2; apart > 0; apart /= 2) {
            for (u32 pair = threadIdx.x; pair < length / 2; pair += blockDim.x) {
                const u32 at = 2 * apart * (pair / apart) + pair % apart;
                const u64 a = keys[at], b = keys[at + apart];
                const bool descending = (at & run) == 0;
                if (descending ? a < b : a > b) {
                    keys[at] = b;
                    keys[at + apart] = a;
                }
            }
            sync_block();
        }
}

#define UNDECIDED 0
#define DECIDED 1
#define NO_BOUND 0xffffffffu // a NaN

// Reduces the lists of a query to `wanted` rows and rescores these: a block per query. `entries`
// and `states` are those of select_rows, with `splits` lists per query; `queries` (count, dim),
// `slacks` of round_queries, `longest` the bits of the greatest squared length of a row.
//
// With `rows`, `out` (count, 1 + k) has for each query whether its ranking is decided, and the
// true keys of the first k rows. Without, the rows are not on the device: `out` (count, 1 +
// width) has the number of entries in the lower half and a bound for the true scores of other
// rows in the upper one, NO_BOUND if there is none, and the entries.
//
// `width` is a power of two, at least `wanted`, and that at least k. Shared memory: width keys,
// splits * capacity entries, dim values padded to 16, COUNTERS counters.
KERNEL rescore(const u16 *rows, u32 dim, const float *queries, const float *slacks, const u32 *longest,
               const u64 *entries, const u32 *states, u32 splits, u32 capacity, u32 wanted, u32 width, u32 k, u64 *out) {
    SHARED(u64, keys);
    u64 *gathered = keys + width;
    float *query = (float *)(gathered + splits * capacity);
    u32 *counters = (u32 *)(query + (dim + 15) / 16 * 16), *fill = counters + 16, *kept = counters + 17;
    const u32 q = blockIdx.x;
    if (threadIdx.x < COUNTERS) counters[threadIdx.x] = 0;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) keys[i] = 0;
    for (u32 at = threadIdx.x; at < (dim + 15) / 16 * 16; at += blockDim.x)
        query[at] = at < dim ? queries[(u64)q * dim + at] : 0;
    states += 2 * (u64)q * splits;
    entries += (u64)q * splits * capacity;
    u32 threshold = 0;
    for (u32 s = 0; s < splits; s++) threshold = states[2 * s + 1] > threshold ? states[2 * s + 1] : threshold;
    sync_block();
    for (u32 i = threadIdx.x; i < splits * capacity; i += blockDim.x) {
        if (i % capacity >= states[2 * (i / capacity)]) continue;
        const u64 entry = entries[i];
        if (entry >> 32 > threshold) gathered[atomic_increment(fill)] = entry;
    }
    sync_block();
    const u32 all = *fill;
    if (all > wanted) {
        auto count = [&](u32 key) {
            u32 found = 0;
            for (u32 i = threadIdx.x; i < all; i += blockDim.x) found += gathered[i] >> 32 >= key;
            return found;
        };
        u32 reached = 0;
        const u32 nth = nth_key(count, wanted, counters, &reached);
        threshold = reached <= width ? nth - 1 : nth;
    }
    for (u32 i = threadIdx.x; i < all; i += blockDim.x)
        if (gathered[i] >> 32 > threshold) keys[atomic_increment(kept)] = gathered[i];
    sync_block();

    // A bound for the true scores of the rows that are not in `keys`, rounded up.
    const float sum = coarse_bound(threshold) + slacks[q] * square_root(bits_float(*longest));
    const float size = bits_float(float_bits(sum) & 0x7fffffffu);
    const float bound = sum + (size * 0x1p-22f + 1e-30f);
    if (rows == nullptr) {
        u64 *to = out + (u64)q * (1 + width);
        const u32 bits = threshold == 0 ? NO_BOUND : float_bits(bound);
        if (threadIdx.x == 0) to[0] = (u64)bits << 32 | *kept;
        for (u32 i = threadIdx.x; i < width; i += blockDim.x) to[1 + i] = keys[i];
        return;
    }
    // Two lanes per row. `kept` is at least 1 in the loop.
    const u32 some = (u32)keys[0];
    sync_block();
    for (u32 base = 0; base < *kept; base += blockDim.x / 2) {
        const u32 place = base + threadIdx.x / 2, half = threadIdx.x % 2;
        const u32 row = place < *kept ? (u32)keys[place] : some;
        float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        row_sums(rows + (u64)row * dim, query, dim, half, sums);
        const float score = folded(sums);
        if (half == 0 && place < *kept) keys[place] = true_key(score, row);
    }
    sync_block();
    sort(keys, width);
    u64 *to = out + (u64)q * (1 + k);
    for (u32 i = threadIdx.x; i < k; i += blockDim.x) to[1 + i] = keys[i];
    // False for NaN.
    const bool above = keys[k - 1] != 0 && true_score(keys[k - 1]) > bound;
    if (threadIdx.x == 0) to[0] = threshold == 0 || above ? DECIDED : UNDECIDED;
}
