// The kernels of the ranking: products of queries with rows, fused with the selection of the
// best rows, so that only the best scores leave the chip.
//
// Follows cuda/prelude.cu.
//
// - scan: few queries: true scores, bit for bit those of rank/dot. Memory-bound.
// - tile: many queries: products of f16 on the tensor cores, sums in f32. Off by at most a bound
//   that the host computes (keys.rs).
// - merge: merges the lists of all blocks, for each query
// - rescore: true scores of the rows that tile and merge selected
// - longest: the greatest length of a row, for the bound
//
// A list is 32 keys, greatest first. A key is a score in the upper half, mapped so that it
// orders as an integer, and the complement of the row number in the lower half: the greater key
// ranks first, and of equal scores the lower row. 0 is no key.

#define LIST 32 // keys of a list, and of its queue

// A list in shared memory: LIST sorted keys, and a queue of keys to be merged.
struct List {
    u64 best[LIST];
    u64 queue[LIST];
};

// Orders as scores do; both zeros have one key. NaN is the least key, or the greatest if the
// score is approximate (`near`), so that the row is rescored.
DEVICE u64 key(float score, u32 row, bool near) {
    const u32 plain = float_bits(score + 0.0f);
    const u32 ordered = plain >> 31 ? ~plain : plain | 0x80000000u;
    const u32 upper = score == score ? ordered : (near ? 0xffffffffu : 0u);
    return (u64)upper << 32 | (0xffffffffu - row);
}

// Sorts the 64 keys of a list, greatest first: bitonic, a pair to each of 32 lanes.
DEVICE void sort(u64 *keys, u32 lane) {
    for (u32 length = 2; length <= 2 * LIST; length *= 2) {
        for (u32 apart = length / 2; apart > 0; apart /= 2) {
            const u32 at = 2 * apart * (lane / apart) + lane % apart;
            const u64 a = keys[at], b = keys[at + apart];
            const bool descending = (at & length) == 0;
            if (descending ? a < b : a > b) {
                keys[at] = b;
                keys[at + apart] = a;
            }
            sync_warp();
        }
    }
}

// Empties a list, by one warp.
DEVICE void clear(List *list, u32 lane) {
    list->best[lane] = 0;
    list->queue[lane] = 0;
    sync_warp();
}

// Merges the queue of `queued` keys into the list, by one warp.
DEVICE void merge_queue(List *list, u32 queued, u32 lane) {
    if (lane >= queued) list->queue[lane] = 0;
    sync_warp();
    sort(list->best, lane);
}

// Offers one key of each lane to a list, by one warp; 0 for none. `queued` is the same in all
// lanes.
DEVICE void offer(List *list, u32 *queued, u64 key, u32 lane) {
    u32 in = warp_ballot(key > list->best[LIST - 1]);
    if (in == 0) return;
    if (*queued + count_ones(in) > LIST) {
        merge_queue(list, *queued, lane);
        *queued = 0;
        in = warp_ballot(key > list->best[LIST - 1]);
    }
    if (in >> lane & 1) list->queue[*queued + count_ones(in & ((1u << lane) - 1))] = key;
    *queued += count_ones(in);
    sync_warp();
}

// The sixteen sums of a score are in two lanes, eight each; returns the score to both, added in
// the order of rank/dot.
DEVICE float folded(const float sums[8]) {
    float eight[8], four[4];
    for (int i = 0; i < 8; i++) eight[i] = rounded_add(sums[i], warp_shuffle_xor(sums[i], 1));
    for (int i = 0; i < 4; i++) four[i] = rounded_add(eight[i], eight[i + 4]);
    return rounded_add(rounded_add(four[0], four[2]), rounded_add(four[1], four[3]));
}

// Adds the products of one lane's half of a row with the query, which is f32 and zero-padded to
// a multiple of 16.
DEVICE void row_sums(const u16 *row, const float *query, u32 dim, u32 half, float sums[8]) {
    for (u32 at = 8 * half; at < dim; at += 16) {
        const Eight eight = *(const Eight *)(row + at);
        for (int i = 0; i < 8; i++) sums[i] = fused_multiply_add(f16_to_float(eight.value[i]), query[at + i], sums[i]);
    }
}

#define SCAN_QUERIES 8
#define SCAN_WARPS 4

