// The kernels of attention in emulation. Results are compared with attention in f64.

#include "emulator.h"

template <typename T>
using ListsKernel = void (*)(T *, const T *, u64, u32, const T *, const T *, u64, u32, const T *, u64, const T *, u64,
                             const u32 *, const u32 *, u32, u32, u32, float, const float *, u32, u32, u32);
template <typename T>
using SpansKernel = void (*)(T *, const T *, u64, const T *, u64, const T *, u64, const u32 *, u32, u32, u32, float,
                             const float *, u32, u32);

// The kernels for one size of heads.
struct Kernels {
    u32 head, lanes;
    ListsKernel<float> lists_f32;
    ListsKernel<f16> lists_f16;
    ListsKernel<bf16> lists_bf16;
    SpansKernel<f16> spans_f16[2]; // for tiles of 64 queries, and of 16
    SpansKernel<bf16> spans_bf16[2];
};

#define HEAD 4
#define NAMESPACE head4
#include "attention_head.h"
#define HEAD 10
#define NAMESPACE head10
#include "attention_head.h"
#define HEAD 16
#define NAMESPACE head16
#include "attention_head.h"
#define HEAD 32
#define NAMESPACE head32
#include "attention_head.h"
#define HEAD 64
#define NAMESPACE head64
#include "attention_head.h"
#define HEAD 80
#define NAMESPACE head80
#include "attention_head.h"
#define HEAD 88
#define NAMESPACE head88
#include "attention_head.h"
#define HEAD 96
#define NAMESPACE head96
#include "attention_head.h"
#define HEAD 104
#define NAMESPACE head104
#include "attention_head.h"
#define HEAD 128
#define NAMESPACE head128
#include "attention_head.h"

static const Kernels *const all_kernels[] = {
    &head4::kernels,  &head10::kernels, &head16::kernels, &head32::kernels,  &head64::kernels,
    &head80::kernels, &head88::kernels, &head96::kernels, &head104::kernels, &head128::kernels,
};

template <typename T> static ListsKernel<T> lists_kernel(const Kernels &);
template <> ListsKernel<float> lists_kernel(const Kernels &k) { return k.lists_f32; }
template <> ListsKernel<f16> lists_kernel(const Kernels &k) { return k.lists_f16; }
template <> ListsKernel<bf16> lists_kernel(const Kernels &k) { return k.lists_bf16; }
template <typename T> static SpansKernel<T> spans_kernel(const Kernels &, bool few);
template <> SpansKernel<f16> spans_kernel(const Kernels &k, bool few) { return k.spans_f16[few]; }
template <> SpansKernel<bf16> spans_kernel(const Kernels &k, bool few) { return k.spans_bf16[few]; }

// The greatest error of an output. Values are about 1.
template <typename T> static float bound();
template <> float bound<float>() { return 5e-6f; }
template <> float bound<f16>() { return 3e-3f; }
template <> float bound<bf16>() { return 2.4e-2f; }

static u32 failures = 0, outputs = 0;
static std::mt19937 drawn(7);

static u32 below(u32 end) { return drawn() % end; }

// Rows of `width` values, `stride` apart. What is between them is NaN.
template <typename T> struct Matrix {
    u32 width;
    u64 stride;
    std::vector<T> storage;
    T *data; // aligned to 16 bytes

    Matrix(u32 rows, u32 width, u32 gap, float spread) : width(width), stride(width + gap) {
        storage.resize(rows * stride + 16);
        data = storage.data();
        while ((uintptr_t)data % 16 != 0) data++;
        std::normal_distribution<float> normal(0, spread);
        for (u64 i = 0; i < rows * stride; i++) from_float(i % stride < width ? normal(drawn) : NAN, data + i);
    }
    const T *row(u32 number) const { return data + number * stride; }
    void damage(u32 number) {
        for (u32 i = 0; i < width; i++) from_float(NAN, data + number * stride + i);
    }
};

// Attention of one query to rows, in f64.
template <typename T>
static std::vector<double> reference(const T *query, const std::vector<const T *> &keys, const std::vector<const T *> &values,
                                     u32 heads, u32 head, float scale, std::function<float(u32, u32)> bias) {
    std::vector<double> out(heads * head, 0.0);
    for (u32 h = 0; h < heads; h++) {
        std::vector<double> scores;
        double highest = -INFINITY, sum = 0;
        for (u32 i = 0; i < keys.size(); i++) {
            double score = 0;
            for (u32 d = h * head; d < (h + 1) * head; d++) score += (double)to_float(query[d]) * to_float(keys[i][d]);
            scores.push_back(score * scale + bias(h, i));
            highest = std::max(highest, scores.back());
        }
        for (double &score : scores) sum += score = std::exp(score - highest);
        for (u32 i = 0; i < keys.size(); i++)
            for (u32 d = h * head; d < (h + 1) * head; d++) out[d] += scores[i] / sum * to_float(values[i][d]);
    }
    return out;
}

