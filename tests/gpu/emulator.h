#pragma once
// Emulates kernels on a CPU. This shows that their logic is correct, but not their speed.
//
// Each thread of a block is a fiber. In every turn the fibers that can run do so in a new random
// order, each until it reaches a barrier of its warp or block, and continue once all
// threads of the barrier have reached it. A warp drawn by chance is held back for some turns, so
// that warps are far apart where no barrier of the block holds them together. A barrier that some
// threads of a block never reach is an error. An asynchronous copy happens at once or when its
// thread waits for it, by chance, so that a copy that is read too early, or overwrites what is
// still read, gives wrong results. Tensor cores, votes and shuffles follow their definition in the
// PTX manual.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "fiber.h"

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = unsigned long long;

struct Dim { u32 x = 1, y = 1, z = 1; };

namespace emulated {

enum class State { Ready, Warp, Block, Done };

struct Thread {
    Fiber fiber;
    State state = State::Ready;
    u32 number = 0;
    Dim index;
    // Groups of asynchronous copies (to, from); the last one is not committed yet.
    std::deque<std::vector<std::pair<void *, const void *>>> copies;
};

// The operands of a warp's tensor cores.
struct Operands { float a[16][16], b[16][8]; };

struct Warp {
    u32 waiting = 0, live = 0;
    Operands operands;
};

// Values that are never a number by chance: what a lane that does not run holds.
constexpr std::array<u32, 6> ABSENT = {0x7fc0dead, 0x7fc0dead, 0x7fc0dead, 0x7fc0dead, 0x7fc0dead, 0x7fc0dead};

struct Block {
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    GuardedMemory shared;
    std::vector<std::array<u32, 6>> fragments; // values exchanged between lanes
    std::vector<const uint16_t *> rows; // addresses exchanged between lanes
    const std::function<void()> *body = nullptr;
    Fiber scheduler;
    Thread *running = nullptr;
};

// A quick random generator (xorshift).
struct Random {
    using result_type = u32;
    u64 state;
    explicit Random(u64 seed) : state(seed * 0x9e3779b97f4a7c15ull + 1) {}
    static constexpr u32 min() { return 0; }
    static constexpr u32 max() { return 0xffffffffu; }
    u32 operator()() {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return state >> 32;
    }
    u32 below(u32 bound) { return (u64)(*this)() * bound >> 32; }
};

Block *block;
Random order(1);
// Whether a barrier waits only for the threads that have not returned, as on a GPU, instead of
// reporting it.
bool returned_threads_pass = false;

void wait(State barrier) {
    Thread *self = block->running;
    self->state = barrier;
    resume(self->fiber, block->scheduler);
}

void enter() {
    (*block->body)();
    Thread *self = block->running;
    self->state = State::Done;
    resume(self->fiber, block->scheduler);
}

} // namespace emulated

Dim gridDim, blockDim, blockIdx;

struct ThreadIndex {
    struct X { operator u32() const { return emulated::block->running->index.x; } } x;
    struct Y { operator u32() const { return emulated::block->running->index.y; } } y;
    struct Z { operator u32() const { return emulated::block->running->index.z; } } z;
} threadIdx;

#define EMULATED
#define BOUNDS(threads, blocks)
#define UNROLL
#define UNROLL_BY(times)
#define KERNEL __attribute__((used)) static void
#define DEVICE static inline
#define SHARED(type, name) type *name = (type *)emulated::block->shared.data()

DEVICE void sync_warp() { emulated::wait(emulated::State::Warp); }
DEVICE void sync_block() { emulated::wait(emulated::State::Block); }
DEVICE std::array<u32, 6> &exchanged(u32 thread) { return emulated::block->fragments[thread]; }
DEVICE const u16 *&exchanged_rows(u32 thread) { return emulated::block->rows[thread]; }
// Within the block, also if that has two dimensions.
DEVICE u32 threadNumber() { return emulated::block->running->number; }
DEVICE u32 warp_start() { return threadIdx.x / 32 * 32; }

