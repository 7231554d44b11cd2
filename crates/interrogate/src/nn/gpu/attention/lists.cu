// Attention of each query to a list or a range of rows, in one pass with an online softmax
// (Milakov and Gimelshein, arXiv 1805.02867). Products and sums are f32, of values of f32, f16
// or bf16.
//
// HEAD is the number of values of a head, at most 256. A lane has eight of them, so a head has
// LANES lanes, and adjacent lanes have adjacent heads: a warp reads a row in one piece, 16 bytes
// a lane. If HEAD is not a multiple of 8, values are read one by one.

#define LANES (HEAD <= 8 ? 1 : HEAD <= 16 ? 2 : HEAD <= 32 ? 4 : HEAD <= 64 ? 8 : HEAD <= 128 ? 16 : 32)
#define WARP_HEADS (32 / LANES)
#define LIST_WARPS 4 // warps of a block
#define LIST_STEP 4  // rows that a warp reads at once

// Eight values as they are in memory.
template <typename T> struct Values {
    Bytes16 part[sizeof(T) / 2];
};

DEVICE u32 value_bits(float value) { return float_bits(value); }
DEVICE u32 value_bits(f16 value) { return value.bits; }
DEVICE u32 value_bits(bf16 value) { return value.bits; }

template <typename T> DEVICE Values<T> no_values() {
    Values<T> none;
    UNROLL for (u32 p = 0; p < sizeof(T) / 2; p++) UNROLL for (u32 w = 0; w < 4; w++) none.part[p].word[w] = 0;
    return none;
}

// Loads the values of a head from `at` on; zeros after its end.
template <typename T> DEVICE Values<T> load_values(const T *head, u32 at) {
    Values<T> values = no_values<T>();
#if HEAD % 8 == 0
    UNROLL for (u32 p = 0; p < sizeof(T) / 2; p++) values.part[p] = ((const Bytes16 *)(head + at))[p];
#else
    UNROLL for (u32 i = 0; i < 8; i++) {
        const u32 word = i * sizeof(T) / 4, shift = i * sizeof(T) % 4 * 8;
        if (at + i < HEAD) values.part[word / 4].word[word % 4] |= value_bits(head[at + i]) << shift;
    }
#endif
    return values;
}

DEVICE void widen(const Values<float> &values, float to[8]) {
    UNROLL for (u32 i = 0; i < 8; i++) to[i] = bits_float(values.part[i / 4].word[i % 4]);
}
DEVICE void widen(const Values<f16> &values, float to[8]) {
    UNROLL for (u32 i = 0; i < 4; i++) unpack_f16(values.part[0].word[i], to + 2 * i, to + 2 * i + 1);
}
DEVICE void widen(const Values<bf16> &values, float to[8]) {
    UNROLL for (u32 i = 0; i < 4; i++) {
        to[2 * i] = bits_float(values.part[0].word[i] << 16);
        to[2 * i + 1] = bits_float(values.part[0].word[i] & 0xffff0000u);
    }
}

DEVICE void narrow(const float from[8], Values<float> *values) {
    UNROLL for (u32 i = 0; i < 8; i++) values->part[i / 4].word[i % 4] = float_bits(from[i]);
}
DEVICE void narrow(const float from[8], Values<f16> *values) {
    UNROLL for (u32 i = 0; i < 4; i++) values->part[0].word[i] = pack_f16(from[2 * i], from[2 * i + 1]);
}
DEVICE void narrow(const float from[8], Values<bf16> *values) {
    UNROLL for (u32 i = 0; i < 4; i++) values->part[0].word[i] = pack_bf16(from[2 * i], from[2 * i + 1]);
}

// Stores eight values of a head from `at` on; those after its end are dropped.
template <typename T> DEVICE void store_values(T *head, u32 at, const float values[8]) {
#if HEAD % 8 == 0
    Values<T> narrowed;
    narrow(values, &narrowed);
    UNROLL for (u32 p = 0; p < sizeof(T) / 2; p++) store_16_bytes((Bytes16 *)(head + at) + p, narrowed.part[p].word);
#else
    UNROLL for (u32 i = 0; i < 8; i++) if (at + i < HEAD) from_float(values[i], head + at + i);
#endif
}