template <typename T>
static void compare(const char *what, u32 head, u32 query, const T *found, const std::vector<double> &expected) {
    for (u32 d = 0; d < expected.size(); d++, outputs++) {
        const float value = to_float(found[d]);
        if (std::fabs(value - expected[d]) <= bound<T>()) continue;
        if (failures++ < 10)
            fprintf(stderr, "%s, heads of %u, %zu bytes: query %u, value %u: %g, not %g\n", what, head, sizeof(T), query, d,
                    value, expected[d]);
    }
}

static const float SENTINEL = 777.0f;

// Output with guard values after the last row.
template <typename T> static Matrix<T> output(u32 n, u32 width) {
    Matrix<T> out(n + 1, width, 0, 1);
    for (u64 i = 0; i < (u64)(n + 1) * width; i++) from_float(SENTINEL, out.data + i);
    return out;
}

template <typename T> static void check_guard(const char *what, const Matrix<T> &out, u32 n) {
    T sentinel;
    from_float(SENTINEL, &sentinel);
    for (u32 d = 0; d < out.width; d++)
        if (to_float(out.row(n)[d]) != to_float(sentinel) && failures++ < 10)
            fprintf(stderr, "%s: writes past the last row\n", what);
}

// The bias of a head for a row `offset` positions after the query.
struct Bias {
    u32 offsets, before;
    std::vector<float> values;
    Bias(u32 heads, u32 before, u32 after) : offsets(before + after + 1), before(before) {
        std::normal_distribution<float> normal(0, 1.5f);
        for (u32 i = 0; i < heads * offsets; i++) values.push_back(normal(drawn));
    }
    float of(u32 head, u32 position, u32 row) const { return values.at(head * offsets + before + row - position); }
};

struct ListCase {
    const char *name;
    u32 n, heads, cached, longest;
    bool ranges, bias, split;
};

template <typename T> static void run_lists(const Kernels &kernels, const ListCase &c) {
    const u32 head = kernels.head, width = c.heads * head, gap = c.longest % 2 * 8;
    const float scale = 2.0f / std::sqrt((float)head);
    const u32 current = c.n + 5;
    Matrix<T> queries(c.n, width, 2 * gap, 1.5f), keys(current, width, gap, 1), values(current, width, 3 * gap, 1);
    Matrix<T> cached_keys(c.cached + 1, width, 0, 1), cached_values(c.cached + 1, width, 0, 1);
    // Rows that no list has: the first one, and those after the last of each part.
    cached_keys.damage(0), cached_values.damage(0);
    cached_keys.damage(c.cached), cached_values.damage(c.cached);
    keys.damage(c.n + 4), values.damage(c.n + 4);
    if (c.cached == 0) keys.damage(0), values.damage(0);
    std::vector<u32> bounds, numbers;
    std::vector<std::vector<u32>> lists;
    for (u32 query = 0; query < c.n; query++) {
        std::vector<u32> list;
        const u32 length = query % 7 == 3 ? 0 : 1 + below(c.longest); // an empty list gives zeros
        if (c.ranges) {
            const u32 all = c.cached + c.n + 4, start = 1 + below(all - 1);
            for (u32 row = start; row < std::min(all, start + length); row++) list.push_back(row);
            bounds.push_back(start), bounds.push_back(start + list.size());
        } else {
            // Half of a list continues an earlier one, as in a trie.
            if (query > 0 && length > 1) list = lists[below(query)];
            if (list.size() > length / 2) list.resize(length / 2);
            while (list.size() < length) list.push_back(1 + below(c.cached + c.n + 3));
            bounds.push_back(numbers.size());
            numbers.insert(numbers.end(), list.begin(), list.end());
            bounds.push_back(numbers.size());
        }
        lists.push_back(list);
    }
    const Bias bias(c.heads, c.longest - 1, 0);
    Matrix<T> out = output<T>(c.n, width);
    const u32 parts = (c.heads + 32 / kernels.lanes - 1) / (32 / kernels.lanes);
    const u32 blocks = c.split ? c.n * parts : (c.n * parts + 3) / 4;
    numbers.push_back(0xffffffff);
    launch({std::max(blocks, 1u)}, 128, c.split ? 10 * 4 * 128 : 0, [&] {
        lists_kernel<T>(kernels)(out.data, queries.data, queries.stride, c.n, c.cached ? cached_keys.data : nullptr,
                                 c.cached ? cached_values.data : nullptr, cached_keys.stride, c.cached, keys.data, keys.stride,
                                 values.data, values.stride, bounds.data(), c.ranges ? nullptr : numbers.data(), 0, 0, c.heads,
                                 scale, c.bias ? bias.values.data() : nullptr, bias.offsets, bias.before, c.split);
    });
    check_guard(c.name, out, c.n);
    for (u32 query = 0; query < c.n; query++) {
        std::vector<const T *> own_keys, own_values;
        for (u32 row : lists[query]) {
            own_keys.push_back(row < c.cached ? cached_keys.row(row) : keys.row(row - c.cached));
            own_values.push_back(row < c.cached ? cached_values.row(row) : values.row(row - c.cached));
        }
        const u32 length = lists[query].size();
        auto added = [&](u32 h, u32 i) { return c.bias ? bias.of(h, length - 1, i) : 0.0f; };
        const auto expected = reference<T>(queries.row(query), own_keys, own_values, c.heads, head, scale, added);
        compare(c.name, head, query, out.row(query), expected);
    }
}

