// The ranking kernels in emulation, as the host calls them: queries, pieces of coarse scores,
// selection, rescoring. Every stage is compared with plain loops, and decided rankings with a
// plain sort by the scores of rank/dot, bit for bit.

#include "emulator.h"

#include "../../crates/interrogate/src/rank/device/kernels/keys.cu"
#include "../../crates/interrogate/src/rank/device/kernels/queries.cu"
#include "../../crates/interrogate/src/rank/device/kernels/products.cu"
#include "../../crates/interrogate/src/rank/device/kernels/select.cu"
#include "../../crates/interrogate/src/rank/device/kernels/rescore.cu"

#include <map>

enum Shape { Random, Distinct, Mean, Damaged, Same, Tied, Large, Small, Infinite };

struct Case {
    const char *name;
    Shape shape;
    u32 n, dim, count;
    u32 k, wanted;   // rows of the ranking, and of a list
    u32 piece;       // rows of a piece
    u32 splits;      // lists per query
    u32 proved;      // the least number of queries that must be decided
    bool plain;      // coarse scores by a plain loop, as cuBLAS computes them
};

static u32 failures = 0;

static void expect(bool it, const Case &c, const char *what, u32 query, u64 place) {
    if (!it && failures++ < 20) fprintf(stderr, "%s: %s, query %u, place %llu\n", c.name, what, query, place);
}

// ---- the reference ----

static float score(const u16 *row, const float *query, u32 dim) {
    float lanes[16] = {};
    for (u32 d = 0; d < dim; d++) lanes[d % 16] = std::fma(f16_to_float(row[d]), query[d], lanes[d % 16]);
    for (u32 half = 8; half > 0; half /= 2)
        for (u32 l = 0; l < half; l++) lanes[l] += lanes[l + half];
    return lanes[0];
}

struct Hit {
    u32 row;
    float score;
    bool operator==(const Hit &other) const {
        const bool numbers = score == score && other.score == other.score;
        return row == other.row && (numbers ? score == other.score : score != score && other.score != other.score);
    }
};

// Higher score first, then lower row; NaN last.
static bool before(const Hit &a, const Hit &b) {
    const bool no_a = a.score != a.score, no_b = b.score != b.score;
    if (no_a != no_b) return no_b;
    if (!no_a && a.score != b.score) return a.score > b.score;
    return a.row < b.row;
}

// The order of f16 by their values.
static void keys_order(const Case &c) {
    auto nan = [](u32 bits) { return (bits & 0x7fff) > 0x7c00; };
    for (u32 a = 0; a < 0x10000; a += 7)
        for (u32 b : {a, a ^ 0x8000, (a + 1) & 0xffff, (a * 40503u) & 0xffff, 0u, 0x8000u, 0x7c00u, 0xfc00u}) {
            const bool less = !nan(a) && (nan(b) || f16_to_float(a) < f16_to_float(b));
            expect((coarse_key(a) < coarse_key(b)) == less, c, "order of keys", a, b);
            if (coarse_key(b) > coarse_key(a))
                expect(f16_pair_exceeds(b << 16, coarse_bits(coarse_key(a)) << 16) >> 16 == 0xffff, c, "coarse_bits", a, b);
        }
    // +0 exceeds a threshold between both zeros.
    expect(f16_pair_exceeds(0, coarse_bits(0x7fff) * 0x10001) == ~0u, c, "coarse_bits between zeros", 0, 0);
    for (u32 key = 0x400; key < 0xfc00; key++) {
        if (key == 0x7fff) continue; // no f16 has it
        // The greatest f32 that rounds to an f16 of this key.
        float value = f16_to_float(key >> 15 ? key & 0x7fff : 0xffff ^ key);
        while (coarse_key(float_to_f16(std::nextafter(value, INFINITY))) <= key)
            value = std::nextafter(value + std::fabs(value) * 0x1p-14f, INFINITY);
        expect(value < coarse_bound(key), c, "coarse_bound", key, 0);
        if (key % 64) key += 61;
    }
    expect(coarse_bound(0xfc00) == INFINITY && coarse_bound(0xfffe) == INFINITY, c, "coarse_bound of infinity", 0, 0);
}

