// Emulates the ranking kernels on a CPU. This shows that their logic is correct, but
// neither their speed nor whether an asynchronous copy is read too early.
//
// Each thread of a block is a context. In every turn the contexts run in a new random
// order, each until it reaches a barrier of its warp or block, and continue once all
// threads of the barrier have reached it. A barrier that some threads of a block never
// reach is an error. Tensor cores, votes and shuffles follow their definition in the PTX
// manual. Results are compared with a plain sort by the scores of rank/dot, bit for bit.

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

using u16 = uint16_t;
using u32 = uint32_t;
using u64 = unsigned long long;

struct Dim { u32 x = 1, y = 1, z = 1; };

namespace emulated {

enum class State { Ready, Warp, Block, Done };

struct Thread {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(256 * 1024);
    State state = State::Ready;
    u32 number = 0;
};

struct Block {
    std::vector<Thread> threads;
    std::vector<u64> shared;
    std::vector<std::array<u32, 6>> fragments; // values exchanged between lanes
    std::function<void()> body;
    ucontext_t scheduler;
    Thread *running = nullptr;
};

Block *block;
std::mt19937 order(1);

void wait(State barrier) {
    Thread *self = block->running;
    self->state = barrier;
    swapcontext(&self->context, &block->scheduler);
}

void enter() {
    block->body();
    block->running->state = State::Done;
    swapcontext(&block->running->context, &block->scheduler);
}

} // namespace emulated

Dim gridDim, blockDim, blockIdx;

struct ThreadIndex {
    struct X { operator u32() const { return emulated::block->running->number; } } x;
} threadIdx;

// The CUDA functions that the kernels use.
#define EMULATED
#define KERNEL static void
#define DEVICE static inline
#define SHARED(type, name) type *name = (type *)emulated::block->shared.data()

DEVICE void warp_barrier() { emulated::wait(emulated::State::Warp); }
DEVICE void block_barrier() { emulated::wait(emulated::State::Block); }
DEVICE std::array<u32, 6> &exchanged(u32 thread) { return emulated::block->fragments[thread]; }
DEVICE u32 warp_start() { return threadIdx.x / 32 * 32; }

DEVICE u32 bits(float value) { u32 b; memcpy(&b, &value, 4); return b; }
DEVICE float of_bits(u32 b) { float value; memcpy(&value, &b, 4); return value; }
DEVICE u32 ones(u32 mask) { return __builtin_popcount(mask); }
DEVICE float product(float a, float b, float sum) { return std::fma(a, b, sum); }
DEVICE float added(float a, float b) { return a + b; }
DEVICE u32 counted(u32 *counter) { return (*counter)++; }
DEVICE void raise(u32 *greatest, u32 value) { *greatest = std::max(*greatest, value); }
DEVICE void fetch(void *to, const void *from) { memcpy(to, from, 16); }
DEVICE void fetches_end() {}
DEVICE void fetched() {}
DEVICE void fetched_but_last() {}

DEVICE float widened(u16 half) {
    const u32 sign = (u32)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) return of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0) return of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = (float)fraction * 0x1p-24f;
    return sign ? -small : small;
}

DEVICE u32 votes(bool it) {
    exchanged(threadIdx.x)[0] = it;
    warp_barrier();
    u32 mask = 0;
    for (u32 lane = 0; lane < 32; lane++) mask |= exchanged(warp_start() + lane)[0] << lane;
    warp_barrier();
    return mask;
}

DEVICE float swapped(float value, int apart) {
    exchanged(threadIdx.x)[0] = bits(value);
    warp_barrier();
    const float other = of_bits(exchanged(threadIdx.x ^ apart)[0]);
    warp_barrier();
    return other;
}

DEVICE bool any_of_block(bool it) {
    exchanged(threadIdx.x)[0] = it;
    block_barrier();
    bool any = false;
    for (u32 t = 0; t < blockDim.x; t++) any |= exchanged(t)[0] != 0;
    block_barrier();
    return any;
}

