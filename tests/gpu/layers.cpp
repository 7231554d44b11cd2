// The kernels of norms, epilogues and lookups in emulation, in all three types, compared with
// double precision. Values beyond the rows are NaN, and must not be read or overwritten.

#include <type_traits>

#include "emulator.h"

namespace with_f32 {
#define ELEMENT 0
#include "../../crates/interrogate/src/nn/gpu/kernels/layers.cu"
#undef ELEMENT
static void warp_norm_sums(NORM_ARGUMENTS(float)) { warp_norm(NORM_CALL); }
static void block_norm_sums(NORM_ARGUMENTS(float)) { block_norm(NORM_CALL); }
static void finish_sums(FINISH_ARGUMENTS(float)) { finish_sum(FINISH_CALL); }
static void lookup_sums(LOOKUP_ARGUMENTS(float)) { lookup(LOOKUP_CALL); }
} // namespace with_f32
namespace with_f16 {
#define ELEMENT 1
#include "../../crates/interrogate/src/nn/gpu/kernels/layers.cu"
#undef ELEMENT
} // namespace with_f16
namespace with_bf16 {
#define ELEMENT 2
#include "../../crates/interrogate/src/nn/gpu/kernels/layers.cu"
#undef ELEMENT
} // namespace with_bf16
// With the fewest chunks that hold a row of at most 512 columns, as the launches choose them.
namespace narrow {
#undef CHUNKS
#define CHUNKS 2
#define ELEMENT 1
#include "../../crates/interrogate/src/nn/gpu/kernels/layers.cu"
#undef ELEMENT
} // namespace narrow

static u32 failures = 0, compared = 0;
static std::mt19937 random_bits(7);

// The greatest relative and absolute error of one rounding to the type.
static double relative(float) { return 4e-6; }
static double relative(f16) { return 0x1.02p-11; }
static double relative(bf16) { return 0x1.02p-8; }
static double absolute(float) { return 1e-6; }
static double absolute(f16) { return 1e-6; }
static double absolute(bf16) { return 1e-6; }

// Rows with a margin of NaN on both sides.
template <typename T> struct Matrix {
    static const u32 MARGIN = 64;
    std::vector<T> all;
    size_t size;
    explicit Matrix(size_t size) : all(size + 2 * MARGIN), size(size) {
        for (T &value : all) from_float(NAN, &value);
    }
    T *data() { return all.data() + MARGIN; }
    double at(size_t i) { return to_float(data()[i]); }
    Matrix &random(float mean, float spread) {
        std::normal_distribution<float> normal(mean, spread);
        for (size_t i = 0; i < size; i++) from_float(normal(random_bits), &data()[i]);
        return *this;
    }
    void check(const std::vector<double> &expected, double slack, const char *what, u32 rows, u32 width) {
        bool right = true;
        for (size_t i = 0; i < size; i++) {
            compared++;
            const double bound = relative(T()) * std::fabs(expected[i]) + absolute(T()) + slack;
            right &= std::fabs(at(i) - expected[i]) <= bound;
        }
        for (u32 i = 0; i < MARGIN; i++)
            right &= std::isnan(to_float(all[i])) && std::isnan(to_float(all[MARGIN + size + i]));
        if (!right && failures++ < 20) fprintf(stderr, "%s: %u rows of %u\n", what, rows, width);
    }
};

// The kernels of one type.
template <typename V> struct Kernels;
#define KERNELS(V, space)                                                                               \
    template <> struct Kernels<V> {                                                                     \
        template <typename... A> static void warp_norm(A... a) { space::warp_norm(a...); }              \
        template <typename... A> static void block_norm(A... a) { space::block_norm(a...); }            \
        template <typename... A> static void warp_norm_sums(A... a) { space::warp_norm_sums(a...); }    \
        template <typename... A> static void block_norm_sums(A... a) { space::block_norm_sums(a...); }  \
        template <typename... A> static void finish(A... a) { space::finish(a...); }                    \
        template <typename... A> static void finish_sum(A... a) { space::finish_sum(a...); }            \
        template <typename... A> static void finish_sums(A... a) { space::finish_sums(a...); }          \
        template <typename... A> static void lookup(A... a) { space::lookup(a...); }                    \
        template <typename... A> static void lookup_sums(A... a) { space::lookup_sums(a...); }          \
    };
