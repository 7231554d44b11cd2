// Norms, epilogues of products, and lookups, over rows of `width` values.
//
// ELEMENT is the type of weights and rows: 0 for f32, 1 for f16, 2 for bf16. Residual sums are
// f32. All computations are f32, rounded once, to the type of the output.
//
// A thread owns eight adjacent columns, a chunk. It moves them 16 bytes at a time where rows
// begin on 16 bytes, which is so if the width is a multiple of eight, and else one by one. There
// are fewer than 2^31 rows, and tensors begin on 16 bytes.

#if ELEMENT == 0
typedef float Value;
#elif ELEMENT == 1
typedef f16 Value;
#else
typedef bf16 Value;
#endif

// A program has one kernel, if ONLY is its number: the compilation takes most of a second.
#define WARP_NORM 0
#define BLOCK_NORM 1
#define FINISH 2
#define FINISH_SUM 3
#define LOOKUP 4
#define WARP_NORM_SUMS 5
#define BLOCK_NORM_SUMS 6
#define FINISH_SUMS 7
#define LOOKUP_SUMS 8
#ifdef ONLY
#define HAS(kernel) (ONLY == kernel)
#else
#define HAS(kernel) (kernel <= LOOKUP || ELEMENT != 0)
#endif

#define CHUNK 8u
// The chunks of a row that a thread of a norm keeps in registers: as few as hold it, so that
// more threads fit a multiprocessor.
#define MAX_CHUNKS 6u
#ifndef CHUNKS
#define CHUNKS MAX_CHUNKS
#endif
#define BLOCK_WARPS 8u // warps of a row in `block_norm`
#define ROW_WARPS 4u // rows of a block in `warp_norm`

// ---- chunks

// Reads or writes a chunk at an address that is a multiple of 16 bytes.
DEVICE void read_aligned(const float *from, float to[CHUNK]) {
    UNROLL for (u32 half = 0; half < 2; half++) {
        const Bytes16 bytes = *(const Bytes16 *)(from + 4 * half);
        UNROLL for (u32 i = 0; i < 4; i++) to[4 * half + i] = bits_float(bytes.word[i]);
    }
}
DEVICE void write_aligned(const float from[CHUNK], float *to) {
    UNROLL for (u32 half = 0; half < 2; half++) {
        Bytes16 bytes;
        UNROLL for (u32 i = 0; i < 4; i++) bytes.word[i] = float_bits(from[4 * half + i]);
        *(Bytes16 *)(to + 4 * half) = bytes;
    }
}
template <typename Half> DEVICE void read_aligned(const Half *from, float to[CHUNK]) {
    const Bytes16 bytes = *(const Bytes16 *)from;
    UNROLL for (u32 i = 0; i < CHUNK; i++) {
        Half value;
        value.bits = (u16)(bytes.word[i / 2] >> 16 * (i % 2));
        to[i] = to_float(value);
    }
}
template <typename Half> DEVICE void write_aligned(const float from[CHUNK], Half *to) {
    Bytes16 bytes;
    UNROLL for (u32 i = 0; i < CHUNK; i += 2) {
        Half low, high;
        from_float(from[i], &low);
        from_float(from[i + 1], &high);
        bytes.word[i / 2] = (u32)low.bits | (u32)high.bits << 16;
    }
    *(Bytes16 *)to = bytes;
}

// Reads the chunk at `from`, of which `count` values exist; the others are 0.
template <typename T>
DEVICE void read_chunk(const T *from, u32 count, bool aligned, float to[CHUNK]) {
    if (aligned) {
        read_aligned(from, to);
    } else {
        UNROLL for (u32 i = 0; i < CHUNK; i++) to[i] = i < count ? to_float(from[i]) : 0.0f;
    }
}

// Writes the first `count` values of a chunk.
template <typename T>
DEVICE void write_chunk(const float from[CHUNK], u32 count, bool aligned, T *to) {
    if (aligned) {
        write_aligned(from, to);
    } else {
        UNROLL for (u32 i = 0; i < CHUNK; i++)
            if (i < count) from_float(from[i], &to[i]);
    }
}

// The number of values of the chunk that begins at column `column`.
DEVICE u32 chunk_values(u32 column, u32 width) { return width - column < CHUNK ? width - column : CHUNK; }

// ---- norms

// The sum of a value over the threads of a row: a warp, or a block of BLOCK_WARPS.
template <u32 WARPS> DEVICE float row_sum(float value, float *shared) {
    UNROLL for (int apart = 16; apart > 0; apart /= 2) value += warp_shuffle_xor(value, apart);
    if (WARPS == 1) return value;
    sync_block(); // all have read the sums of the call before
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    sync_block();
    float sum = 0.0f;
    UNROLL for (u32 warp = 0; warp < WARPS; warp++) sum += shared[warp];
    return sum;
}

