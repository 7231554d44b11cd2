#pragma once
// Emulates kernels on a CPU. This shows that their logic is correct, but not their speed.
//
// Each thread of a block is a context. In every turn the contexts run in a new random
// order, each until it reaches a barrier of its warp or block, and continue once all
// threads of the barrier have reached it. A warp drawn by chance is held back for some turns, so
// that warps are far apart where no barrier of the block holds them together. A barrier that some threads of a block never
// reach is an error. An asynchronous copy happens at once or when its thread waits for it, by
// chance, so that a copy that is read too early, or overwrites what is still read, gives wrong
// results. Tensor cores, votes and shuffles follow their definition in the PTX manual.

// longjmp refuses to change stacks if it is checked.
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <ucontext.h>

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

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = unsigned long long;

struct Dim { u32 x = 1, y = 1, z = 1; };

namespace emulated {

enum class State { Ready, Warp, Block, Done };

struct Thread {
    ucontext_t context; // to begin with; later switches are by `jump`, without a system call
    jmp_buf jump;
    bool begun = false;
    std::vector<char> stack = std::vector<char>(256 * 1024);
    State state = State::Ready;
    u32 number = 0;
    // Groups of asynchronous copies (to, from); the last one is not committed yet.
    std::deque<std::vector<std::pair<void *, const void *>>> copies;
};

struct Block {
    std::vector<Thread> threads;
    std::vector<u64> shared;
    std::vector<std::array<u32, 6>> fragments; // values exchanged between lanes
    std::vector<const uint16_t *> rows; // addresses exchanged between lanes
    std::function<void()> body;
    jmp_buf scheduler;
    Thread *running = nullptr;
};

Block *block;
std::mt19937 order(1);

void wait(State barrier) {
    Thread *self = block->running;
    self->state = barrier;
    if (!_setjmp(self->jump)) _longjmp(block->scheduler, 1);
}

// Runs the thread to its next barrier.
void resume(Thread *thread) {
    block->running = thread;
    if (_setjmp(block->scheduler)) return;
    if (thread->begun) _longjmp(thread->jump, 1);
    thread->begun = true;
    setcontext(&thread->context);
}

void enter() {
    block->body();
    block->running->state = State::Done;
    _longjmp(block->scheduler, 1);
}

} // namespace emulated

Dim gridDim, blockDim, blockIdx;

struct ThreadIndex {
    struct X { operator u32() const { return emulated::block->running->number; } } x;
} threadIdx;

#define EMULATED
#define BOUNDS(threads, blocks)
#define UNROLL
#define KERNEL static void
#define DEVICE static inline
#define SHARED(type, name) type *name = (type *)emulated::block->shared.data()

DEVICE void sync_warp() { emulated::wait(emulated::State::Warp); }
DEVICE void sync_block() { emulated::wait(emulated::State::Block); }
DEVICE std::array<u32, 6> &exchanged(u32 thread) { return emulated::block->fragments[thread]; }
DEVICE const u16 *&exchanged_rows(u32 thread) { return emulated::block->rows[thread]; }
DEVICE u32 warp_start() { return threadIdx.x / 32 * 32; }

DEVICE u32 float_bits(float value) { u32 b; memcpy(&b, &value, 4); return b; }
DEVICE float bits_float(u32 b) { float value; memcpy(&value, &b, 4); return value; }
DEVICE u32 count_ones(u32 mask) { return __builtin_popcount(mask); }
DEVICE float fused_multiply_add(float a, float b, float sum) { return std::fma(a, b, sum); }
DEVICE float rounded_add(float a, float b) { return a + b; }
DEVICE float square_root(float value) { return std::sqrt(value); }
DEVICE float power_of_two(float x) { return std::exp2(x); }
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

DEVICE u32 f16_pair_exceeds(u32 pair, u32 other) {
    u32 mask = 0;
    for (u32 shift = 0; shift < 32; shift += 16) {
        const bool not_above = f16_to_float(pair >> shift) <= f16_to_float(other >> shift);
        if (!not_above) mask |= 0xffffu << shift;
    }
    return mask;
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
    auto &own = exchanged(threadIdx.x);
    for (int i = 0; i < 4; i++) own[i] = a[i];
    for (int i = 0; i < 2; i++) own[4 + i] = b[i];
    sync_warp();
    const u32 lane = threadIdx.x % 32;
    for (u32 i = 0; i < 4; i++) {
        const u32 row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        float sum = c[i];
        for (u32 k = 0; k < 16; k++) {
            const u32 lane_a = row % 8 * 4 + k % 8 / 2, lane_b = column * 4 + k % 8 / 2;
            const u32 pair_a = exchanged(warp_start() + lane_a)[row / 8 + k / 8 * 2];
            const u32 pair_b = exchanged(warp_start() + lane_b)[4 + k / 8];
            sum += widen(pair_a >> k % 2 * 16 & 0xffff) * widen(pair_b >> k % 2 * 16 & 0xffff);
        }
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

#include "../../crates/interrogate/src/cuda/prelude.cu"

// Runs a grid block by block.
static void launch(Dim grid, u32 threads, size_t shared, std::function<void()> body) {
    using emulated::State;
    emulated::Block block;
    block.threads = std::vector<emulated::Thread>(threads);
    block.fragments.resize(threads);
    block.rows.resize(threads);
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
                thread.copies.clear();
                thread.begun = false;
                getcontext(&thread.context);
                thread.context.uc_stack.ss_sp = thread.stack.data();
                thread.context.uc_stack.ss_size = thread.stack.size();
                thread.context.uc_link = nullptr;
                makecontext(&thread.context, emulated::enter, 0);
            }
            u32 held = 0, pause = 0; // a warp that does not run for some turns
            for (;;) {
                std::shuffle(turns.begin(), turns.end(), emulated::order);
                if (pause == 0) held = emulated::order() % (threads / 32), pause = emulated::order() % 64;
                bool ran = false;
                for (u32 t : turns) {
                    if (block.threads[t].state != State::Ready || (pause != 0 && t / 32 == held)) continue;
                    ran = true;
                    emulated::resume(&block.threads[t]);
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
                if (!ran && !gone && pause != 0) {
                    pause = 0; // all others wait for it
                    continue;
                }
                if (pause != 0) pause--;
                if (!ran && !gone) {
                    fprintf(stderr, "threads of one block wait at different barriers\n");
                    exit(1);
                }
            }
        }
}