KERNELS(float, with_f32)
KERNELS(f16, with_f16)
KERNELS(bf16, with_bf16)

// The kernel of rows of type X: `name`, or `name`_sums.
#define OF_ROWS(name, ...)                                                                              \
    if constexpr (std::is_same<X, V>::value) Kernels<V>::name(__VA_ARGS__);                             \
    else Kernels<V>::name##_sums(__VA_ARGS__);

enum Parts { PLAIN, PRODUCT, PRODUCT_BIAS, NO_SUM };

template <typename X, typename V> static void norm(u32 rows, u32 width, bool block, bool layer, Parts parts, u32 grid) {
    const float eps = 1e-5f;
    const size_t size = (size_t)rows * width;
    Matrix<X> x(size);
    Matrix<V> product(size), out(size);
    Matrix<float> sum(size), weight(width), bias(width), product_bias(width);
    x.random(3, 2), product.random(-1, 1), weight.random(1, 0.5), bias.random(0, 1), product_bias.random(2, 1);
    std::vector<double> sums(size), expected(size);
    for (u32 r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (u32 c = 0; c < width; c++) {
            const size_t i = (size_t)r * width + c;
            sums[i] = x.at(i);
            if (parts != PLAIN) sums[i] += product.at(i) + (parts == PRODUCT_BIAS ? product_bias.at(c) : 0.0);
            mean += layer ? sums[i] / width : 0.0;
        }
        for (u32 c = 0; c < width; c++) variance += std::pow(sums[(size_t)r * width + c] - mean, 2) / width;
        for (u32 c = 0; c < width; c++) {
            const size_t i = (size_t)r * width + c;
            expected[i] = (sums[i] - mean) / std::sqrt(variance + eps) * weight.at(c) + (layer ? bias.at(c) : 0.0);
        }
    }
    const V *with = parts == PLAIN ? nullptr : product.data();
    const float *with_bias = parts == PRODUCT_BIAS ? product_bias.data() : nullptr;
    float *sums_to = parts == PLAIN || parts == NO_SUM ? nullptr : sum.data();
    const float *shift = layer ? bias.data() : nullptr;
    const u32 threads = 32 * (block ? BLOCK_WARPS : ROW_WARPS);
    launch(Dim{grid}, threads, block ? 4 * BLOCK_WARPS : 0, [&] {
        const bool few = std::is_same<V, f16>::value && width <= 512 && !block;
        if (few) {
            if constexpr (std::is_same<V, f16>::value) {
                if constexpr (std::is_same<X, V>::value)
                    narrow::warp_norm(x.data(), with, with_bias, sums_to, weight.data(), shift, eps, rows, width, out.data());
                else
                    narrow::warp_norm_sums(x.data(), with, with_bias, sums_to, weight.data(), shift, eps, rows, width, out.data());
            }
        } else if (block) { OF_ROWS(block_norm, x.data(), with, with_bias, sums_to, weight.data(), shift, eps, rows, width, out.data()) }
        else { OF_ROWS(warp_norm, x.data(), with, with_bias, sums_to, weight.data(), shift, eps, rows, width, out.data()) }
    });
    // A row of one or two values can be all but equal, and its norm amplifies rounding.
    out.check(expected, width < 8 ? 2e-4 : 1e-5, block ? "block_norm" : "warp_norm", rows, width);
    if (sums_to) sum.check(sums, 0, "sum of a norm", rows, width);
}

static double activate(double x, u32 activation) {
    switch (activation) {
    case 1: return x / (1 + std::exp(-1.702 * x));
    case 2: return x / 2 * std::erfc(-x * M_SQRT1_2);
    case 3: return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case 4: return std::max(x, 0.0);
    case 5: return x / (1 + std::exp(-x));
    default: return x;
    }
}

// As kernels/cuda/launch.rs has them.
static u32 lanes_of(u32 width) { return std::min((width + 7) / 8, 256u); }
static Dim grid_of(u32 groups, u32 width) { return Dim{groups, ((width + 7) / 8 + lanes_of(width) - 1) / lanes_of(width)}; }
static u32 threads_of(u32 width) { return (256 / lanes_of(width) * lanes_of(width) + 31) / 32 * 32; }