// ---- one case ----

struct Table {
    std::vector<u16> rows;
    std::vector<float> queries;
};

static Table table(const Case &c) {
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
    Table t;
    t.rows.resize((size_t)c.n * c.dim);
    for (u32 r = 0; r < c.n; r++) {
        std::vector<float> row = c.shape == Distinct ? distinct[r * r % 7] : c.shape == Same ? distinct[0] : drawn();
        if (c.shape == Tied && r < c.n / 2) row = distinct[0]; // the first list's rows, and the queries
        if (c.shape == Mean) {
            for (u32 d = 0; d < c.dim; d++) row[d] = 0.7f * distinct[0][d] + 0.3f * row[d];
            row = unit(row);
        }
        const float scale = c.shape == Large ? 60000 : c.shape == Small ? 3e-6 : 1;
        for (u32 d = 0; d < c.dim; d++) t.rows[(size_t)r * c.dim + d] = float_to_f16(scale * row[d]);
        if (c.shape == Damaged && r % 50 == 9) t.rows[(size_t)r * c.dim + r % c.dim] = 0x7e00; // NaN
        if (c.shape == Infinite && r % 50 == 9) t.rows[(size_t)r * c.dim + r % c.dim] = 0x7c00 | r % 4 / 2 << 15;
    }
    for (u32 q = 0; q < c.count; q++)
        for (float v : c.shape == Tied ? distinct[0] : drawn()) t.queries.push_back(c.shape == Large ? 3 * v : v);
    return t;
}