DEVICE u32 float_bits(float value) { u32 b; memcpy(&b, &value, 4); return b; }
DEVICE float bits_float(u32 b) { float value; memcpy(&value, &b, 4); return value; }
DEVICE u32 count_ones(u32 mask) { return __builtin_popcount(mask); }
DEVICE float fused_multiply_add(float a, float b, float sum) { return std::fma(a, b, sum); }
DEVICE float rounded_add(float a, float b) { return a + b; }
DEVICE float square_root(float x) { return std::sqrt(x); }
DEVICE float power_of_two(float x) { return std::exp2(x); }
DEVICE float logarithm(float x) { return std::log(x); }
DEVICE float error_complement(float x) { return std::erfc(x); }
DEVICE u32 atomic_add(u32 *counter, u32 by) { const u32 before = *counter; *counter += by; return before; }
DEVICE u32 atomic_increment(u32 *counter) { return (*counter)++; }
DEVICE void atomic_max(u32 *greatest, u32 value) { *greatest = std::max(*greatest, value); }

DEVICE void copy_async(void *to, const void *from) {
    if (((uintptr_t)to | (uintptr_t)from) % 16 != 0) fprintf(stderr, "cp.async: not aligned\n"), exit(1);
    auto &copies = emulated::block->running->copies;
    if (copies.empty()) copies.emplace_back();
    if (emulated::order() % 2) memcpy(to, from, 16);
    else copies.back().emplace_back(to, from);
}
DEVICE void commit_copies() {
    auto &copies = emulated::block->running->copies;
    if (copies.empty()) copies.emplace_back();
    copies.emplace_back();
}
DEVICE void wait_copies(u32 pending) {
    auto &copies = emulated::block->running->copies;
    while (copies.size() > pending + 1) {
        for (auto [to, from] : copies.front()) memcpy(to, from, 16);
        copies.pop_front();
    }
}

DEVICE float f16_to_float(u16 half) {
    const u32 sign = (u32)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) return bits_float(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0) return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = (float)fraction * 0x1p-24f;
    return sign ? -small : small;
}

DEVICE u16 float_to_f16(float value) { // ties to even
    const u32 sign = float_bits(value) >> 16 & 0x8000;
    const float size = std::fabs(value);
    if (!(size == size)) return 0x7e00;
    if (size >= 65520.0f) return sign | 0x7c00;
    if (size == 0) return sign;
    int exponent;
    std::frexp(size, &exponent);
    const float step = std::ldexp(1.0f, std::max(exponent - 11, -24));
    const u32 steps = (u32)std::nearbyint(size / step);
    if (exponent - 11 < -24) return sign | steps;
    return sign | (((u32)(exponent + 13) << 10) + steps); // a carry goes into the exponent
}

DEVICE u16 float_to_bf16(float value) { // ties to even
    const u32 b = float_bits(value);
    if (!(value == value)) return 0x7fff;
    return (b + 0x7fff + (b >> 16 & 1)) >> 16;
}

DEVICE void unpack_f16(u32 pair, float *low, float *high) {
    *low = f16_to_float(pair & 0xffff), *high = f16_to_float(pair >> 16);
}
DEVICE u32 pack_f16(float low, float high) { return float_to_f16(low) | (u32)float_to_f16(high) << 16; }
DEVICE u32 pack_bf16(float low, float high) { return float_to_bf16(low) | (u32)float_to_bf16(high) << 16; }
DEVICE u32 f16_pair_exceeds(u32 pair, u32 other) {
    u32 mask = 0;
    for (u32 shift = 0; shift < 32; shift += 16) {
        const bool not_above = f16_to_float(pair >> shift) <= f16_to_float(other >> shift);
        if (!not_above) mask |= 0xffffu << shift;
    }
    return mask;
}
DEVICE void store_16_bytes(void *to, const u32 word[4]) {
    if ((uintptr_t)to % 16 != 0) fprintf(stderr, "a store of 16 bytes is not aligned\n"), exit(1);
    memcpy(to, word, 16);
}

