// Reduces the logits of each sequence to what the search for a caption reads: the log-sum-exp,
// the best tokens, and the logits of some tokens by number.
//
// Follows cuda/prelude.cu.
//
// A block takes one sequence and reads its logits once; thread t has the tokens t, t + THREADS, ...
// It keeps the best of them and their sum of exponentials. The first warp then takes the best of
// all threads, `candidates` times, and each time reads the tokens of the thread that had it again
// for that thread's next best. So the work after the pass is small, and the result is exact for
// any order of the logits.
//
// A key is a logit in the upper half, mapped so that it orders as an integer, and the complement
// of the token in the lower half: the greater key is the better token, and of equal logits the
// lower token. 0 is no key.

#define THREADS 1024
#define WARPS (THREADS / 32)

#define LOWEST -3.402823466e38f // the least finite f32
#define LOG2_E 1.4426950408889634f

// Both zeros have one key. The key of a NaN is of no account, since the log-sum-exp is NaN then.
DEVICE u64 key(float logit, u32 token) {
    const u32 bits = float_bits(logit + 0.0f);
    const u32 ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
    return (u64)ordered << 32 | (0xffffffffu - token);
}

// The bits of the logit in a key.
DEVICE u32 logit_bits(u64 key) {
    const u32 ordered = (u32)(key >> 32);
    return ordered >> 31 ? ordered ^ 0x80000000u : ~ordered;
}

// The greatest key of a warp, to all lanes.
DEVICE u64 warp_greatest(u64 key, u32 lane) {
    for (u32 apart = 16; apart > 0; apart /= 2) {
        const u32 upper = warp_shuffle((u32)(key >> 32), lane ^ apart);
        const u64 other = (u64)upper << 32 | warp_shuffle((u32)key, lane ^ apart);
        if (other > key) key = other;
    }
    return key;
}

// A sum of exponentials: `sum` times e to the `maximum`.
struct ExpSum {
    float maximum, sum;
};

// The sums of all lanes together, to all lanes. A NaN stays NaN, and an infinite maximum becomes
// NaN, as it does in f32 arithmetic.
DEVICE ExpSum warp_exp_sum(ExpSum own) {
    for (int apart = 16; apart > 0; apart /= 2) {
        const float maximum = warp_shuffle_xor(own.maximum, apart);
        const float sum = warp_shuffle_xor(own.sum, apart);
        const float greater = maximum > own.maximum ? maximum : own.maximum;
        own.sum = own.sum * power_of_two((own.maximum - greater) * LOG2_E) +
                  sum * power_of_two((maximum - greater) * LOG2_E);
        own.maximum = greater;
    }
    return own;
}

// Reduces `logits` (sequences, vocab), one block per sequence; `candidates` is at most vocab. A
// pick is a sequence and a token. Writes to `out`, for each sequence: the log-sum-exp, the best
// tokens, best first, and their logits; then the logits of the picks.
// Shared memory: THREADS + WARPS keys, then WARPS sums.
template <typename T>
DEVICE void reduce(const T *logits, u32 vocab, u32 candidates, const u32 *picks, u32 count, u32 *out) {
    SHARED(u64, best);
    u64 *groups = best + THREADS; // the best of each warp's threads
    ExpSum *sums = (ExpSum *)(groups + WARPS);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const T *row = logits + (u64)blockIdx.x * vocab;
    ExpSum own = {LOWEST, 0};
    u64 own_best = 0;
    // Unrolled, so that several loads are in flight.
    UNROLL_BY(8)
    for (u32 token = threadIdx.x; token < vocab; token += THREADS) {
        const float logit = to_float(row[token]);
        if (logit > own.maximum) {
            own.sum *= power_of_two((own.maximum - logit) * LOG2_E);
            own.maximum = logit;
        }
        own.sum += power_of_two((logit - own.maximum) * LOG2_E);
        const u64 candidate = key(logit, token);
        if (candidate > own_best) own_best = candidate;
    }
    own = warp_exp_sum(own);
    const u64 group = warp_greatest(own_best, lane);
    best[threadIdx.x] = own_best;
    if (lane == 0) {
        groups[warp] = group;
        sums[warp] = own;
    }
    u32 *picked = out + (u64)gridDim.x * (1 + 2 * candidates);
    for (u32 at = blockIdx.x * THREADS + threadIdx.x; at < count; at += gridDim.x * THREADS)
        picked[at] = float_bits(to_float(logits[(u64)picks[2 * at] * vocab + picks[2 * at + 1]]));
    sync_block();
    if (warp != 0) return;

    const ExpSum all = warp_exp_sum(sums[lane]);
    u32 *to = out + (u64)blockIdx.x * (1 + 2 * candidates);
    if (lane == 0) to[0] = float_bits(all.maximum + logarithm(all.sum));
    u64 remaining = groups[lane]; // the best of the threads of warp `lane`
    for (u32 rank = 0; rank < candidates; rank++) {
        const u64 top = warp_greatest(remaining, lane);
        const u32 token = 0xffffffffu - (u32)top;
        if (lane == 0) {
            to[1 + rank] = token;
            to[1 + candidates + rank] = logit_bits(top);
        }
        if (rank + 1 == candidates) break;
        // The next best of the thread that had this token.
        const u32 thread = token % THREADS;
        u64 next = 0;
        for (u32 other = thread + lane * THREADS; other < vocab; other += 32 * THREADS) {
            const u64 candidate = key(to_float(row[other]), other);
            if (candidate < top && candidate > next) next = candidate;
        }
        next = warp_greatest(next, lane);
        // A lane alone reads and writes best[i] for i % 32 == lane, so no barrier is needed.
        u64 *of_warp = best + thread / 32 * 32;
        if (lane == thread % 32) of_warp[lane] = next;
        next = warp_greatest(of_warp[lane], lane);
        if (lane == thread / 32) remaining = next;
    }
}

KERNEL BOUNDS(THREADS, 1) reduce_f32(const float *logits, u32 vocab, u32 candidates,
                                     const u32 *picks, u32 count, u32 *out) {
    reduce(logits, vocab, candidates, picks, count, out);
}

KERNEL BOUNDS(THREADS, 1) reduce_f16(const f16 *logits, u32 vocab, u32 candidates,
                                     const u32 *picks, u32 count, u32 *out) {
    reduce(logits, vocab, candidates, picks, count, out);
}

KERNEL BOUNDS(THREADS, 1) reduce_bf16(const bf16 *logits, u32 vocab, u32 candidates,
                                      const u32 *picks, u32 count, u32 *out) {
    reduce(logits, vocab, candidates, picks, count, out);
}