// Writes the norm of each row to `out`, (rows, width), by `weight` (width): layer norm with a
// `bias` (width), else RMS norm.
//
// The row is that of `x`; or, with a `product` (rows, width), its sum with the product and the
// `product_bias` (width), which is also written to `sum` (rows, width). Biases and `sum` may be
// null. At most WARPS * 32 * CHUNKS * CHUNK columns.
template <typename X, u32 WARPS>
DEVICE void norm_rows(const X *x, const Value *product, const float *product_bias, float *sum,
                      const float *weight, const float *bias, float eps, u32 rows, u32 width,
                      Value *out, float *shared) {
    const u32 threads = 32 * WARPS, thread = threadIdx.x % threads;
    const u32 step = gridDim.x * (blockDim.x / threads);
    const bool aligned = width % CHUNK == 0;
    for (u32 row = blockIdx.x * (blockDim.x / threads) + threadIdx.x / threads; row < rows; row += step) {
        const u64 start = (u64)row * width;
        float values[CHUNKS][CHUNK];
        float total = 0.0f;
        UNROLL for (u32 c = 0; c < CHUNKS; c++) {
            const u32 column = (c * threads + thread) * CHUNK;
            if (column >= width) continue;
            const u32 count = chunk_values(column, width);
            read_chunk(x + start + column, count, aligned, values[c]);
            if (product) {
                float more[CHUNK];
                read_chunk(product + start + column, count, aligned, more);
                UNROLL for (u32 i = 0; i < CHUNK; i++) values[c][i] += more[i];
                if (product_bias) {
                    read_chunk(product_bias + column, count, aligned, more);
                    UNROLL for (u32 i = 0; i < CHUNK; i++) values[c][i] += more[i];
                }
                if (sum) write_chunk(values[c], count, aligned, sum + start + column);
            }
            UNROLL for (u32 i = 0; i < CHUNK; i++) total += values[c][i];
        }
        // The mean of RMS norm is taken to be 0.
        const float mean = bias ? row_sum<WARPS>(total, shared) / (float)width : 0.0f;
        float squares = 0.0f;
        UNROLL for (u32 c = 0; c < CHUNKS; c++) {
            const u32 column = (c * threads + thread) * CHUNK;
            if (column >= width) continue;
            const u32 count = chunk_values(column, width);
            UNROLL for (u32 i = 0; i < CHUNK; i++) {
                const float apart = i < count ? values[c][i] - mean : 0.0f;
                squares += apart * apart;
            }
        }
        const float scale = 1.0f / square_root(row_sum<WARPS>(squares, shared) / (float)width + eps);
        UNROLL for (u32 c = 0; c < CHUNKS; c++) {
            const u32 column = (c * threads + thread) * CHUNK;
            if (column >= width) continue;
            const u32 count = chunk_values(column, width);
            float by[CHUNK], plus[CHUNK];
            read_chunk(weight + column, count, aligned, by);
            if (bias) read_chunk(bias + column, count, aligned, plus);
            UNROLL for (u32 i = 0; i < CHUNK; i++) {
                const float normed = (values[c][i] - mean) * scale * by[i];
                values[c][i] = bias ? normed + plus[i] : normed;
            }
            write_chunk(values[c], count, aligned, out + start + column);
        }
    }
}

#define NORM_ARGUMENTS(X)                                                                               \
    const X *x, const Value *product, const float *product_bias, float *sum, const float *weight,       \
        const float *bias, float eps, u32 rows, u32 width, Value *out
#define NORM_CALL x, product, product_bias, sum, weight, bias, eps, rows, width, out

// A warp a row. The kernels of `_sums` read residual sums, the others rows.
#if HAS(WARP_NORM)
KERNEL BOUNDS(32 * ROW_WARPS, 4) warp_norm(NORM_ARGUMENTS(Value)) { norm_rows<Value, 1>(NORM_CALL, nullptr); }
#endif
#if HAS(WARP_NORM_SUMS)
KERNEL BOUNDS(32 * ROW_WARPS, 4) warp_norm_sums(NORM_ARGUMENTS(float)) { norm_rows<float, 1>(NORM_CALL, nullptr); }
#endif
// A block a row; blocks of 32 * BLOCK_WARPS threads with 4 * BLOCK_WARPS bytes of shared memory.
#if HAS(BLOCK_NORM)
KERNEL BOUNDS(32 * BLOCK_WARPS, 2) block_norm(NORM_ARGUMENTS(Value)) {
    SHARED(float, shared);
    norm_rows<Value, BLOCK_WARPS>(NORM_CALL, shared);
}
#endif
#if HAS(BLOCK_NORM_SUMS)
KERNEL BOUNDS(32 * BLOCK_WARPS, 2) block_norm_sums(NORM_ARGUMENTS(float)) {
    SHARED(float, shared);
    norm_rows<float, BLOCK_WARPS>(NORM_CALL, shared);
}
#endif

// ---- epilogues and lookups: a thread owns a chunk of columns, and goes down the rows

// Where a thread begins: blocks are (groups of rows, groups of columns), and the threads of a
// block (rows, lanes), `lanes` chunks of each row. Threads beyond the block's whole rows idle.
struct Place {
    u32 row, step, column, count;
};
DEVICE Place place(u32 lanes, u32 rows, u32 width) {
    const u32 of_block = blockDim.x / lanes, within = threadIdx.x / lanes;
    Place at;
    at.column = (blockIdx.y * lanes + threadIdx.x % lanes) * CHUNK;
    at.step = gridDim.x * of_block;
    const bool idle = within >= of_block || at.column >= width;
    at.row = idle ? rows : blockIdx.x * of_block + within;
    at.count = idle ? 0 : chunk_values(at.column, width);
    return at;
}