DEVICE u32 warp_sum(u32 value) {
    exchanged(threadIdx.x)[0] = value;
    sync_warp();
    u32 sum = 0;
    for (u32 lane = 0; lane < 32; lane++) sum += exchanged(warp_start() + lane)[0];
    sync_warp();
    return sum;
}

DEVICE u32 warp_ballot(bool it) {
    exchanged(threadIdx.x)[0] = it;
    sync_warp();
    u32 mask = 0;
    for (u32 lane = 0; lane < 32; lane++) mask |= exchanged(warp_start() + lane)[0] << lane;
    sync_warp();
    return mask;
}

DEVICE float warp_shuffle_xor(float value, int apart) {
    exchanged(threadIdx.x)[0] = float_bits(value);
    sync_warp();
    const float other = bits_float(exchanged(threadIdx.x ^ apart)[0]);
    sync_warp();
    return other;
}

DEVICE u32 warp_shuffle(u32 value, u32 lane) {
    exchanged(threadIdx.x)[0] = value;
    sync_warp();
    const u32 other = exchanged(warp_start() + lane % 32)[0];
    sync_warp();
    return other;
}

DEVICE bool sync_block_any(bool it) {
    exchanged(threadIdx.x)[0] = it;
    sync_block();
    bool any = false;
    for (u32 t = 0; t < blockDim.x; t++) any |= exchanged(t)[0] != 0;
    sync_block();
    return any;
}

// m16n8k16: which lane and register hold an element is from the PTX manual.
template <typename Widen> DEVICE void mma(float c[4], const u32 a[4], const u32 b[2], Widen widen) {
    emulated::Operands &all = emulated::block->warps[threadIdx.x / 32].operands;
    const u32 lane = threadIdx.x % 32;
    for (u32 i = 0; i < 4; i++)
        for (u32 j = 0; j < 2; j++)
            all.a[lane / 4 + i % 2 * 8][lane % 4 * 2 + i / 2 * 8 + j] = widen(a[i] >> j * 16 & 0xffff);
    for (u32 i = 0; i < 2; i++)
        for (u32 j = 0; j < 2; j++) all.b[lane % 4 * 2 + i * 8 + j][lane / 4] = widen(b[i] >> j * 16 & 0xffff);
    sync_warp();
    for (u32 i = 0; i < 4; i++) {
        const u32 row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        float sum = c[i];
        for (u32 k = 0; k < 16; k++) sum += all.a[row][k] * all.b[k][column];
        c[i] = sum;
    }
    sync_warp();
}
DEVICE void mma_f16(float c[4], const u32 a[4], const u32 b[2]) { mma(c, a, b, f16_to_float); }
DEVICE void mma_bf16(float c[4], const u32 a[4], const u32 b[2]) {
    mma(c, a, b, [](u32 half) { return bits_float(half << 16); });
}

// ldmatrix: lane 8 i + r has the address of row r of matrix i.
DEVICE void load_matrices_as(u32 out[4], const void *row, bool transposed) {
    exchanged_rows(threadIdx.x) = (const u16 *)row;
    if ((uintptr_t)row % 16 != 0) fprintf(stderr, "ldmatrix: a row is not aligned\n"), exit(1);
    sync_warp();
    const u32 lane = threadIdx.x % 32;
    for (u32 i = 0; i < 4; i++) {
        u32 pair = 0;
        for (u32 j = 0; j < 2; j++) {
            const u32 r = transposed ? lane % 4 * 2 + j : lane / 4, c = transposed ? lane / 4 : lane % 4 * 2 + j;
            pair |= (u32)exchanged_rows(warp_start() + 8 * i + r)[c] << 16 * j;
        }
        out[i] = pair;
    }
    sync_warp();
}
DEVICE void load_matrices(u32 out[4], const void *row) { load_matrices_as(out, row, false); }
DEVICE void load_matrices_transposed(u32 out[4], const void *row) { load_matrices_as(out, row, true); }

