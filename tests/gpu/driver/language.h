#pragma once
// As much of CUDA's C++ as the kernels of candle need to be compiled for the host.

#include "emulator.h"

#include <cassert>
#include <limits>
#include <math.h>
#include <type_traits>

#define __CUDA_ARCH__ 900
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#define __device__
#define __host__
#define __global__ __attribute__((used))
#define __forceinline__ inline
#define __launch_bounds__(...)
// Blocks run one after another, so that each has the memory for itself.
#define __shared__ static

struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

// Candle's reductions let threads return before a barrier, as a GPU allows.
static const bool CANDLE = emulated::returned_threads_pass = true;

inline void __syncthreads() { sync_block(); }
inline void __syncwarp(unsigned = ~0u) { sync_warp(); }
inline void __threadfence() {}

// A value of up to eight bytes of another lane; of one that does not run, never a number.
template <typename T> T __shfl_sync(unsigned, T value, unsigned lane, int width = 32) {
    static_assert(sizeof(T) <= 8, "");
    memcpy(exchanged(threadNumber()).data(), &value, sizeof(T));
    sync_warp();
    const u32 own = threadNumber() % 32;
    T other;
    memcpy(&other, exchanged(threadNumber() - own + own / width * width + lane % width).data(), sizeof(T));
    sync_warp();
    return other;
}
template <typename T> T __shfl_xor_sync(unsigned mask, T value, int apart, int width = 32) {
    return __shfl_sync(mask, value, threadNumber() % width ^ apart, width);
}
template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned apart, int width = 32) {
    const u32 lane = threadNumber() % width;
    return __shfl_sync(mask, value, lane + apart < (u32)width ? lane + apart : lane, width);
}

template <typename T, typename U> T atomicAdd(T *at, U value) { const T before = *at; *at = before + (T)value; return before; }
template <typename T, typename U> T atomicMax(T *at, U value) { const T before = *at; *at = before < (T)value ? (T)value : before; return before; }
template <typename T, typename U> T atomicMin(T *at, U value) { const T before = *at; *at = (T)value < before ? (T)value : before; return before; }
template <typename T> T atomicCAS(T *at, T from, T to) { const T before = *at; if (before == from) *at = to; return before; }

template <typename A, typename B> std::common_type_t<A, B> min(A a, B b) {
    return (std::common_type_t<A, B>)b < (std::common_type_t<A, B>)a ? b : a;
}
template <typename A, typename B> std::common_type_t<A, B> max(A a, B b) {
    return (std::common_type_t<A, B>)a < (std::common_type_t<A, B>)b ? b : a;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float normcdff(float x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
template <typename To, typename From> To same_bits(From from) { To to; memcpy(&to, &from, sizeof(To)); return to; }
inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
inline int __float_as_int(float x) { return same_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
inline float __int_as_float(int x) { return same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return same_bits<double>(x); }

// ---- values of 16 bits

struct FormatF16 {
    static float widen(u16 bits) { return f16_to_float(bits); }
    static u16 narrow(float value) { return float_to_f16(value); }
};
struct FormatBf16 {
    static float widen(u16 bits) { return bits_float((u32)bits << 16); }
    static u16 narrow(float value) { return float_to_bf16(value); }
};

// Every operation is rounded.
template <typename Format> struct Value16 {
    u16 bits;
    Value16() = default;
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>> Value16(T value) : bits(Format::narrow((float)value)) {}
    template <typename Other> explicit Value16(Value16<Other> other) : bits(Format::narrow((float)other)) {}
    operator float() const { return Format::widen(bits); }
    friend Value16 operator+(Value16 a, Value16 b) { return Value16((float)a + (float)b); }
    friend Value16 operator-(Value16 a, Value16 b) { return Value16((float)a - (float)b); }
    friend Value16 operator*(Value16 a, Value16 b) { return Value16((float)a * (float)b); }
    friend Value16 operator/(Value16 a, Value16 b) { return Value16((float)a / (float)b); }
    friend Value16 operator-(Value16 a) { return Value16(-(float)a); }
    friend bool operator<(Value16 a, Value16 b) { return (float)a < (float)b; }
    friend bool operator>(Value16 a, Value16 b) { return (float)a > (float)b; }
    friend bool operator<=(Value16 a, Value16 b) { return (float)a <= (float)b; }
    friend bool operator>=(Value16 a, Value16 b) { return (float)a >= (float)b; }
    friend bool operator==(Value16 a, Value16 b) { return (float)a == (float)b; }
    friend bool operator!=(Value16 a, Value16 b) { return (float)a != (float)b; }
    template <typename T> Value16 &operator+=(T b) { return *this = Value16((float)*this + (float)b); }
    template <typename T> Value16 &operator*=(T b) { return *this = Value16((float)*this * (float)b); }
};
using __half = Value16<FormatF16>;
using half = __half;
using __nv_bfloat16 = Value16<FormatBf16>;
struct __nv_bfloat162 { __nv_bfloat16 x, y; };
struct __half2 { __half x, y; };

inline float __half2float(__half x) { return x; }
inline __half __float2half(float x) { return x; }
inline __half __float2half_rn(float x) { return x; }
inline float __bfloat162float(__nv_bfloat16 x) { return x; }
inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return x; }
inline u16 __half_as_ushort(__half x) { return x.bits; }
inline __half __ushort_as_half(u16 bits) { return same_bits<__half>(bits); }
inline __nv_bfloat162 __hadd2(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x + b.x, a.y + b.y}; }
inline __nv_bfloat162 __hmul2(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x * b.x, a.y * b.y}; }

#define OF_16_BITS(name, value) \
    template <typename F> Value16<F> name(Value16<F> a) { const float x = a; return value; }
OF_16_BITS(hsqrt, std::sqrt(x))
OF_16_BITS(hcos, std::cos(x))
OF_16_BITS(hsin, std::sin(x))
OF_16_BITS(hlog, std::log(x))
OF_16_BITS(hexp, std::exp(x))
OF_16_BITS(__habs, std::fabs(x))
template <typename F> bool __hisnan(Value16<F> a) { return a != a; }
template <typename F> Value16<F> __hmax_nan(Value16<F> a, Value16<F> b) { return a != a ? a : b != b ? b : b > a ? b : a; }
template <typename F> Value16<F> __hmin_nan(Value16<F> a, Value16<F> b) { return a != a ? a : b != b ? b : b < a ? b : a; }

// ---- values of 8 bits, which this project never uses

enum __nv_fp8_interpretation_t { __NV_E4M3 };
struct __nv_fp8_e4m3 {
    u8 __x;
    __nv_fp8_e4m3() = default;
    template <typename T> explicit __nv_fp8_e4m3(T) { fprintf(stderr, "values of 8 bits are not emulated\n"), abort(); }
};
inline __half __nv_cvt_fp8_to_halfraw(u8, __nv_fp8_interpretation_t) { fprintf(stderr, "values of 8 bits are not emulated\n"), abort(); }
