// Attention of the queries of a span to all of its rows, on the tensor cores, in one pass with an
// online softmax (Dao, arXiv 2307.08691). Values are f16 or bf16, sums f32; the weights of the
// softmax are rounded to the type of the values before their product.
//
// HEAD is the number of values of a head, at most 128; it is padded with zeros to WIDE in shared
// memory. BF16 is 1 for values of bf16, 0 for f16.
//
// A block takes one head of a tile of queries, and streams the span's rows through two stages of
// shared memory. A warp has 16 queries:
// - attend_spans: a tile is 64 queries, 16 for each warp, which all go through all rows.
// - attend_few: a tile is 16 queries for all warps, each of which takes a quarter of the rows.
//   For spans of few queries: one read-out row of an image, beams over an image.

#define WIDE ((HEAD + 15) / 16 * 16)
#define PITCH (WIDE + 8) // values from row to row in shared memory: no bank conflicts
#define STAGE 64         // rows of a stage
#define SPAN_WARPS 4
#define CHUNKS (WIDE / 8) // 16-byte pieces of a row

#if BF16
typedef bf16 SpanType;
#define MULTIPLY mma_bf16
#define PACK pack_bf16
#else
typedef f16 SpanType;
#define MULTIPLY mma_f16
#define PACK pack_f16
#endif

// Fetches `count` rows of a head into shared memory, and zeros up to `rows` rows.
DEVICE void fetch_head(SpanType *to, const SpanType *from, u64 stride, u32 count, u32 rows) {
    for (u32 i = threadIdx.x; i < rows * CHUNKS; i += 32 * SPAN_WARPS) {
        const u32 row = i / CHUNKS, column = i % CHUNKS * 8;
        SpanType *place = to + row * PITCH + column;
#if HEAD % 8 == 0
        if (row < count && column < HEAD) {
            copy_async(place, from + row * stride + column);
        } else {
            const u32 zeros[4] = {0, 0, 0, 0};
            store_16_bytes(place, zeros);
        }
#else
        UNROLL for (u32 v = 0; v < 8; v++)
            place[v].bits = row < count && column + v < HEAD ? from[row * stride + column + v].bits : 0;
#endif
    }
}

// Stores eight values of a head from `column` on; those after its end are dropped.
DEVICE void store_head(SpanType *to, u32 column, const u32 packed[4]) {
#if HEAD % 8 == 0
    if (column < HEAD) store_16_bytes(to + column, packed);
#else
    UNROLL for (u32 v = 0; v < 8; v++)
        if (column + v < HEAD) to[column + v].bits = (u16)(packed[v / 2] >> v % 2 * 16);
#endif
}

// What a warp keeps of its 16 queries. A lane has the queries lane / 4 and lane / 4 + 8, and of
// each eight values the pair 2 (lane % 4).
struct WarpSoftmax {
    u32 queries[WIDE / 16][4]; // fragments of the queries
    float highest[2], sum[2];  // the sums are of this lane's scores alone
    float values[WIDE / 8][4];
};

