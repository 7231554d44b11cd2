// The primitives of every kernel. Precedes each kernel file (source.rs).
//
// One source for three compilers: NVRTC at run time, nvcc in .ci/cuda-check, and a C++ compiler
// for the emulation in tests/gpu, which defines EMULATED and its own version of the first block.
// Includes nothing.

#ifndef EMULATED
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ __forceinline__
#define SHARED(type, name) extern __shared__ __align__(16) type name[]
// At most `threads` threads per block, at least `blocks` blocks per multiprocessor.
#define BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define UNROLL _Pragma("unroll")
#define PRAGMA(text) _Pragma(#text)
#define UNROLL_BY(times) PRAGMA(unroll times)

// ---- numbers

DEVICE u32 float_bits(float value) { return __float_as_uint(value); }
DEVICE float bits_float(u32 bits) { return __uint_as_float(bits); }
DEVICE float f16_to_float(u16 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
// Rounds to nearest, ties to even.
DEVICE u16 float_to_f16(float value) {
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
// Rounds to nearest, ties to even.
DEVICE u16 float_to_bf16(float value) {
    u16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
// Two values of f16, the lower half first, to f32.
DEVICE void unpack_f16(u32 pair, float *low, float *high) {
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }"
        : "=f"(*low), "=f"(*high) : "r"(pair));
}
// Rounds two values to nearest, ties to even; `low` goes to the lower half.
DEVICE u32 pack_f16(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
// Rounds two values to nearest, ties to even; `low` goes to the lower half.
DEVICE u32 pack_bf16(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
DEVICE float fused_multiply_add(float a, float b, float sum) { return __fmaf_rn(a, b, sum); }
DEVICE float rounded_add(float a, float b) { return __fadd_rn(a, b); }
// 2^x, with a relative error below 2^-22.
DEVICE float power_of_two(float x) {
    float value;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(value) : "f"(x));
    return value;
}
// The natural logarithm.
DEVICE float logarithm(float x) { return logf(x); }
// 1 - erf(x).
DEVICE float error_complement(float x) { return erfcf(x); }
// Stores 16 bytes at an address that is a multiple of 16.
DEVICE void store_16_bytes(void *to, const u32 word[4]) {
    // The compiler splits such a store of a vector type.
    asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};"
                 :: "l"(to), "r"(word[0]), "r"(word[1]), "r"(word[2]), "r"(word[3]) : "memory");
}
DEVICE u32 count_ones(u32 mask) { return __popc(mask); }
DEVICE float square_root(float value) { return __fsqrt_rn(value); }
// Compares two f16 with two others: 16 ones for each that is greater than the other or not
// comparable with it.
DEVICE u32 f16_pair_exceeds(u32 pair, u32 other) {
    u32 mask;
    asm("set.gtu.u32.f16x2 %0, %1, %2;" : "=r"(mask) : "r"(pair), "r"(other));
    return mask;
}

// ---- threads of a warp and of a block

DEVICE u32 warp_ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }
DEVICE float warp_shuffle_xor(float value, int lane) { return __shfl_xor_sync(0xffffffffu, value, lane); }
DEVICE u32 warp_shuffle(u32 value, u32 lane) { return __shfl_sync(0xffffffffu, value, lane); }
DEVICE u32 warp_sum(u32 value) { return __reduce_add_sync(0xffffffffu, value); }
DEVICE void sync_warp() { __syncwarp(); }
DEVICE void sync_block() { __syncthreads(); }
DEVICE bool sync_block_any(bool vote) { return __syncthreads_or(vote); }
DEVICE u32 atomic_increment(u32 *counter) { return atomicAdd(counter, 1u); }
DEVICE u32 atomic_add(u32 *counter, u32 by) { return atomicAdd(counter, by); }
DEVICE void atomic_max(u32 *greatest, u32 value) { atomicMax(greatest, value); }

// ---- asynchronous copies

// Copies 16 bytes from global to shared memory.
DEVICE void copy_async(void *to, const void *from) {
    const u32 address = (u32)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from));
}
// Ends a group of copies.
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` groups of this thread are incomplete.
#define wait_copies(pending) asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory")

// ---- tensor cores

// c (16, 8) += a (16, 16) b (16, 8), by the fragments of PTX's m16n8k16.
DEVICE void mma_f16(float c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void mma_bf16(float c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// Loads four 8 x 8 matrices of 16 bits from shared memory. Lane 8 i + r passes the address of row
// r of matrix i, 16 bytes; lane l gets the values (l / 4, 2 (l % 4)) and the next of each.
DEVICE void load_matrices(u32 out[4], const void *row) {
    const u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(address) : "memory");
}
// The same, with each matrix transposed.
DEVICE void load_matrices_transposed(u32 out[4], const void *row) {
    const u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(address) : "memory");
}
#endif

// ---- types of values

struct f16 {
    u16 bits;
};
struct bf16 {
    u16 bits;
};
// 16 bytes, the widest load and store.
struct alignas(16) Bytes16 {
    u32 word[4];
};
// Eight values of 16 bits.
struct alignas(16) Eight {
    u16 value[8];
};

DEVICE float to_float(float value) { return value; }
DEVICE float to_float(f16 value) { return f16_to_float(value.bits); }
DEVICE float to_float(bf16 value) { return bits_float((u32)value.bits << 16); }
DEVICE void from_float(float value, float *to) { *to = value; }
DEVICE void from_float(float value, f16 *to) { to->bits = float_to_f16(value); }
DEVICE void from_float(float value, bf16 *to) { to->bits = float_to_bf16(value); }