static u32 run(const Case &c, float sign) {
    Table t = table(c);
    // Shared buffers have the sizes that the host allocates; what is not written must not matter.
    std::vector<float> queries = t.queries, slacks(c.count, 7);
    std::vector<u16> halves(c.count * c.dim, 7);
    launch(Dim{(c.count + 3) / 4}, 128, 0, [&] {
        round_queries(queries.data(), c.count, c.dim, sign, halves.data(), slacks.data());
    });
    u32 greatest = 0;
    launch(Dim{3}, 64, 0, [&] { longest(t.rows.data(), c.n, c.dim, &greatest); });
    double true_longest = 0;
    for (u32 r = 0; r < c.n; r++) {
        double sum = 0;
        for (u32 d = 0; d < c.dim; d++) sum += std::pow((double)f16_to_float(t.rows[(size_t)r * c.dim + d]), 2);
        if (sum == sum) true_longest = std::max(true_longest, std::sqrt(sum));
    }
    const double found_longest = std::sqrt((double)bits_float(greatest));
    expect(found_longest == true_longest || std::fabs(found_longest - true_longest) < 1e-5 * true_longest, c, "longest", 0, 0);
    for (u32 q = 0; q < c.count; q++) {
        double lost = 0, squares = 0;
        for (u32 d = 0; d < c.dim; d++) {
            const float v = sign * t.queries[q * c.dim + d];
            expect(queries[q * c.dim + d] == v && halves[q * c.dim + d] == float_to_f16(v), c, "query", q, d);
            lost += std::pow((double)v - f16_to_float(float_to_f16(v)), 2);
            squares += (double)v * v;
        }
        const double bound = std::sqrt(lost) + (c.dim + 8) * 0x1p-21 * std::sqrt(squares);
        expect(slacks[q] >= bound && slacks[q] <= 1.002 * bound, c, "slack", q, 0);
    }

    const u32 pitch = (c.piece + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS, capacity = 2 * c.wanted + 32;
    std::vector<u64> entries((size_t)c.count * c.splits * capacity, ~0ull);
    std::vector<u32> states((size_t)c.count * c.splits * 2, 0);
    std::vector<u16> keys((size_t)c.count * c.n); // of all coarse scores
    // Which list a row belongs to.
    std::vector<u32> list_of(c.n);
    for (u32 first = 0; first < c.n; first += c.piece) {
        const u32 n = std::min(c.piece, c.n - first);
        const u16 *rows = &t.rows[(size_t)first * c.dim];
        std::vector<u16> scores((size_t)c.count * pitch, 0x7bff); // the greatest number
        if (c.plain) {
            for (u32 q = 0; q < c.count; q++)
                for (u32 r = 0; r < n; r++) {
                    float sum = 0;
                    for (u32 d = c.dim; d-- > 0;) sum += f16_to_float(rows[r * c.dim + d]) * f16_to_float(halves[q * c.dim + d]);
                    scores[q * pitch + r] = float_to_f16(sum);
                }
        } else {
            const u32 most = c.count <= 16 ? 16 : c.count <= 32 ? 32 : 64;
            auto kernel = most == 16 ? products_16 : most == 32 ? products_32 : products_64;
            const u32 steps = (c.dim + STEP - 1) / STEP;
            const size_t shared = 2 * (most * steps * STEP + STAGES * TILE_ROWS * STEP + PRODUCT_WARPS * most * TURNED);
            launch(Dim{3}, 32 * PRODUCT_WARPS, shared, [&] {
                kernel(rows, n, c.dim, halves.data(), c.count, scores.data(), pitch);
            });
        }
        for (u32 q = 0; q < c.count; q++)
            for (u32 r = 0; r < n; r++) {
                double sum = 0, size = 0;
                for (u32 d = 0; d < c.dim; d++) {
                    const double product = (double)f16_to_float(rows[r * c.dim + d]) * f16_to_float(halves[q * c.dim + d]);
                    sum += product;
                    size += std::fabs(product);
                }
                const float found = f16_to_float(scores[q * pitch + r]);
                const double error = size * (c.dim + 8) * 0x1p-24 + std::fabs(sum) * 0x1p-11 + 0x1p-25;
                const bool equal = sum != sum ? found != found
                                              : std::fabs(found - sum) <= error || (std::fabs(sum) > 65504 && std::fabs(found) > 65000);
                expect(equal, c, "coarse score", q, first + r);
                keys[(size_t)q * c.n + first + r] = coarse_key(scores[q * pitch + r]);
            }
        const u32 chunks = (n + CHUNK - 1) / CHUNK;
        // Small strips, so that there are many lists of few rows.
        const u32 strip = c.splits == 1 ? chunks * CHUNK : (n + c.splits * 8 - 1) / (c.splits * 8) * 8;
        for (u32 r = 0; r < n; r++) list_of[first + r] = r / strip;
        launch(Dim{c.splits, c.count}, SELECT_THREADS, capacity * 8 + COUNTERS * 4, [&] {
            select_rows(scores.data(), pitch, n, first, strip, c.wanted, capacity, entries.data(), states.data());
        });
        // A row that was seen is in its list, or below its threshold.
        for (u32 q = 0; q < c.count; q++)
            for (u32 s = 0; s < c.splits; s++) {
                const u64 list = (u64)q * c.splits + s;
                const u32 length = states[2 * list], threshold = states[2 * list + 1];
                std::map<u32, u32> listed;
                expect(length <= capacity, c, "length", q, s);
                for (u32 i = 0; i < length; i++) listed[(u32)entries[list * capacity + i]] = entries[list * capacity + i] >> 32;
                expect(listed.size() == length, c, "each row once", q, s);
                u32 seen = 0, reach = 0;
                for (u32 r = 0; r < first + n; r++) {
                    if (list_of[r] != s) continue;
                    const u32 key = keys[(size_t)q * c.n + r];
                    seen++;
                    reach += key >= threshold;
                    const auto at = listed.find(r);
                    expect(at == listed.end() ? key <= threshold : at->second == key && key > threshold, c, "list", q, r);
                }
                expect(threshold == 0 ? length == seen : seen > capacity && reach >= c.wanted, c, "threshold", q, s);
            }
    }

    u32 width = 2;
    while (width < c.wanted) width *= 2;
    const size_t shared = 8 * (width + c.splits * capacity) + 4 * ((c.dim + 15) / 16 * 16 + COUNTERS);
    u32 proved = 0;
    std::vector<bool> decided(c.count);
    for (const u16 *rows : {(const u16 *)t.rows.data(), (const u16 *)nullptr}) {
        const u32 pitch = 1 + (rows ? c.k : width), threads = c.splits > 1 || width > 64 ? 256 : 64;
        std::vector<u64> out((size_t)c.count * pitch, 7);
        launch(Dim{c.count}, threads, shared, [&] {
            rescore(rows, c.dim, queries.data(), slacks.data(), &greatest, entries.data(), states.data(), c.splits, capacity,
                    c.wanted, width, c.k, out.data());
        });
        for (u32 q = 0; q < c.count; q++) {
            std::vector<Hit> expected;
            for (u32 r = 0; r < c.n; r++)
                expected.push_back({r, score(&t.rows[(size_t)r * c.dim], &queries[q * c.dim], c.dim)});
            std::vector<Hit> by_row = expected;
            std::sort(expected.begin(), expected.end(), before);
            const u64 *found = &out[(size_t)q * pitch];
            if (rows) {
                expect(found[0] == DECIDED || found[0] == UNDECIDED, c, "header", q, 0);
                decided[q] = found[0] == DECIDED;
                if (!decided[q]) continue;
                proved++;
                for (u32 i = 0; i < c.k; i++)
                    expect(Hit{0xffffffffu - (u32)found[1 + i], true_score(found[1 + i])} == expected[i], c, "ranking", q, i);
                continue;
            }
            const u32 kept = (u32)found[0], bits = found[0] >> 32;
            const float bound = bits_float(bits);
            expect(kept <= width && (bits == NO_BOUND) == (kept == c.n), c, "entries", q, kept);
            std::vector<bool> listed(c.n);
            for (u32 i = 0; i < kept; i++) {
                const u32 row = (u32)found[1 + i];
                expect(row < c.n && !listed[row] && found[1 + i] >> 32 == keys[(size_t)q * c.n + row], c, "entry", q, i);
                if (row < c.n) listed[row] = true;
            }
            for (u32 i = kept; i < width; i++) expect(found[1 + i] == 0, c, "no entry", q, i);
            // Decided is what exceeds the bound.
            std::vector<Hit> hits;
            for (u32 r = 0; r < c.n; r++)
                if (listed[r]) hits.push_back(by_row[r]);
            std::sort(hits.begin(), hits.end(), before);
            const bool above = bits == NO_BOUND || (hits.size() >= c.k && hits[c.k - 1].score > bound);
            expect(decided[q] == above, c, "decision", q, 0);
            // No other row has a true score above the bound; an unusable bound is infinite or NaN.
            for (u32 r = 0; r < c.n; r++)
                if (!listed[r]) expect(!(by_row[r].score > bound), c, "bound", q, r);
            // The best `wanted` by coarse keys are there, unless ties do not fit.
            std::vector<u16> sorted(&keys[(size_t)q * c.n], &keys[(size_t)q * c.n] + c.n);
            std::sort(sorted.begin(), sorted.end(), std::greater<u16>());
            const u32 nth = sorted[std::min(c.wanted, c.n) - 1];
            u32 ties = std::count(sorted.begin(), sorted.end(), nth);
            for (u32 r = 0; r < c.n; r++) {
                const u32 key = keys[(size_t)q * c.n + r];
                if (key > nth || (key == nth && ties == 1)) expect(listed[r], c, "best entries", q, r);
            }
        }
    }
    expect(proved >= c.proved, c, "decided", proved, c.proved);
    return proved;
}

int main() {
    const Case cases[] = {
        // name, shape, n, dim, count, k, wanted, piece, splits, proved, plain
        {"one row", Random, 1, 8, 1, 1, 1, 128, 1, 1, false},
        {"one row, many asked for", Random, 1, 8, 1, 1, 19, 128, 3, 1, false},
        {"two rows", Random, 2, 8, 2, 1, 2, 1, 2, 2, false},
        {"fewer rows than a list", Random, 20, 24, 3, 3, 19, 128, 1, 3, false},
        {"exactly a list", Random, 19, 24, 3, 19, 19, 128, 2, 3, false},
        {"odd ends", Random, 333, 72, 9, 3, 19, 128, 1, 9, false},
        {"16 queries", Random, 300, 64, 16, 1, 18, 300, 1, 16, false},
        {"a k-th score near the bound", Random, 900, 64, 9, 19, 19, 900, 1, 0, false},
        {"17 queries", Random, 515, 136, 17, 5, 21, 200, 2, 17, false},
        {"33 queries", Random, 260, 40, 33, 3, 19, 256, 1, 33, false},
        {"64 queries", Mean, 270, 128, 64, 2, 19, 128, 3, 60, false},
        {"few distinct rows", Distinct, 1000, 48, 5, 3, 19, 384, 1, 0, false},
        {"few distinct rows, all listed", Distinct, 500, 48, 5, 100, 500, 130, 3, 5, false},
        {"one row many times", Same, 700, 16, 3, 2, 18, 300, 2, 0, true},
        {"one row many times, all listed", Same, 90, 16, 3, 20, 90, 50, 1, 3, true},
        {"one list of ties", Tied, 1000, 16, 2, 3, 19, 1000, 2, 0, true},
        {"a large common mean", Mean, 900, 64, 66, 3, 19, 512, 1, 60, true},
        {"damaged rows", Damaged, 600, 32, 8, 3, 30, 256, 1, 8, false},
        {"damaged rows, more than asked for", Damaged, 1200, 32, 3, 3, 10, 256, 1, 0, true},
        {"damaged rows, all listed", Damaged, 200, 32, 3, 200, 200, 64, 2, 3, false},
        {"infinite rows", Infinite, 600, 32, 4, 3, 19, 256, 1, 0, true},
        {"scores beyond f16", Large, 300, 32, 3, 3, 19, 128, 1, 0, true},
        {"scores below f16", Small, 300, 32, 3, 3, 19, 128, 1, 0, true},
        {"rows of ViT-B/32", Random, 700, 512, 2, 3, 19, 512, 4, 2, false},
        {"rows of ViT-bigG", Mean, 140, 1280, 2, 3, 19, 128, 1, 1, false},
        {"chunks of one piece", Random, 20000, 8, 3, 3, 19, 20000, 1, 3, true},
        {"several lists", Random, 20000, 16, 2, 15, 32, 9000, 20, 2, true},
        {"k of 100", Random, 9000, 16, 3, 100, 128, 4000, 1, 2, true},
        {"k of 1,000", Random, 9000, 16, 2, 1000, 1141, 2500, 3, 1, true},
        {"k of 2,048", Random, 9000, 16, 2, 2048, 2320, 9000, 1, 1, true},
        {"the most rows", Random, 9500, 8, 1, 3600, 4096, 5000, 1, 1, true},
    };
    keys_order(cases[0]);
    for (const Case &c : cases) {
        const u32 proved = run(c, 1), negated = run(c, -1);
        printf("%-34s %5u rows of %4u, %2u queries, k = %4u: %u and %u rankings decided\n", c.name, c.n, c.dim, c.count, c.k,
               proved, negated);
    }
    printf("ranking, emulated, not run on a GPU: %u failures\n", failures);
    return failures != 0;
}