// m16n8k16: which lane and register hold an element is from the PTX manual.
DEVICE void multiply(float c[4], const u32 a[4], const u32 b[2]) {
    auto &own = exchanged(threadIdx.x);
    for (int i = 0; i < 4; i++) own[i] = a[i];
    for (int i = 0; i < 2; i++) own[4 + i] = b[i];
    warp_barrier();
    const u32 lane = threadIdx.x % 32;
    for (u32 i = 0; i < 4; i++) {
        const u32 row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        float sum = c[i];
        for (u32 k = 0; k < 16; k++) {
            const u32 lane_a = row % 8 * 4 + k % 8 / 2, lane_b = column * 4 + k % 8 / 2;
            const u32 pair_a = exchanged(warp_start() + lane_a)[row / 8 + k / 8 * 2];
            const u32 pair_b = exchanged(warp_start() + lane_b)[4 + k / 8];
            sum += widened(pair_a >> k % 2 * 16 & 0xffff) * widened(pair_b >> k % 2 * 16 & 0xffff);
        }
        c[i] = sum;
    }
    warp_barrier();
}

#include "../../crates/interrogate/src/rank/device/kernels.cu"

// Runs a grid block by block.
static void launch(Dim grid, u32 threads, size_t shared, std::function<void()> body) {
    using emulated::State;
    emulated::Block block;
    block.threads = std::vector<emulated::Thread>(threads);
    block.fragments.resize(threads);
    block.body = body;
    emulated::block = &block;
    gridDim = grid;
    blockDim = Dim{threads};
    for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
            block.shared.assign(shared / 8 + 1, 0xdeadbeefdeadbeefull); // never zero by chance
            std::vector<u32> turns(threads);
            for (u32 t = 0; t < threads; t++) {
                emulated::Thread &thread = block.threads[t];
                thread.number = turns[t] = t;
                thread.state = State::Ready;
                getcontext(&thread.context);
                thread.context.uc_stack.ss_sp = thread.stack.data();
                thread.context.uc_stack.ss_size = thread.stack.size();
                thread.context.uc_link = nullptr;
                makecontext(&thread.context, emulated::enter, 0);
            }
            for (;;) {
                std::shuffle(turns.begin(), turns.end(), emulated::order);
                bool ran = false;
                for (u32 t : turns) {
                    if (block.threads[t].state != State::Ready) continue;
                    ran = true;
                    block.running = &block.threads[t];
                    swapcontext(&block.scheduler, &block.running->context);
                }
                auto all = [&](u32 from, u32 to, State state) {
                    return std::all_of(block.threads.begin() + from, block.threads.begin() + to,
                                       [&](auto &thread) { return thread.state == state; });
                };
                auto go = [&](u32 from, u32 to) {
                    for (u32 t = from; t < to; t++) block.threads[t].state = State::Ready;
                };
                if (all(0, threads, State::Done)) break;
                bool gone = false;
                for (u32 warp = 0; warp < threads; warp += 32)
                    if (all(warp, warp + 32, State::Warp)) go(warp, warp + 32), gone = true;
                if (all(0, threads, State::Block)) go(0, threads), gone = true;
                if (!ran && !gone) {
                    fprintf(stderr, "threads of one block wait at different barriers\n");
                    exit(1);
                }
            }
        }
}

// ---- the reference ----

static u16 narrowed(float value) { // to f16, ties to even, as rows are written
    const u32 sign = bits(value) >> 16 & 0x8000;
    const float size = std::fabs(value);
    if (!(size == size)) return 0x7e00;
    if (size >= 65520.0f) return sign | 0x7c00;
    int exponent;
    std::frexp(size, &exponent);
    const float step = std::ldexp(1.0f, std::max(exponent - 11, -24));
    const u32 steps = (u32)std::nearbyint(size / step);
    if (exponent - 11 < -24) return sign | steps;
    return sign | (((u32)(exponent + 13) << 10) + steps); // a carry goes into the exponent
}

static float score(const u16 *row, const float *query, u32 dim) {
    float lanes[16] = {};
    for (u32 d = 0; d < dim; d++) lanes[d % 16] = std::fma(widened(row[d]), query[d], lanes[d % 16]);
    for (u32 half = 8; half > 0; half /= 2)
        for (u32 l = 0; l < half; l++) lanes[l] += lanes[l + half];
    return lanes[0];
}

struct Case {
    const char *name;
    u32 n, dim, count, strip;
    int shape; // 0 random, 1 few distinct rows, 2 a large common mean, 3 with damaged rows
};

static u32 failures = 0;

