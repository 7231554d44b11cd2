// The ranking kernels in emulation. Results are compared with a plain sort by the scores of
// rank/dot, bit for bit.

#include "emulator.h"

#include "../../crates/interrogate/src/rank/device/kernels.cu"

// ---- the reference ----

static float score(const u16 *row, const float *query, u32 dim) {
    float lanes[16] = {};
    for (u32 d = 0; d < dim; d++) lanes[d % 16] = std::fma(f16_to_float(row[d]), query[d], lanes[d % 16]);
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
    return bits_float(ordered >> 31 ? ordered ^ 0x80000000u : ~ordered);
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
        for (u32 d = 0; d < c.dim; d++) rows[(size_t)r * c.dim + d] = float_to_f16(row[d]);
        if (c.shape == 3 && r % 50 == 9) rows[(size_t)r * c.dim + r % c.dim] = 0x7e00; // NaN
    }
    std::vector<float> queries;
    std::vector<u16> halves;
    for (u32 q = 0; q < c.count; q++)
        for (float v : drawn()) queries.push_back(v), halves.push_back(float_to_f16(v));

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
        for (u32 d = 0; d < c.dim; d++) sum += std::pow((double)f16_to_float(rows[(size_t)r * c.dim + d]), 2);
        if (sum == sum) true_longest = std::max(true_longest, std::sqrt(sum));
    }
    const double length_of_longest = std::sqrt((double)bits_float(greatest));
    expect(std::fabs(length_of_longest - true_longest) < 1e-5 * true_longest, c, "longest", 0, 0);
    u32 proved = 0;
    for (u32 q = 0; q < c.count; q++) {
        double lost = 0, length = 0;
        for (u32 d = 0; d < c.dim; d++) {
            const double v = queries[(size_t)q * c.dim + d];
            lost += std::pow(v - f16_to_float(halves[(size_t)q * c.dim + d]), 2);
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
    printf("ranking, emulated, not run on a GPU: %u failures\n", failures);
    return failures != 0;
}