struct GroupCase {
    const char *name;
    u32 groups, group_queries, group_rows, heads;
    bool bias;
};

enum class By { Lists, SplitLists, Spans, Few };

// Groups of equal length, without any list.
template <typename T> static void run_groups(const Kernels &kernels, const GroupCase &c, By by) {
    const u32 head = kernels.head, width = c.heads * head, gap = c.group_rows % 2 * 8;
    const float scale = 2.0f / std::sqrt((float)head);
    const u32 n = c.groups * c.group_queries, rows = c.groups * c.group_rows;
    Matrix<T> queries(n, width, gap, 1.5f), keys(rows + 1, width, 2 * gap, 1), values(rows + 1, width, gap, 1);
    keys.damage(rows), values.damage(rows); // never read
    const Bias bias(c.heads, c.group_queries - 1, c.group_rows - 1);
    const float *bias_values = c.bias ? bias.values.data() : nullptr;
    Matrix<T> out = output<T>(n, width);
    if (by == By::Lists || by == By::SplitLists) {
        const bool split = by == By::SplitLists;
        const u32 parts = (c.heads + 32 / kernels.lanes - 1) / (32 / kernels.lanes);
        launch({split ? n * parts : (n * parts + 3) / 4}, 128, split ? 10 * 4 * 128 : 0, [&] {
            lists_kernel<T>(kernels)(out.data, queries.data, queries.stride, n, nullptr, nullptr, 0, 0, keys.data, keys.stride,
                                     values.data, values.stride, nullptr, nullptr, c.group_queries, c.group_rows, c.heads,
                                     scale, bias_values, bias.offsets, bias.before, split);
        });
    } else if constexpr (sizeof(T) == 2) {
        const u32 tile = by == By::Few ? 16 : 64, wide = (head + 15) / 16 * 16;
        launch({c.groups * ((c.group_queries + tile - 1) / tile), c.heads}, 128, (tile + 4 * 64) * (wide + 8) * 2, [&] {
            spans_kernel<T>(kernels, by == By::Few)(out.data, queries.data, queries.stride, keys.data, keys.stride, values.data,
                                                    values.stride, nullptr, c.group_queries, c.group_rows, c.heads, scale,
                                                    bias_values, bias.offsets, bias.before);
        });
    }
    check_guard(c.name, out, n);
    for (u32 query = 0; query < n; query++) {
        std::vector<const T *> own_keys, own_values;
        for (u32 i = 0; i < c.group_rows; i++) {
            own_keys.push_back(keys.row(query / c.group_queries * c.group_rows + i));
            own_values.push_back(values.row(query / c.group_queries * c.group_rows + i));
        }
        auto added = [&](u32 h, u32 i) { return c.bias ? bias.of(h, query % c.group_queries, i) : 0.0f; };
        const auto expected = reference<T>(queries.row(query), own_keys, own_values, c.heads, head, scale, added);
        compare(c.name, head, query, out.row(query), expected);
    }
}

// Spans of any lengths: pairs of queries and rows. Rows of one span may be those of another.
struct SpanCase {
    const char *name;
    u32 heads;
    std::vector<std::array<u32, 2>> lengths;
    bool shared_rows;
};