// A row of a ranking, by the reference or by a key.
struct Hit {
    u32 row;
    float score;
    bool operator==(const Hit &other) const {
        const bool numbers = score == score && other.score == other.score;
        return row == other.row && (numbers ? score == other.score : score != score && other.score != other.score);
    }
};

static float score_of(u64 key) {
    const u32 ordered = key >> 32;
    if (ordered == 0 || ordered == 0xffffffffu) return NAN;
    return of_bits(ordered >> 31 ? ordered ^ 0x80000000u : ~ordered);
}

static Hit hit(u64 key) { return {0xffffffffu - (u32)key, score_of(key)}; }

// Higher score first, then lower row; NaN last.
static bool before(const Hit &a, const Hit &b) {
    const bool no_a = a.score != a.score, no_b = b.score != b.score;
    if (no_a != no_b) return no_b;
    if (!no_a && a.score != b.score) return a.score > b.score;
    return a.row < b.row;
}

static void expect(bool it, const Case &c, const char *what, u32 query, u32 place) {
    if (!it && failures++ < 10)
        fprintf(stderr, "%s: %s, query %u, place %u\n", c.name, what, query, place);
}

static u32 run(const Case &c) {
    std::mt19937 random(c.n * 31 + c.dim + c.count);
    std::normal_distribution<float> normal;
    auto unit = [&](std::vector<float> row) {
        double sum = 0;
        for (float v : row) sum += (double)v * v;
        for (float &v : row) v /= std::sqrt(sum);
        return row;
    };
    auto drawn = [&] {
        std::vector<float> row(c.dim);
        for (float &v : row) v = normal(random);
        return unit(row);
    };
    std::vector<std::vector<float>> distinct;
    for (int i = 0; i < 7; i++) distinct.push_back(drawn());
    std::vector<u16> rows((size_t)c.n * c.dim);
    for (u32 r = 0; r < c.n; r++) {
        std::vector<float> row = c.shape == 1 ? distinct[r * r % 7] : drawn();
        if (c.shape == 2) for (u32 d = 0; d < c.dim; d++) row[d] = 0.7f * distinct[0][d] + 0.3f * row[d];
        row = unit(row);
        for (u32 d = 0; d < c.dim; d++) rows[(size_t)r * c.dim + d] = narrowed(row[d]);
        if (c.shape == 3 && r % 50 == 9) rows[(size_t)r * c.dim + r % c.dim] = 0x7e00; // NaN
    }
    std::vector<float> queries;
    std::vector<u16> halves;
    for (u32 q = 0; q < c.count; q++)
        for (float v : drawn()) queries.push_back(v), halves.push_back(narrowed(v));

    const u32 first = 1000; // row numbers continue from an earlier piece
    auto reference = [&](u32 q, u32 from) {
        std::vector<Hit> hits;
        for (u32 r = 0; r < c.n; r++)
            hits.push_back({from + r, score(&rows[(size_t)r * c.dim], &queries[(size_t)q * c.dim], c.dim)});
        std::sort(hits.begin(), hits.end(), before);
        return hits;
    };
    const u32 blocks = (c.n + c.strip - 1) / c.strip;

    // scan, then merge: the scores are exact, so that the whole list must match.
    const u32 few = std::min(c.count, (u32)SCAN_QUERIES);
    std::vector<u64> lists((size_t)c.count * (blocks + 1) * LIST, 0), merged(c.count * LIST, 7);
    const u32 width = blocks + 1; // list 0 belongs to another piece and stays empty
    launch(Dim{blocks}, 32 * SCAN_WARPS, SCAN_WARPS * few * sizeof(List) + few * c.dim * 4, [&] {
        scan(rows.data(), c.n, first, c.dim, queries.data(), few, c.strip, lists.data(), width, 1);
    });
    launch(Dim{few}, 32 * MERGE_WARPS, MERGE_WARPS * sizeof(List),
           [&] { merge(lists.data(), width, merged.data()); });
    for (u32 q = 0; q < few; q++) {
        const auto expected = reference(q, first);
        for (u32 i = 0; i < LIST; i++) {
            const u64 found = merged[q * LIST + i];
            expect(i < c.n ? hit(found) == expected[i] : found == 0, c, "scan", q, i);
        }
    }

    // tile, merge, rescore: exact where the bound proves it, for every k.
    const u32 wide = (c.dim + STEP - 1) / STEP * STEP + PAD;
    const size_t shared = TILE_QUERIES * (sizeof(List) + 4) + 2 * TILE_ROWS * (STEP + PAD) * 2 + TILE_QUERIES * wide * 2;
    std::vector<u64> near((size_t)c.count * blocks * LIST, 7), ranked(c.count * LIST, 7);
    launch(Dim{blocks, (c.count + TILE_QUERIES - 1) / TILE_QUERIES}, 32 * TILE_WARPS, shared, [&] {
        tile(rows.data(), c.n, 0, c.dim, halves.data(), c.count, c.strip, near.data(), blocks, 0);
    });
    launch(Dim{c.count}, 32 * MERGE_WARPS, MERGE_WARPS * sizeof(List),
           [&] { merge(near.data(), blocks, merged.data()); });
    launch(Dim{c.count}, 64, sizeof(List) + c.dim * 4, [&] {
        rescore(rows.data(), c.dim, queries.data(), merged.data(), ranked.data());
    });
    u32 greatest = 0;
    launch(Dim{3}, 64, 0, [&] { longest(rows.data(), c.n, c.dim, &greatest); });
    double true_longest = 0;
    for (u32 r = 0; r < c.n; r++) {
        double sum = 0;
        for (u32 d = 0; d < c.dim; d++) sum += std::pow((double)widened(rows[(size_t)r * c.dim + d]), 2);
        if (sum == sum) true_longest = std::max(true_longest, std::sqrt(sum));
    }
    const double length_of_longest = std::sqrt((double)of_bits(greatest));
    expect(std::fabs(length_of_longest - true_longest) < 1e-5 * true_longest, c, "longest", 0, 0);
    u32 proved = 0;
    for (u32 q = 0; q < c.count; q++) {
        double lost = 0, length = 0;
        for (u32 d = 0; d < c.dim; d++) {
            const double v = queries[(size_t)q * c.dim + d];
            lost += std::pow(v - widened(halves[(size_t)q * c.dim + d]), 2);
            length += v * v;
        }
        // The bound of keys.rs.
        const double error = (std::sqrt(lost) + (c.dim + 8) * 0x1p-21 * std::sqrt(length)) * length_of_longest;
        const auto expected = reference(q, 0);
        // No score has a larger error.
        for (u32 i = 0; i < LIST; i++) {
            const u64 k = merged[q * LIST + i];
            if (k == 0 || std::isnan(score_of(k))) continue;
            const double exact = score(&rows[(size_t)hit(k).row * c.dim], &queries[(size_t)q * c.dim], c.dim);
            expect(std::fabs(score_of(k) - exact) <= error, c, "bound", q, i);
        }
        for (u32 k = 1; k <= std::min(c.n, (u32)LIST); k++) {
            const u64 kth = ranked[q * LIST + k - 1], last = merged[q * LIST + LIST - 1];
            const bool all = c.n <= LIST;
            // False for NaN.
            if (!all && !(score_of(kth) > score_of(last) + error)) continue;
            proved++;
            for (u32 i = 0; i < k; i++)
                expect(hit(ranked[q * LIST + i]) == expected[i], c, "tile", q, i);
        }
    }
    return proved;
}

int main() {
    const Case cases[] = {
        {"one row", 1, 8, 1, 128, 0},
        {"fewer rows than a list", 20, 24, 3, 128, 0},
        {"rows of one list", 32, 40, 2, 128, 1},
        {"odd ends", 333, 72, 9, 128, 0},
        {"many queries", 700, 40, 70, 256, 0},
        {"few distinct rows", 1000, 48, 5, 384, 1},
        {"a large common mean", 900, 64, 66, 128, 2},
        {"damaged rows", 600, 32, 8, 128, 3},
        {"rows of ViT-B/32", 1500, 512, 65, 512, 0},
        {"rows of ViT-bigG", 260, 1280, 2, 128, 2},
    };
    for (const Case &c : cases) {
        const u32 proved = run(c);
        printf("%-24s %5u rows of %4u, %2u queries: %u of %u answers by tile proved\n", c.name, c.n, c.dim,
               c.count, proved, c.count * std::min(c.n, (u32)LIST));
    }
    printf("emulated, not run on a GPU: %u failures\n", failures);
    return failures != 0;
}