template <typename V> static void finish(u32 rows, u32 width, u32 activation, bool with_bias, u32 grid) {
    const size_t size = (size_t)rows * width;
    Matrix<V> product(size);
    Matrix<float> bias(width);
    product.random(0, 3), bias.random(1, 2);
    std::vector<double> expected(size);
    for (size_t i = 0; i < size; i++)
        expected[i] = activate(product.at(i) + (with_bias ? bias.at(i % width) : 0.0), activation);
    launch(grid_of(grid, width), threads_of(width), 0, [&] {
        const float *bias_or_none = with_bias ? bias.data() : nullptr;
        Kernels<V>::finish(product.data(), bias_or_none, activation, rows, width, lanes_of(width));
    });
    product.check(expected, 0, "finish", rows, width);
}

template <typename X, typename V> static void finish_sum(u32 rows, u32 width, u32 activation, bool with_bias, u32 grid) {
    const size_t size = (size_t)rows * width;
    Matrix<V> product(size);
    Matrix<X> residual(size);
    Matrix<float> bias(width), out(size);
    product.random(0, 3), bias.random(1, 2), residual.random(-2, 2);
    std::vector<double> expected(size);
    for (size_t i = 0; i < size; i++)
        expected[i] = activate(product.at(i) + (with_bias ? bias.at(i % width) : 0.0), activation) + residual.at(i);
    launch(grid_of(grid, width), threads_of(width), 0, [&] {
        const float *bias_or_none = with_bias ? bias.data() : nullptr;
        const u32 lanes = lanes_of(width);
        const V *x = product.data();
        if constexpr (std::is_same<X, V>::value)
            Kernels<V>::finish_sum(x, bias_or_none, activation, residual.data(), rows, width, lanes, out.data());
        else
            Kernels<V>::finish_sums(x, bias_or_none, activation, residual.data(), rows, width, lanes, out.data());
    });
    out.check(expected, 0, "finish with a residual", rows, width);
}

template <typename X, typename V> static void lookup(u32 rows, u32 width, bool by_id, u32 grid) {
    const u32 entries = 9;
    Matrix<X> first((size_t)(by_id ? entries : rows) * width);
    Matrix<V> second((size_t)entries * width);
    Matrix<float> out((size_t)rows * width);
    first.random(0, 1), second.random(0, 2);
    std::vector<u32> first_ids(rows + 1), second_ids(rows + 1);
    for (u32 r = 0; r < rows; r++) first_ids[r] = random_bits() % entries, second_ids[r] = random_bits() % entries;
    std::vector<double> expected(out.size);
    for (size_t i = 0; i < out.size; i++) {
        const size_t row = i / width, column = i % width;
        expected[i] = first.at((by_id ? first_ids[row] : row) * width + column) + second.at(second_ids[row] * width + column);
    }
    launch(grid_of(grid, width), threads_of(width), 0, [&] {
        const u32 *ids = by_id ? first_ids.data() : nullptr, lanes = lanes_of(width);
        OF_ROWS(lookup, first.data(), ids, second.data(), second_ids.data(), rows, width, lanes, out.data())
    });
    out.check(expected, 0, "lookup", rows, width);
}

template <typename X, typename V> static void all() {
    auto next = [] { return random_bits() >> 8; };
    for (u32 width : {1, 4, 7, 8, 30, 70, 256, 264, 1023, 1408, 1531, 1536, 2055, 5120})
        for (u32 rows : {0, 1, 9}) {
            if (rows > 2 && width > 300) continue;
            for (Parts parts : {PLAIN, PRODUCT, PRODUCT_BIAS, NO_SUM}) {
                const u32 grid = 1 + next() % 3;
                const bool layer = next() % 2;
                if (width <= 1536) norm<X, V>(rows, width, false, layer, parts, grid);
                if (width > 200 || next() % 5 == 0) norm<X, V>(rows, width, true, next() % 2, parts, grid);
            }
            for (u32 activation = 0; activation < 6; activation++)
                finish_sum<X, V>(rows, width, activation, next() % 3 != 0, 1 + next() % 3);
            if (std::is_same<X, V>::value)
                for (u32 activation = 0; activation < 5; activation++)
                    finish<V>(rows, width, activation, next() % 3 != 0, 1 + next() % 3);
            lookup<X, V>(rows, width, next() % 2, 1 + next() % 3);
        }
}

int main() {
    all<float, float>();
    all<f16, f16>(), all<float, f16>();
    all<bf16, bf16>(), all<float, bf16>();
    printf("%u values compared, %u failures\n", compared, failures);
    return failures != 0;
}