// 1 / (1 + e^-x); the limits 0 and 1 are reached without a NaN.
DEVICE float sigmoid(float x) { return 1.0f / (1.0f + power_of_two(-1.44269504f * x)); }

// The numbers are those of nn/activation.rs's order.
#define QUICK_GELU 1u
#define GELU 2u
#define GELU_TANH 3u
#define RELU 4u
#define SILU 5u
DEVICE float activated(float x, u32 activation) {
    if (activation == QUICK_GELU) return x * sigmoid(1.702f * x);
    if (activation == GELU) return 0.5f * x * error_complement(-0.70710678f * x);
    // x/2 (1 + tanh(u)) = x sigmoid(2 u)
    if (activation == GELU_TANH) return x * sigmoid(1.59576912f * x * (1.0f + 0.044715f * x * x));
    if (activation == RELU) return x > 0.0f || x != x ? x : 0.0f;
    if (activation == SILU) return x * sigmoid(x);
    return x;
}

// out = activation(product + bias) + residual, (rows, width) each but the bias (width). Bias and
// residual may be null. `out` may be `product`.
template <typename Residual, typename Out>
DEVICE void finish_rows(const Value *product, const float *bias, u32 activation, const Residual *residual,
                        u32 rows, u32 width, u32 lanes, Out *out) {
    const bool aligned = width % CHUNK == 0;
    const Place at = place(lanes, rows, width);
    float plus[CHUNK] = {};
    if (bias && at.count) read_chunk(bias + at.column, at.count, aligned, plus);
    for (u32 row = at.row; row < rows; row += at.step) {
        const u64 start = (u64)row * width + at.column;
        float values[CHUNK];
        read_chunk(product + start, at.count, aligned, values);
        UNROLL for (u32 i = 0; i < CHUNK; i++) values[i] = activated(values[i] + plus[i], activation);
        if (residual) {
            float more[CHUNK];
            read_chunk(residual + start, at.count, aligned, more);
            UNROLL for (u32 i = 0; i < CHUNK; i++) values[i] += more[i];
        }
        write_chunk(values, at.count, aligned, out + start);
    }
}

// Without a residual, in place.
#if HAS(FINISH)
KERNEL BOUNDS(256, 4) finish(Value *product, const float *bias, u32 activation, u32 rows, u32 width, u32 lanes) {
    finish_rows(product, bias, activation, (const float *)nullptr, rows, width, lanes, product);
}
#endif

#define FINISH_ARGUMENTS(Residual)                                                                      \
    const Value *product, const float *bias, u32 activation, const Residual *residual, u32 rows,        \
        u32 width, u32 lanes, float *out
#define FINISH_CALL product, bias, activation, residual, rows, width, lanes, out

// With a residual: a sum.
#if HAS(FINISH_SUM)
KERNEL BOUNDS(256, 4) finish_sum(FINISH_ARGUMENTS(Value)) { finish_rows(FINISH_CALL); }
#endif
#if HAS(FINISH_SUMS)
KERNEL BOUNDS(256, 4) finish_sums(FINISH_ARGUMENTS(float)) { finish_rows(FINISH_CALL); }
#endif

// out[row] = first[first_ids[row]] + second[second_ids[row]]; without `first_ids`, first[row].
// All ids are rows of their table.
template <typename First>
DEVICE void lookup_rows(const First *first, const u32 *first_ids, const Value *second, const u32 *second_ids,
                        u32 rows, u32 width, u32 lanes, float *out) {
    const bool aligned = width % CHUNK == 0;
    const Place at = place(lanes, rows, width);
    for (u32 row = at.row; row < rows; row += at.step) {
        const u32 id = first_ids ? first_ids[row] : row;
        float values[CHUNK], more[CHUNK];
        read_chunk(first + (u64)id * width + at.column, at.count, aligned, values);
        read_chunk(second + (u64)second_ids[row] * width + at.column, at.count, aligned, more);
        UNROLL for (u32 i = 0; i < CHUNK; i++) values[i] += more[i];
        write_chunk(values, at.count, aligned, out + (u64)row * width + at.column);
    }
}

#define LOOKUP_ARGUMENTS(First)                                                                         \
    const First *first, const u32 *first_ids, const Value *second, const u32 *second_ids, u32 rows,     \
        u32 width, u32 lanes, float *out
#define LOOKUP_CALL first, first_ids, second, second_ids, rows, width, lanes, out

#if HAS(LOOKUP)
KERNEL BOUNDS(256, 4) lookup(LOOKUP_ARGUMENTS(Value)) { lookup_rows(LOOKUP_CALL); }
#endif
#if HAS(LOOKUP_SUMS)
KERNEL BOUNDS(256, 4) lookup_sums(LOOKUP_ARGUMENTS(float)) { lookup_rows(LOOKUP_CALL); }
#endif