#ifndef EMULATED_TEXT // the text that is emulated begins with the prelude
#include "../../crates/interrogate/src/cuda/prelude.cu"
#endif

namespace emulated {

// Runs the threads of one block.
static void run(Block &block, u32 threads) {
    const u32 lanes = 32;
    std::vector<u32> ready(threads), next;
    for (u32 warp = 0; warp * lanes < threads; warp++) block.warps[warp].waiting = block.warps[warp].live = 0;
    for (u32 t = 0; t < threads; t++) {
        Thread &thread = block.threads[t];
        thread.number = ready[t] = t;
        thread.index = Dim{t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
        thread.state = State::Ready;
        if (!thread.copies.empty()) thread.copies.clear();
        block.warps[t / lanes].live++;
    }
    std::fill(block.fragments.begin(), block.fragments.end(), ABSENT);
    u32 live = threads, waiting = 0;
    auto go = [&](u32 from, State state) {
        const u32 to = state == State::Warp ? std::min(from + lanes, threads) : threads;
        for (u32 t = from; t < to; t++)
            if (block.threads[t].state == state) block.threads[t].state = State::Ready, next.push_back(t);
    };
    u32 held = 0, pause = 0; // a warp that does not run for some turns
    while (!ready.empty()) {
        if (pause == 0 && block.warps.size() > 1) held = order.below(block.warps.size()), pause = order.below(64);
        const bool others = std::any_of(ready.begin(), ready.end(), [&](u32 t) { return t / lanes != held; });
        if (!others) pause = 0; // all others wait for it, or are done
        for (u32 i = threads == 1 ? 0 : ready.size() - 1; i > 0; i--) std::swap(ready[i], ready[order.below(i + 1)]);
        for (u32 t : ready) {
            Thread &thread = block.threads[t];
            if (pause != 0 && t / lanes == held) {
                next.push_back(t);
                continue;
            }
            block.running = &thread;
            if (!thread.fiber.started()) start(thread.fiber, enter);
            resume(block.scheduler, thread.fiber);
            Warp &warp = block.warps[t / lanes];
            if (thread.state == State::Warp) warp.waiting++;
            if (thread.state == State::Block) waiting++;
            if (thread.state == State::Done) {
                thread.fiber.end();
                block.fragments[t] = ABSENT;
                if (returned_threads_pass) warp.live--, live--;
            }
            if (warp.waiting > 0 && warp.waiting == warp.live) warp.waiting = 0, go(t / lanes * lanes, State::Warp);
            if (waiting > 0 && waiting == live) waiting = 0, go(0, State::Block);
        }
        if (pause != 0) pause--;
        ready.swap(next);
        next.clear();
    }
    for (u32 t = 0; t < threads; t++)
        if (block.threads[t].state != State::Done) {
            fprintf(stderr, "threads of block (%u, %u, %u) wait at different barriers\n", blockIdx.x, blockIdx.y, blockIdx.z);
            exit(1);
        }
}

} // namespace emulated

// Runs a grid block by block.
static void launch(Dim grid, Dim threads, size_t shared, const std::function<void()> &body) {
    static emulated::Block block;
    const u32 count = threads.x * threads.y * threads.z;
    if (block.threads.size() < count) block.threads.resize(count);
    block.warps.resize((count + 31) / 32);
    block.fragments.resize(block.warps.size() * 32);
    block.rows.resize(block.fragments.size());
    block.body = &body;
    block.shared.resize(shared);
    emulated::block = &block;
    gridDim = grid;
    blockDim = threads;
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
                block.shared.fill(); // never zero by chance
                emulated::run(block, count);
                if (!block.shared.intact()) {
                    fprintf(stderr, "block (%u, %u, %u) wrote past its shared memory\n", blockIdx.x, blockIdx.y, blockIdx.z);
                    exit(1);
                }
            }
}
static void launch(Dim grid, u32 threads, size_t shared, const std::function<void()> &body) {
    launch(grid, Dim{threads}, shared, body);
}
