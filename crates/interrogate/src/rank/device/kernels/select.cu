// The rows whose coarse scores are among the best.
//
// A query has one list or several, each for another part of every piece of scores. A list has
// `capacity` entries, in no order, and a state: its length and a threshold. Every row of its part
// that it does not have has a coarse key of at most the threshold; 0 stands for no such row. So
// later pieces add only rows above the threshold. When a list would overflow, the threshold
// rises to the key that `wanted` rows reach, and the rows below it are dropped; if so many rows
// tie there that they do not fit, all of these are dropped too: such a tie decides no ranking.

#define SELECT_THREADS 256
#define LOADS 4                             // of eight scores each, in flight for a thread
#define CHUNK (SELECT_THREADS * 8 * LOADS)  // scores that a block compares at a time

// The key of score number `i` of a thread's registers.
DEVICE u32 key_of(const Bytes16 keys[LOADS], u32 i) { return keys[i / 8].word[i / 2 % 4] >> i % 2 * 16 & 0xffff; }

// Adds rows of a piece to the lists: scores (gridDim.y queries, pitch) of `n` rows, numbered from
// `first`. Block (x, y) reads rows [x strip, (x + 1) strip) of query y; strip is a multiple of 8,
// as pitch is, and capacity at least `wanted`. entries (queries, gridDim.x, capacity), states
// (queries, gridDim.x, 2). Shared memory: capacity entries, COUNTERS counters.
KERNEL BOUNDS(SELECT_THREADS, 4)
select_rows(const u16 *scores, u64 pitch, u32 n, u32 first, u32 strip, u32 wanted, u32 capacity, u64 *entries, u32 *states) {
    SHARED(u64, old);
    u32 *counters = (u32 *)(old + capacity), *added = counters + 16, *fill = counters + 17;
    const u64 list = (u64)blockIdx.y * gridDim.x + blockIdx.x;
    u64 *own = entries + list * capacity;
    u32 length = states[2 * list], threshold = states[2 * list + 1];
    scores += blockIdx.y * pitch;
    const u32 begin = blockIdx.x * strip;
    const u32 end = n < begin || n - begin < strip ? n : begin + strip;
    bool changed = false;
    for (u32 base = begin; base < end; base += CHUNK) {
        const u32 least = coarse_bits(threshold) * 0x10001u;
        Bytes16 keys[LOADS];
        UNROLL for (u32 l = 0; l < LOADS; l++) {
            const u32 at = base + (l * SELECT_THREADS + threadIdx.x) * 8;
            keys[l] = Bytes16{{0xfc00fc00u, 0xfc00fc00u, 0xfc00fc00u, 0xfc00fc00u}};
            if (at < end) keys[l] = *(const Bytes16 *)(scores + at);
        }
        u32 any = 0;
        UNROLL for (u32 l = 0; l < LOADS; l++)
            UNROLL for (u32 w = 0; w < 4; w++) any |= f16_pair_exceeds(keys[l].word[w], least);
        if (!sync_block_any(any != 0)) continue;

        if (threadIdx.x < COUNTERS) counters[threadIdx.x] = 0;
        u32 above = 0;
        UNROLL for (u32 l = 0; l < LOADS; l++)
            UNROLL for (u32 w = 0; w < 4; w++) {
                const u32 at = base + (l * SELECT_THREADS + threadIdx.x) * 8 + 2 * w;
                const u32 pair = keys[l].word[w];
                const u32 low = at < end ? coarse_key(pair & 0xffff) : 0;
                const u32 high = at + 1 < end ? coarse_key(pair >> 16) : 0;
                above += (low > threshold) + (high > threshold);
                keys[l].word[w] = low | high << 16;
            }
        sync_block();
        above = warp_sum(above);
        if (threadIdx.x % 32 == 0) atomic_add(added, above);
        sync_block();
        if (*added == 0) continue;
        changed = true;
        if (length + *added > capacity) {
            // Every thread reads the entries again that it copied.
            for (u32 i = threadIdx.x; i < length; i += SELECT_THREADS) old[i] = own[i];
            auto count = [&](u32 key) {
                u32 found = 0;
                UNROLL for (u32 l = 0; l < LOADS; l++)
                    UNROLL for (u32 w = 0; w < 4; w++) {
                        const u32 pair = keys[l].word[w];
                        found += ((pair & 0xffff) >= key) + (pair >> 16 >= key);
                    }
                for (u32 i = threadIdx.x; i < length; i += SELECT_THREADS) found += old[i] >> 32 >= key;
                return found;
            };
            u32 reached = 0;
            const u32 nth = nth_key(count, wanted, counters, &reached);
            threshold = reached <= capacity ? nth - 1 : nth;
            for (u32 i = threadIdx.x; i < length; i += SELECT_THREADS)
                if (old[i] >> 32 > threshold) own[atomic_increment(fill)] = old[i];
            length = 0;
        }
        UNROLL for (u32 i = 0; i < 8 * LOADS; i++) {
            const u32 key = key_of(keys, i);
            if (key <= threshold) continue;
            const u32 at = base + (i / 8 * SELECT_THREADS + threadIdx.x) * 8 + i % 8;
            own[length + atomic_increment(fill)] = (u64)key << 32 | (first + at);
        }
        sync_block();
        length += *fill;
    }
    if (changed && threadIdx.x == 0) {
        states[2 * list] = length;
        states[2 * list + 1] = threshold;
    }
}
