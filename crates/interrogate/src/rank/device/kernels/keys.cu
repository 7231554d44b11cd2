// The kernels of the ranking: the best rows of each query, with their true scores.
//
// Follows cuda/prelude.cu. The files of this folder are compiled as one, in this order:
//
// - keys.cu: scores as integers, and the search for the n-th greatest of them
// - queries.cu: queries in f16 and their error bounds, the longest row
// - products.cu: coarse scores of up to 64 queries, bound by the reading of the rows. More
//   queries are multiplied by cuBLAS.
// - select.cu: the rows whose coarse scores are among the best, one piece of scores at a time
// - rescore.cu: true scores of the selected rows, sorted, and whether they decide the ranking
//
// Coarse scores are products of f16, summed in f32 and rounded to f16: a coarse key is 16 bits.
// An entry of a list is a coarse key in the upper half and a row number in the lower one. A true
// key is a true score in the upper half, mapped so that it orders as an integer, and the
// complement of the row number in the lower half: the greater key ranks first, and of equal
// scores the lower row. 0 is no key.

#define COARSE_NAN 0xffffu

// The key of an f16. NaN has the greatest, so that its row is rescored; both zeros have one.
DEVICE u32 coarse_key(u32 bits) {
    const u32 size = bits & 0x7fff;
    if (size > 0x7c00) return COARSE_NAN;
    if (size == 0) return 0x8000;
    return bits >> 15 ? 0xffff ^ bits : 0x8000 | bits;
}

// The bits of an f16 that is exceeded by every f16 whose key is greater, and by few others. NaN
// for the least keys, which every f16 exceeds or is not comparable with.
DEVICE u32 coarse_bits(u32 key) {
    if (key == 0x7fff) key = 0x7ffe; // -0, which +0 does not exceed
    return key >> 15 ? key & 0x7fff : 0xffff ^ key;
}

// A bound for the scores that were rounded to an f16 whose key is at most `key`.
DEVICE float coarse_bound(u32 key) {
    const u32 next = key + 1;
    if (next > 0xfc00) return bits_float(0x7f800000u);
    if (next < 0x03ff) return bits_float(0xff800000u);
    return f16_to_float((u16)(next >> 15 ? next & 0x7fff : 0xffff ^ next));
}

// NaN is the least true key.
DEVICE u64 true_key(float score, u32 row) {
    const u32 plain = float_bits(score + 0.0f);
    const u32 ordered = plain >> 31 ? ~plain : plain | 0x80000000u;
    return (u64)(score == score ? ordered : 0u) << 32 | (0xffffffffu - row);
}

DEVICE float true_score(u64 key) {
    const u32 ordered = (u32)(key >> 32);
    if (ordered == 0) return bits_float(0x7fc00000u);
    return bits_float(ordered >> 31 ? ordered ^ 0x80000000u : ~ordered);
}

#define COUNTERS 18 // of nth_key, and two more

// Returns the greatest coarse key that at least `wanted` of a block's keys reach, and in
// `reached` how many do: `wanted` is at least 1, and as many keys are greater than 0.
// `count(key)` returns how many keys of this thread reach `key`. `counters` are 16 zeros in
// shared memory.
template <typename Count> DEVICE u32 nth_key(Count count, u32 wanted, u32 *counters, u32 *reached) {
    u32 nth = 0;
    for (u32 bit = 16; bit-- > 0;) {
        const u32 tried = nth | 1u << bit;
        const u32 found = warp_sum(count(tried));
        if (threadIdx.x % 32 == 0) atomic_add(counters + bit, found);
        sync_block();
        if (counters[bit] >= wanted) {
            nth = tried;
            *reached = counters[bit];
        }
    }
    return nth;
}