template <typename T> static void run_spans(const Kernels &kernels, const SpanCase &c, bool few) {
    const u32 head = kernels.head, width = c.heads * head, tile = few ? 16 : 64, wide = (head + 15) / 16 * 16;
    const float scale = 2.0f / std::sqrt((float)head);
    std::vector<u32> tiles;
    std::vector<std::array<u32, 2>> rows_of;
    u32 n = 0, rows = 0;
    for (auto [count, length] : c.lengths) {
        if (c.shared_rows) rows = 0;
        for (u32 from = 0; from < count; from += tile) {
            const u32 entry[] = {n + from, n + std::min(count, from + tile), rows, rows + length};
            tiles.insert(tiles.end(), entry, entry + 4);
        }
        for (u32 i = 0; i < count; i++) rows_of.push_back({rows, rows + length});
        n += count, rows += length;
    }
    if (c.shared_rows) for (auto [count, length] : c.lengths) rows = std::max(rows, length);
    Matrix<T> queries(n, width, 8, 1.5f), keys(rows + 1, width, 16, 1), values(rows + 1, width, 8, 1);
    keys.damage(rows), values.damage(rows); // never read
    Matrix<T> out = output<T>(n, width);
    if constexpr (sizeof(T) == 2)
        launch({(u32)tiles.size() / 4, c.heads}, 128, (tile + 4 * 64) * (wide + 8) * 2, [&] {
            spans_kernel<T>(kernels, few)(out.data, queries.data, queries.stride, keys.data, keys.stride, values.data,
                                          values.stride, tiles.data(), 0, 0, c.heads, scale, nullptr, 0, 0);
        });
    check_guard(c.name, out, n);
    for (u32 query = 0; query < n; query++) {
        std::vector<const T *> own_keys, own_values;
        for (u32 row = rows_of[query][0]; row < rows_of[query][1]; row++)
            own_keys.push_back(keys.row(row)), own_values.push_back(values.row(row));
        auto none = [](u32, u32) { return 0.0f; };
        const auto expected = reference<T>(queries.row(query), own_keys, own_values, c.heads, head, scale, none);
        compare(c.name, head, query, out.row(query), expected);
    }
}

int main() {
    for (const Kernels *kernels : all_kernels) {
        // The other types differ in loads and stores alone: not for all sizes.
        const bool all_types = kernels->head == 4 || kernels->head == 10 || kernels->head == 64 || kernels->head == 88;
        for (bool split : {false, true}) {
            const ListCase cases[] = {
                {"lists", 23, 3, 0, 9, false, false, split},
                {"long lists", 9, 3, 0, 100, false, false, split},
                {"cached rows", 20, 5, 40, 30, false, false, split},
                {"bias", 12, 3, 7, 40, false, true, split},
                {"ranges", 14, 2, 10, 33, true, false, split},
                {"one query", 1, 1, 3, 1, false, true, split},
                {"no query", 0, 2, 3, 4, false, false, split},
            };
            for (const ListCase &c : cases) {
                run_lists<f16>(*kernels, c);
                if (all_types) run_lists<float>(*kernels, c), run_lists<bf16>(*kernels, c);
            }
        }
        const GroupCase groups[] = {
            {"group", 1, 5, 7, 1, false},
            {"groups", 3, 33, 50, 2, false},
            {"groups of exactly two stages", 2, 64, 128, 1, false},
            {"groups with a tail", 2, 65, 129, 1, false},
            {"bias in groups", 2, 70, 70, 3, true},
            {"one query per group", 3, 1, 77, 2, false},
            {"groups without rows", 2, 3, 0, 1, false},
        };
        for (const GroupCase &c : groups) {
            for (By by : {By::Lists, By::SplitLists}) {
                run_groups<f16>(*kernels, c, by);
                if (all_types) run_groups<float>(*kernels, c, by);
            }
            for (By by : {By::Spans, By::Few}) {
                run_groups<f16>(*kernels, c, by);
                if (all_types) run_groups<bf16>(*kernels, c, by);
            }
        }
        const SpanCase spans[] = {
            {"spans", 2, {{5, 4}, {1, 5}, {17, 17}, {64, 64}, {3, 130}, {16, 15}, {2, 1}}, false},
            {"spans over the same rows", 1, {{5, 20}, {66, 81}, {1, 81}}, true},
            {"a span without rows", 2, {{3, 9}, {4, 0}, {80, 9}}, false},
        };
        for (const SpanCase &c : spans)
            for (bool few : {false, true}) {
                run_spans<f16>(*kernels, c, few);
                if (all_types) run_spans<bf16>(*kernels, c, few);
            }
    }
    const GroupCase image = {"an image of 257 tokens", 1, 257, 257, 1, false}, readout = {"its read-out", 2, 1, 257, 2, false};
    run_groups<f16>(head64::kernels, image, By::Spans);
    run_groups<bf16>(head80::kernels, image, By::Spans);
    run_groups<f16>(head64::kernels, readout, By::Few);
    run_groups<f16>(head64::kernels, readout, By::SplitLists);
    if (failures > 0) {
        fprintf(stderr, "%u of %u values differ\n", failures, outputs);
        return 1;
    }
    printf("attention: %u values agree\n", outputs);
}