// One array of keys or of values: `cached` rows, then those of the current call. Strides are in
// values.
template <typename T> struct RowsOf {
    const T *cached_rows;
    u64 cached_stride;
    u32 cached;
    const T *rows;
    u64 stride;
};

template <typename T> DEVICE const T *row_of(const RowsOf<T> &all, u32 number) {
    return number < all.cached ? all.cached_rows + number * all.cached_stride
                               : all.rows + (number - all.cached) * all.stride;
}

// The softmax so far: the highest score, the sum of 2^(score - highest), and the sum of the
// values with these weights.
struct Softmax {
    float highest, sum, values[8];
};

// Attention of `n` queries (n, heads * HEAD) to rows of `keys` and `values`. Query q attends to
// the rows numbers[bounds[2 q]] to numbers[bounds[2 q + 1]]. Without `numbers`, to the rows
// bounds[2 q] to bounds[2 q + 1]. Without `bounds`, to all `group_rows` rows of its group of
// `group_queries` queries. A query without rows gets zeros.
//
// `bias` (heads, offsets), if any, is added to the scaled products: at `before` for the row at
// the query's own position. A query's position is the end of its list, or that in its group.
//
// With `split`, the warps of a block share the rows of one query, and there is one block for
// every WARP_HEADS heads of a query; without, one warp. Shared memory for `split`: a Softmax per
// thread.
template <typename T>
DEVICE void attend_lists(T *out, const T *queries, u64 query_stride, u32 n, RowsOf<T> keys, RowsOf<T> values,
                         const u32 *bounds, const u32 *numbers, u32 group_queries, u32 group_rows, u32 heads,
                         float scale, const float *bias, u32 offsets, u32 before, u32 split) {
    SHARED(float, shared);
    const float log2_e = 1.44269504f, infinity = bits_float(0x7f800000u);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u32 parts = (heads + WARP_HEADS - 1) / WARP_HEADS;
    const u64 task = split ? blockIdx.x : (u64)blockIdx.x * LIST_WARPS + warp;
    const u32 query = (u32)(task / parts);
    if (query >= n) return;
    const u32 head = (u32)(task % parts) * WARP_HEADS + lane / LANES, at = lane % LANES * 8;
    const bool active = head < heads && at < HEAD;
    const u64 column = (u64)head * HEAD;

    u32 start, end, position;
    if (bounds) {
        start = bounds[2 * (u64)query];
        end = bounds[2 * (u64)query + 1];
        position = end - start - 1;
    } else {
        start = query / group_queries * group_rows;
        end = start + group_rows;
        position = query % group_queries;
    }
    const float *head_bias = bias && active ? bias + (u64)head * offsets + before - position : 0;

    float own[8];
    widen(active ? load_values(queries + query * query_stride + column, at) : no_values<T>(), own);
    UNROLL for (u32 d = 0; d < 8; d++) own[d] *= scale * log2_e;

    Softmax softmax;
    softmax.highest = -infinity;
    softmax.sum = 0;
    UNROLL for (u32 d = 0; d < 8; d++) softmax.values[d] = 0;
    const u32 step = split ? LIST_WARPS * LIST_STEP : LIST_STEP;
    u32 from = split ? start + warp * LIST_STEP : start;
    u32 next[LIST_STEP]; // the row numbers of the next step
    UNROLL for (u32 j = 0; j < LIST_STEP; j++) next[j] = from + j < end ? (numbers ? numbers[from + j] : from + j) : 0;
    while (from < end) {
        Values<T> key[LIST_STEP], value[LIST_STEP];
        UNROLL for (u32 j = 0; j < LIST_STEP; j++) {
            const bool there = active && from + j < end;
            key[j] = there ? load_values(row_of(keys, next[j]) + column, at) : no_values<T>();
            value[j] = there ? load_values(row_of(values, next[j]) + column, at) : no_values<T>();
        }
        const u32 after = from + step;
        UNROLL for (u32 j = 0; j < LIST_STEP; j++)
            next[j] = after + j < end ? (numbers ? numbers[after + j] : after + j) : 0;

        float score[LIST_STEP], highest = softmax.highest;
        UNROLL for (u32 j = 0; j < LIST_STEP; j++) {
            float wide[8];
            widen(key[j], wide);
            score[j] = 0;
            UNROLL for (u32 d = 0; d < 8; d++) score[j] = fused_multiply_add(own[d], wide[d], score[j]);
            UNROLL for (u32 apart = LANES / 2; apart > 0; apart /= 2) score[j] += warp_shuffle_xor(score[j], apart);
            if (head_bias && from + j < end) score[j] += head_bias[from + j - start] * log2_e;
            if (from + j >= end) score[j] = -infinity;
            highest = score[j] > highest ? score[j] : highest;
        }
        const float correction = power_of_two(softmax.highest - highest);
        softmax.highest = highest;
        softmax.sum *= correction;
        UNROLL for (u32 d = 0; d < 8; d++) softmax.values[d] *= correction;
        UNROLL for (u32 j = 0; j < LIST_STEP; j++) {
            const float weight = power_of_two(score[j] - highest);
            float wide[8];
            widen(value[j], wide);
            softmax.sum += weight;
            UNROLL for (u32 d = 0; d < 8; d++)
                softmax.values[d] = fused_multiply_add(weight, wide[d], softmax.values[d]);
        }
        from = after;
    }

    if (split) {
        const u32 threads = 32 * LIST_WARPS;
        shared[threadIdx.x] = softmax.highest;
        shared[threads + threadIdx.x] = softmax.sum;
        UNROLL for (u32 d = 0; d < 8; d++) shared[(2 + d) * threads + threadIdx.x] = softmax.values[d];
        sync_block();
        if (warp > 0) return;
        float highest = softmax.highest;
        UNROLL for (u32 w = 1; w < LIST_WARPS; w++)
            highest = shared[32 * w + lane] > highest ? shared[32 * w + lane] : highest;
        softmax.sum = 0;
        UNROLL for (u32 d = 0; d < 8; d++) softmax.values[d] = 0;
        UNROLL for (u32 w = 0; w < LIST_WARPS; w++) {
            const float *of_warp = shared + 32 * w + lane;
            // Both are minus infinity if there are no rows.
            const float share = of_warp[0] == highest ? 1.0f : power_of_two(of_warp[0] - highest);
            softmax.sum = fused_multiply_add(share, of_warp[threads], softmax.sum);
            UNROLL for (u32 d = 0; d < 8; d++)
                softmax.values[d] = fused_multiply_add(share, of_warp[(2 + d) * threads], softmax.values[d]);
        }
    }
    const float share = softmax.sum == 0.0f ? 0.0f : 1.0f / softmax.sum;
    UNROLL for (u32 d = 0; d < 8; d++) softmax.values[d] *= share;
    if (active) store_values(out + query * (u64)heads * HEAD + column, at, softmax.values);
}

#define ATTEND_LISTS(name, T)                                                                                        \
    KERNEL BOUNDS(32 * LIST_WARPS, 4)                                                                                \
    name(T *out, const T *queries, u64 query_stride, u32 n, const T *cached_keys, const T *cached_values,            \
         u64 cached_stride, u32 cached, const T *keys, u64 key_stride, const T *values, u64 value_stride,            \
         const u32 *bounds, const u32 *numbers, u32 group_queries, u32 group_rows, u32 heads, float scale,           \
         const float *bias, u32 offsets, u32 before, u32 split) {                                                    \
        attend_lists<T>(out, queries, query_stride, n, {cached_keys, cached_stride, cached, keys, key_stride},       \
                        {cached_values, cached_stride, cached, values, value_stride}, bounds, numbers,               \
                        group_queries, group_rows, heads, scale, bias, offsets, before, split);                      \
    }

ATTEND_LISTS(attend_lists_f32, float)
ATTEND_LISTS(attend_lists_f16, f16)
ATTEND_LISTS(attend_lists_bf16, bf16)