// Attention of a warp's queries to BLOCKS * 16 rows in shared memory, of which `left` exist; all,
// unless PART. `bias`: the values for each of the two queries and the first row, or null.
template <u32 BLOCKS, bool PART>
DEVICE void attend_rows(WarpSoftmax *softmax, const SpanType *keys, const SpanType *values, u32 left, float scale,
                        const float *const bias[2]) {
    const float log2_e = 1.44269504f, infinity = bits_float(0x7f800000u);
    const u32 lane = threadIdx.x % 32, pair = lane % 4 * 2;
    float scores[2 * BLOCKS][4];
    UNROLL for (u32 n = 0; n < 2 * BLOCKS; n++) UNROLL for (u32 i = 0; i < 4; i++) scores[n][i] = 0;
    UNROLL for (u32 k = 0; k < WIDE / 16; k++) {
        UNROLL for (u32 b = 0; b < BLOCKS; b++) {
            if (PART && 16 * b >= left) continue;
            u32 block[4];
            load_matrices(block, keys + (16 * b + lane % 8 + lane / 16 * 8) * PITCH + 16 * k + lane / 8 % 2 * 8);
            MULTIPLY(scores[2 * b], softmax->queries[k], block);
            MULTIPLY(scores[2 * b + 1], softmax->queries[k], block + 2);
        }
    }
    UNROLL for (u32 n = 0; n < 2 * BLOCKS; n++) UNROLL for (u32 i = 0; i < 4; i++) scores[n][i] *= scale;
    if (bias[0]) {
        UNROLL for (u32 n = 0; n < 2 * BLOCKS; n++) {
            UNROLL for (u32 i = 0; i < 4; i++) {
                const u32 row = 8 * n + pair + i % 2;
                if (!PART || row < left) scores[n][i] = fused_multiply_add(bias[i / 2][row], log2_e, scores[n][i]);
            }
        }
    }
    float highest[2] = {softmax->highest[0], softmax->highest[1]};
    UNROLL for (u32 n = 0; n < 2 * BLOCKS; n++) {
        UNROLL for (u32 i = 0; i < 4; i++) {
            if (PART && 8 * n + pair + i % 2 >= left) scores[n][i] = -infinity;
            highest[i / 2] = scores[n][i] > highest[i / 2] ? scores[n][i] : highest[i / 2];
        }
    }
    UNROLL for (u32 q = 0; q < 2; q++) {
        UNROLL for (u32 apart = 1; apart < 4; apart *= 2) {
            const float other = warp_shuffle_xor(highest[q], apart);
            highest[q] = other > highest[q] ? other : highest[q];
        }
        const float correction = power_of_two(softmax->highest[q] - highest[q]);
        softmax->highest[q] = highest[q];
        softmax->sum[q] *= correction;
        UNROLL for (u32 d = 0; d < WIDE / 8; d++) {
            softmax->values[d][2 * q] *= correction;
            softmax->values[d][2 * q + 1] *= correction;
        }
    }
    UNROLL for (u32 b = 0; b < BLOCKS; b++) {
        if (PART && 16 * b >= left) continue;
        // The layout of the scores is that of a fragment of weights.
        u32 weights[4];
        UNROLL for (u32 i = 0; i < 4; i++) {
            const float *of = scores[2 * b + i / 2] + i % 2 * 2;
            const float low = power_of_two(of[0] - highest[i % 2]), high = power_of_two(of[1] - highest[i % 2]);
            softmax->sum[i % 2] += low + high;
            weights[i] = PACK(low, high);
        }
        UNROLL for (u32 d = 0; d < WIDE / 16; d++) {
            u32 block[4];
            load_matrices_transposed(block, values + (16 * b + lane % 16) * PITCH + 16 * d + lane / 16 * 8);
            MULTIPLY(softmax->values[2 * d], weights, block);
            MULTIPLY(softmax->values[2 * d + 1], weights, block + 2);
        }
    }
}