// True scores of `count` queries (count, dim), at most SCAN_QUERIES, with `n` rows (n, dim)
// numbered from `first`; dim is a multiple of 8. A block scans `strip` rows and writes the best
// of them: lists (count, lists, LIST), this call's from number `list` on. Shared memory:
// SCAN_WARPS * count lists, then the queries.
KERNEL scan(const u16 *rows, u32 n, u32 first, u32 dim, const float *queries, u32 count,
            u32 strip, u64 *keys, u32 lists, u32 list) {
    SHARED(u64, shared);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    List *own = (List *)shared + warp * count;
    float *values = (float *)((List *)shared + SCAN_WARPS * count);
    for (u32 at = threadIdx.x; at < count * dim; at += blockDim.x) values[at] = queries[at];
    u32 queued[SCAN_QUERIES];
    for (u32 q = 0; q < count; q++) {
        clear(own + q, lane);
        queued[q] = 0;
    }
    sync_block();
    const u32 begin = blockIdx.x * strip;
    const u32 end = begin + strip < n ? begin + strip : n;
    // Sixteen rows per warp, two lanes per row.
    for (u32 base = begin + 16 * warp; base < end; base += 16 * SCAN_WARPS) {
        const u32 row = base + lane / 2, half = lane % 2;
        const u16 *row_values = rows + (u64)(row < end ? row : begin) * dim;
        for (u32 q = 0; q < count; q++) {
            float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            row_sums(row_values, values + q * dim, dim, half, sums);
            const float score = folded(sums);
            const bool there = row < end && half == 0;
            offer(own + q, &queued[q], there ? key(score, first + row, false) : 0, lane);
        }
    }
    for (u32 q = 0; q < count; q++) merge_queue(own + q, queued[q], lane);
    sync_block();
    for (u32 q = warp; q < count; q += SCAN_WARPS) {
        List *all = (List *)shared + q;
        u32 more = 0;
        for (u32 w = 1; w < SCAN_WARPS; w++) offer(all, &more, all[w * count].best[lane], lane);
        merge_queue(all, more, lane);
        keys[((u64)q * lists + list + blockIdx.x) * LIST + lane] = all->best[lane];
    }
}

#define TILE_QUERIES 64
#define TILE_ROWS 128
#define TILE_WARPS 8 // two along the queries, four along the rows: 32 x 32 each
#define STEP 32      // values along dim per stage
#define PAD 8        // padding that avoids bank conflicts in a warp

// Fetches STEP values of TILE_ROWS rows into `to`; zeros past the end.
DEVICE void fetch_rows(u16 *to, const u16 *rows, u32 n, u32 row, u32 dim, u32 at) {
    for (u32 i = threadIdx.x; i < TILE_ROWS * STEP / 8; i += blockDim.x) {
        const u32 r = i / (STEP / 8), column = i % (STEP / 8) * 8;
        u16 *place = to + r * (STEP + PAD) + column;
        if (row + r < n && at + column < dim) {
            copy_async(place, rows + (u64)(row + r) * dim + at + column);
        } else {
            for (int v = 0; v < 8; v++) place[v] = 0;
        }
    }
    commit_copies();
}

// Approximate scores of `count` queries (count, dim) in f16 with `n` rows (n, dim) numbered from
// `first`; dim is a multiple of 8. A block takes TILE_QUERIES queries and `strip` rows, a
// multiple of TILE_ROWS, and writes the best of them: lists (count, lists, LIST), this call's
// from number `list` on, one per block. Shared memory: TILE_QUERIES lists, as many counters, two
// stages of rows, the queries.
KERNEL tile(const u16 *rows, u32 n, u32 first, u32 dim, const u16 *queries, u32 count,
            u32 strip, u64 *keys, u32 lists, u32 list) {
    SHARED(u64, shared);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u32 wide = (dim + STEP - 1) / STEP * STEP + PAD;
    List *best = (List *)shared;
    u32 *queued = (u32 *)(best + TILE_QUERIES);
    u16 *stages = (u16 *)(queued + TILE_QUERIES);
    u16 *panel = stages + 2 * TILE_ROWS * (STEP + PAD);
    const u32 first_query = blockIdx.y * TILE_QUERIES;
    for (u32 q = warp; q < TILE_QUERIES; q += TILE_WARPS) {
        clear(best + q, lane);
        if (lane == 0) queued[q] = 0;
        for (u32 at = lane; at < wide; at += 32) {
            const bool there = first_query + q < count && at < dim;
            panel[q * wide + at] = there ? queries[(u64)(first_query + q) * dim + at] : 0;
        }
    }
    sync_block();
    const u32 begin = blockIdx.x * strip;
    const u32 end = begin + strip < n ? begin + strip : n;
    const u32 along_queries = warp / 4 * 32, along_rows = warp % 4 * 32;
    const u32 group = lane / 4, pair = lane % 4 * 2;
    for (u32 base = begin; base < end; base += TILE_ROWS) {
        float sums[2][4][4];
        for (int m = 0; m < 2; m++)
            for (int t = 0; t < 4; t++)
                for (int i = 0; i < 4; i++) sums[m][t][i] = 0;
        fetch_rows(stages, rows, end, base, dim, 0);
        u32 stage = 0;
        for (u32 at = 0; at < dim; at += STEP, stage ^= 1) {
            if (at + STEP < dim) {
                u16 *next = stages + (stage ^ 1) * TILE_ROWS * (STEP + PAD);
                fetch_rows(next, rows, end, base, dim, at + STEP);
                wait_copies(1);
            } else {
                wait_copies(0);
            }
            sync_block();
            const u16 *tile = stages + stage * TILE_ROWS * (STEP + PAD);
            for (u32 step = 0; step < STEP; step += 16) {
                u32 a[2][4], b[4][2];
                for (u32 m = 0; m < 2; m++) {
                    const u16 *q = panel + (along_queries + 16 * m + group) * wide + at + step + pair;
                    a[m][0] = *(const u32 *)q;
                    a[m][1] = *(const u32 *)(q + 8 * wide);
                    a[m][2] = *(const u32 *)(q + 8);
                    a[m][3] = *(const u32 *)(q + 8 * wide + 8);
                }
                for (u32 t = 0; t < 4; t++) {
                    const u16 *r = tile + (along_rows + 8 * t + group) * (STEP + PAD) + step + pair;
                    b[t][0] = *(const u32 *)r;
                    b[t][1] = *(const u32 *)(r + 8);
                }
                for (int m = 0; m < 2; m++)
                    for (int t = 0; t < 4; t++) mma_f16(sums[m][t], a[m], b[t]);
            }
            sync_block();
        }
        // Queues the keys that beat a list's last one; keys that find the queue full are tried
        // again after the list was sorted.
        u32 left = 0xffffffffu;
        for (;;) {
            for (u32 i = 0; i < 32; i++) {
                if (!(left >> i & 1)) continue;
                const u32 m = i / 16, t = i / 4 % 4, c = i % 4;
                const u32 q = along_queries + 16 * m + group + c / 2 * 8;
                const u32 row = base + along_rows + 8 * t + pair + c % 2;
                const u64 own = row < end ? key(sums[m][t][c], first + row, true) : 0;
                bool done = own <= best[q].best[LIST - 1];
                if (!done) {
                    const u32 place = atomic_increment(&queued[q]);
                    if (place < LIST) {
                        best[q].queue[place] = own;
                        done = true;
                    }
                }
                if (done) left &= ~(1u << i);
            }
            const bool more = sync_block_any(left != 0);
            for (u32 q = warp; q < TILE_QUERIES; q += TILE_WARPS) {
                const u32 found = queued[q] < LIST ? queued[q] : LIST;
                sync_warp();
                if (found <= LIST / 2) continue;
                merge_queue(best + q, found, lane);
                if (lane == 0) queued[q] = 0;
            }
            sync_block();
            if (!more) break;
        }
    }
    for (u32 q = warp; q < TILE_QUERIES && first_query + q < count; q += TILE_WARPS) {
        merge_queue(best + q, queued[q] < LIST ? queued[q] : LIST, lane);
        u64 *to = keys + ((u64)(first_query + q) * lists + list + blockIdx.x) * LIST;
        to[lane] = best[q].best[lane];
    }
}

