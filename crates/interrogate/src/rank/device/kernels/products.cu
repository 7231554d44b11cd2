// Coarse scores of few queries: rows stream through shared memory once.

#define STEP 64        // values along dim per stage: 128 bytes of a row
#define STAGES 4
#define TILE_ROWS 128  // 32 for each of four warps
#define PRODUCT_WARPS 4
#define TURNED 40      // values of a query's scores in shared memory: 32 and padding

// Offset of 16 bytes of a row of STEP values: the exclusive or avoids bank conflicts.
DEVICE u32 swizzled(u32 row, u32 chunk) { return row * STEP + (chunk ^ row % 8) * 8; }

// Copies eight values to shared memory; zeros past the end.
DEVICE void fetch_eight(u16 *to, const u16 *from, bool there) {
    if (there) copy_async(to, from);
    else *(Bytes16 *)to = Bytes16{{0, 0, 0, 0}};
}

// Scores (count, pitch) of `count` queries (count, dim), at most QUERIES, with `n` rows (n, dim);
// dim is a multiple of 8, pitch one of TILE_ROWS and at least n. A block takes tiles of
// TILE_ROWS rows, as many as other blocks. Shared memory: the queries, the stages, and the
// scores of each warp, which are written row after row.
template <u32 QUERIES>
DEVICE void products(const u16 *rows, u32 n, u32 dim, const u16 *queries, u32 count, u16 *scores, u64 pitch) {
    SHARED(u16, shared);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u32 steps = (dim + STEP - 1) / STEP;
    u16 *stages = shared + steps * QUERIES * STEP;
    u16 *turned = stages + STAGES * TILE_ROWS * STEP + warp * QUERIES * TURNED;
    for (u32 i = threadIdx.x; i < steps * QUERIES * (STEP / 8); i += blockDim.x) {
        const u32 chunk = i % (STEP / 8), q = i / (STEP / 8) % QUERIES, step = i / (STEP / 8) / QUERIES;
        const u32 at = step * STEP + chunk * 8;
        const bool there = q < count && at < dim;
        fetch_eight(shared + step * QUERIES * STEP + swizzled(q, chunk), queries + (there ? (u64)q * dim + at : 0), there);
    }
    const u32 tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
    // The next stage to be fetched: its tile and step.
    u32 next_tile = blockIdx.x, next_step = 0, next_stage = 0;
    auto fetch = [&] {
        if (next_tile < tiles) {
            u16 *stage = stages + next_stage * TILE_ROWS * STEP;
            UNROLL for (u32 i = 0; i < TILE_ROWS * (STEP / 8) / (32 * PRODUCT_WARPS); i++) {
                const u32 number = i * 32 * PRODUCT_WARPS + threadIdx.x;
                const u32 r = number / (STEP / 8), chunk = number % (STEP / 8);
                const u32 row = next_tile * TILE_ROWS + r, at = next_step * STEP + chunk * 8;
                const bool there = row < n && at < dim;
                fetch_eight(stage + swizzled(r, chunk), rows + (there ? (u64)row * dim + at : 0), there);
            }
        }
        commit_copies();
        next_stage = (next_stage + 1) % STAGES;
        if (++next_step == steps) next_step = 0, next_tile += gridDim.x;
    };
    for (u32 i = 0; i < STAGES - 1; i++) fetch();
    u32 stage = 0;
    for (u32 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        float sums[QUERIES / 16][4][4];
        UNROLL for (u32 m = 0; m < QUERIES / 16; m++)
            UNROLL for (u32 t = 0; t < 4; t++)
                UNROLL for (u32 i = 0; i < 4; i++) sums[m][t][i] = 0;
        for (u32 step = 0; step < steps; step++) {
            wait_copies(STAGES - 2);
            sync_block(); // the stage is complete, and the last one is free
            fetch();
            const u16 *panel = shared + step * QUERIES * STEP;
            const u16 *own = stages + stage * TILE_ROWS * STEP;
            UNROLL for (u32 k = 0; k < STEP / 16; k++) {
                u32 b[2][4];
                UNROLL for (u32 t = 0; t < 2; t++) {
                    const u32 row = 32 * warp + 16 * t + lane / 16 * 8 + lane % 8;
                    load_matrices(b[t], own + swizzled(row, 2 * k + lane / 8 % 2));
                }
                UNROLL for (u32 m = 0; m < QUERIES / 16; m++) {
                    u32 a[4];
                    load_matrices(a, panel + swizzled(16 * m + lane % 16, 2 * k + lane / 16));
                    UNROLL for (u32 t = 0; t < 4; t++) mma_f16(sums[m][t], a, b[t / 2] + t % 2 * 2);
                }
            }
            stage = (stage + 1) % STAGES;
        }
        // A lane has two scores side by side; written are eight.
        UNROLL for (u32 m = 0; m < QUERIES / 16; m++)
            UNROLL for (u32 t = 0; t < 4; t++)
                UNROLL for (u32 half = 0; half < 2; half++) {
                    const float *two = sums[m][t] + 2 * half;
                    const u32 pair = float_to_f16(two[0]) | (u32)float_to_f16(two[1]) << 16;
                    *(u32 *)(turned + (16 * m + 8 * half + lane / 4) * TURNED + 8 * t + lane % 4 * 2) = pair;
                }
        sync_warp();
        UNROLL for (u32 i = 0; i < QUERIES / 8; i++) {
            const u32 q = 8 * i + lane / 4, column = lane % 4 * 8;
            if (q < count)
                *(Bytes16 *)(scores + q * pitch + tile * TILE_ROWS + 32 * warp + column) = *(Bytes16 *)(turned + q * TURNED + column);
        }
        sync_warp();
    }
    wait_copies(0);
}

KERNEL BOUNDS(32 * PRODUCT_WARPS, 2)
products_16(const u16 *rows, u32 n, u32 dim, const u16 *queries, u32 count, u16 *scores, u64 pitch) {
    products<16>(rows, n, dim, queries, count, scores, pitch);
}
KERNEL BOUNDS(32 * PRODUCT_WARPS, 2)
products_32(const u16 *rows, u32 n, u32 dim, const u16 *queries, u32 count, u16 *scores, u64 pitch) {
    products<32>(rows, n, dim, queries, count, scores, pitch);
}
KERNEL BOUNDS(32 * PRODUCT_WARPS, 1)
products_64(const u16 *rows, u32 n, u32 dim, const u16 *queries, u32 count, u16 *scores, u64 pitch) {
    products<64>(rows, n, dim, queries, count, scores, pitch);
}