// Attention of the queries of each span to its rows. blockIdx.x numbers the tiles of queries,
// blockIdx.y the heads. Tile t is the queries tiles[4 t] to tiles[4 t + 1], and the rows
// tiles[4 t + 2] to tiles[4 t + 3]. Without `tiles`, spans are groups of `group_queries` queries
// and `group_rows` rows, each of as many tiles as it needs. A query without rows gets zeros.
//
// `bias` (heads, offsets), if any, is added to the scaled products: at `before` for the row at
// the query's own position in its group; for groups only.
//
// Shared memory: the queries of a tile, then two stages of keys and values.
template <bool FEW>
DEVICE void attend_spans_by(SpanType *out, const SpanType *queries, u64 query_stride, const SpanType *keys, u64 key_stride,
                            const SpanType *values, u64 value_stride, const u32 *tiles, u32 group_queries,
                            u32 group_rows, u32 heads, float scale, const float *bias, u32 offsets, u32 before) {
    SHARED(u64, shared);
    const u32 tile = FEW ? 16 : 16 * SPAN_WARPS, blocks = FEW ? 1 : STAGE / 16;
    const float log2_e = 1.44269504f, infinity = bits_float(0x7f800000u);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    SpanType *tile_queries = (SpanType *)shared, *stages = tile_queries + tile * PITCH;
    const u64 column = (u64)blockIdx.y * HEAD;

    u32 first_query, last_query, first_row, last_row, position = 0;
    if (tiles) {
        const u32 *entry = tiles + 4 * (u64)blockIdx.x;
        first_query = entry[0], last_query = entry[1], first_row = entry[2], last_row = entry[3];
    } else {
        const u32 of_group = (group_queries + tile - 1) / tile, group = blockIdx.x / of_group;
        position = blockIdx.x % of_group * tile;
        first_query = group * group_queries + position;
        last_query = group_queries - position < tile ? first_query + group_queries - position : first_query + tile;
        first_row = group * group_rows, last_row = first_row + group_rows;
    }
    const u32 count = last_query - first_query, rows = last_row - first_row;
    keys += first_row * key_stride + column;
    values += first_row * value_stride + column;

    const u32 stage_values = STAGE * PITCH;
    if (rows > 0) {
        fetch_head(tile_queries, queries + first_query * query_stride + column, query_stride, count, tile);
        fetch_head(stages, keys, key_stride, rows, STAGE);
        fetch_head(stages + stage_values, values, value_stride, rows, STAGE);
        commit_copies();
    }

    WarpSoftmax softmax;
    UNROLL for (u32 q = 0; q < 2; q++) softmax.highest[q] = -infinity, softmax.sum[q] = 0;
    UNROLL for (u32 d = 0; d < WIDE / 8; d++) UNROLL for (u32 i = 0; i < 4; i++) softmax.values[d][i] = 0;
    const u32 own_query = FEW ? 0 : 16 * warp, own_row = FEW ? 16 * warp : 0;
    const float *own_bias[2] = {0, 0};
    if (bias) {
        UNROLL for (u32 q = 0; q < 2; q++) {
            const u32 query = own_query + lane / 4 + 8 * q;
            const u32 at = position + (query < count ? query : count - 1);
            own_bias[q] = bias + (u64)blockIdx.y * offsets + before - at + own_row;
        }
    }
    for (u32 from = 0; from < rows; from += STAGE) {
        SpanType *stage = stages + from / STAGE % 2 * 2 * stage_values;
        if (rows - from > STAGE) {
            SpanType *next = stages + (from / STAGE + 1) % 2 * 2 * stage_values;
            const u64 at = from + STAGE;
            fetch_head(next, keys + at * key_stride, key_stride, rows - from - STAGE, STAGE);
            fetch_head(next + stage_values, values + at * value_stride, value_stride, rows - from - STAGE, STAGE);
            commit_copies();
            wait_copies(1);
        } else {
            wait_copies(0);
        }
        sync_block();
        if (from == 0) {
            UNROLL for (u32 k = 0; k < WIDE / 16; k++)
                load_matrices(softmax.queries[k],
                              tile_queries + (own_query + lane % 16) * PITCH + 16 * k + lane / 16 * 8);
        }
        if (own_query < count && rows - from > own_row) {
            const u32 left = rows - from - own_row;
            const SpanType *own_keys = stage + own_row * PITCH, *own_values = own_keys + stage_values;
            if (left >= 16 * blocks) {
                attend_rows<blocks, false>(&softmax, own_keys, own_values, left, scale * log2_e, own_bias);
            } else {
                attend_rows<blocks, true>(&softmax, own_keys, own_values, left, scale * log2_e, own_bias);
            }
            UNROLL for (u32 q = 0; q < 2; q++) if (bias) own_bias[q] += STAGE;
        }
        sync_block();
    }
    UNROLL for (u32 q = 0; q < 2; q++)
        UNROLL for (u32 apart = 1; apart < 4; apart *= 2) softmax.sum[q] += warp_shuffle_xor(softmax.sum[q], apart);

    const u64 width = (u64)heads * HEAD;
    out += first_query * width + column;
    if (!FEW) {
        // Through shared memory, so that whole rows are stored. A warp has its own part.
        SpanType *own = tile_queries + own_query * PITCH;
        UNROLL for (u32 q = 0; q < 2; q++) {
            const float share = softmax.sum[q] == 0.0f ? 0.0f : 1.0f / softmax.sum[q];
            UNROLL for (u32 d = 0; d < WIDE / 8; d++)
                *(u32 *)(own + (lane / 4 + 8 * q) * PITCH + 8 * d + lane % 4 * 2) =
                    PACK(softmax.values[d][2 * q] * share, softmax.values[d][2 * q + 1] * share);
        }
        sync_warp();
        for (u32 i = lane; i < 16 * CHUNKS; i += 32) {
            const u32 row = i / CHUNKS, at = i % CHUNKS * 8;
            if (own_query + row < count) store_head(out + (own_query + row) * width, at, (const u32 *)(own + row * PITCH + at));
        }
        return;
    }
    // Merges the warps, in the memory of the stages.
    const u32 pitch = WIDE + 4;
    float *highest = (float *)stages, *sums = highest + 16 * SPAN_WARPS, *parts = sums + 16 * SPAN_WARPS;
    UNROLL for (u32 q = 0; q < 2; q++) {
        const u32 row = 16 * warp + lane / 4 + 8 * q;
        highest[row] = softmax.highest[q];
        sums[row] = softmax.sum[q];
        UNROLL for (u32 d = 0; d < WIDE / 8; d++)
            UNROLL for (u32 i = 0; i < 2; i++)
                parts[row * pitch + 8 * d + lane % 4 * 2 + i] = softmax.values[d][2 * q + i];
    }
    sync_block();
    for (u32 i = threadIdx.x; i < count * CHUNKS; i += 32 * SPAN_WARPS) {
        const u32 row = i / CHUNKS, at = i % CHUNKS * 8;
        float most = -infinity, sum = 0, merged[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        UNROLL for (u32 w = 0; w < SPAN_WARPS; w++)
            most = highest[16 * w + row] > most ? highest[16 * w + row] : most;
        UNROLL for (u32 w = 0; w < SPAN_WARPS; w++) {
            // Both are minus infinity if there are no rows.
            const float of_warp = highest[16 * w + row];
            const float share = of_warp == most ? 1.0f : power_of_two(of_warp - most);
            sum = fused_multiply_add(share, sums[16 * w + row], sum);
            UNROLL for (u32 v = 0; v < 8; v++)
                merged[v] = fused_multiply_add(share, parts[(16 * w + row) * pitch + at + v], merged[v]);
        }
        const float share = sum == 0.0f ? 0.0f : 1.0f / sum;
        u32 packed[4];
        UNROLL for (u32 v = 0; v < 4; v++) packed[v] = PACK(merged[2 * v] * share, merged[2 * v + 1] * share);
        store_head(out + row * width, at, packed);
    }
}

#define ATTEND_SPANS(name, few)                                                                                      \
    KERNEL BOUNDS(32 * SPAN_WARPS, 2)                                                                                \
    name(SpanType *out, const SpanType *queries, u64 query_stride, const SpanType *keys, u64 key_stride,             \
         const SpanType *values, u64 value_stride, const u32 *tiles, u32 group_queries, u32 group_rows, u32 heads,   \
         float scale, const float *bias, u32 offsets, u32 before) {                                                  \
        attend_spans_by<few>(out, queries, query_stride, keys, key_stride, values, value_stride, tiles,              \
                             group_queries, group_rows, heads, scale, bias, offsets, before);                        \
    }

ATTEND_SPANS(attend_spans, false)
ATTEND_SPANS(attend_few, true)