#define MERGE_WARPS 8

// Merges each query's `lists` lists: (count, lists, LIST) to (count, LIST). One block per query.
// Shared memory: MERGE_WARPS lists.
KERNEL merge(const u64 *keys, u32 lists, u64 *merged) {
    SHARED(u64, shared);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    List *all = (List *)shared, *own = all + warp;
    const u64 *from = keys + (u64)blockIdx.x * lists * LIST;
    u32 queued = 0;
    clear(own, lane);
    u64 next = warp < lists ? from[warp * LIST + lane] : 0; // loaded one list ahead
    for (u32 l = warp; l < lists; l += MERGE_WARPS) {
        const u64 key = next;
        if (l + MERGE_WARPS < lists) next = from[(u64)(l + MERGE_WARPS) * LIST + lane];
        offer(own, &queued, key, lane);
    }
    merge_queue(own, queued, lane);
    sync_block();
    if (warp != 0) return;
    queued = 0;
    for (u32 w = 1; w < MERGE_WARPS; w++) offer(own, &queued, all[w].best[lane], lane);
    merge_queue(own, queued, lane);
    merged[blockIdx.x * LIST + lane] = own->best[lane];
}

// True scores of the rows in `found` (count, LIST), sorted again: a block of 64 threads per
// query, two lanes per row. Rows are numbered from 0. Shared memory: one list, the query.
KERNEL rescore(const u16 *rows, u32 dim, const float *queries, const u64 *found, u64 *ranked) {
    SHARED(u64, shared);
    const u32 lane = threadIdx.x % 32;
    List *list = (List *)shared;
    float *query = (float *)(list + 1);
    for (u32 at = threadIdx.x; at < dim; at += blockDim.x) query[at] = queries[(u64)blockIdx.x * dim + at];
    sync_block();
    const u32 place = threadIdx.x / 2, half = threadIdx.x % 2;
    const u64 near = found[blockIdx.x * LIST + place];
    const u32 row = near == 0 ? 0 : 0xffffffffu - (u32)near;
    float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    row_sums(rows + (u64)row * dim, query, dim, half, sums);
    const float score = folded(sums);
    if (half == 0) {
        list->best[place] = near == 0 ? 0 : key(score, row, false);
        list->queue[place] = 0;
    }
    sync_block();
    if (threadIdx.x >= 32) return;
    sort(list->best, lane);
    ranked[blockIdx.x * LIST + lane] = list->best[lane];
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
