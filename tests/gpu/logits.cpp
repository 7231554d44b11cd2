// The reduction of logits in emulation, compared with a sort and a sum in double precision.

#include "emulator.h"

#include "../../crates/interrogate/src/nn/gpu/logits/logits.cu"

enum Shape { Random, FewValues, Equal, Ascending, Descending, OneThread, Zeros, Infinite, Nan, Minus };

struct Case {
    const char *name;
    u32 sequences, vocab, candidates, picks;
    Shape shape;
};

static u32 failures = 0;

static void expect(bool holds, const Case &c, const char *type, const char *what, u32 sequence) {
    if (!holds && failures++ < 10)
        fprintf(stderr, "%s, %s: %s, sequence %u\n", c.name, type, what, sequence);
}

// The logit of a token, before it is rounded to a type.
static float value(const Case &c, u32 sequence, u32 token, std::mt19937 &random) {
    std::normal_distribution<float> normal(0, 6);
    switch (c.shape) {
    case Random: return normal(random);
    case FewValues: return (float)(random() % 5) - 9;
    case Equal: return -2.5f;
    case Ascending: return token * 0.25f - 70000 * (sequence % 2);
    case Descending: return -0.5f * token;
    // The best tokens are all of one thread, far above the others.
    case OneThread: return token % THREADS == 700 % THREADS ? 20 + normal(random) : normal(random) - 40;
    case Zeros: return token % 3 == 0 ? 0.0f : token % 3 == 1 ? -0.0f : -1.0f;
    case Infinite: return token == c.vocab / 2 ? INFINITY : normal(random);
    case Nan: return token == c.vocab / 2 ? NAN : normal(random);
    case Minus: return token % 7 == 0 ? normal(random) : -INFINITY;
    }
    return 0;
}

template <typename T, typename Kernel> static void run(const Case &c, const char *type, Kernel kernel) {
    std::mt19937 random(c.vocab * 7 + c.sequences + c.shape);
    std::vector<T> logits((size_t)c.sequences * c.vocab);
    for (u32 s = 0; s < c.sequences; s++)
        for (u32 t = 0; t < c.vocab; t++) from_float(value(c, s, t, random), &logits[(size_t)s * c.vocab + t]);
    std::vector<u32> picks;
    for (u32 i = 0; i < c.picks; i++) {
        picks.push_back(i % c.sequences);
        picks.push_back(i < 2 ? (c.vocab - 1) * i : random() % c.vocab);
    }
    const u32 width = 1 + 2 * c.candidates;
    std::vector<u32> out(c.sequences * width + c.picks + 1, 0xabcdefu);
    launch(Dim{c.sequences}, THREADS, (THREADS + WARPS) * 8 + WARPS * sizeof(ExpSum), [&] {
        kernel(logits.data(), c.vocab, c.candidates, picks.data(), c.picks, out.data());
    });
    expect(out.back() == 0xabcdefu, c, type, "writes past the end", 0);

    for (u32 s = 0; s < c.sequences; s++) {
        const u32 *found = &out[s * width];
        const float log_sum = bits_float(found[0]);
        std::vector<float> row;
        for (u32 t = 0; t < c.vocab; t++) row.push_back(to_float(logits[(size_t)s * c.vocab + t]));
        double sum = 0, maximum = -INFINITY;
        for (float v : row) maximum = std::max(maximum, (double)v);
        for (float v : row) sum += std::exp((double)v - maximum);
        const double expected = maximum + std::log(sum);
        const bool number = std::isfinite(expected);
        const double bound = 2e-6 * std::max(1.0, std::fabs(expected));
        expect(number ? std::fabs(log_sum - expected) <= bound : !std::isfinite(log_sum), c, type, "log-sum-exp", s);
        if (!number) continue;
        std::vector<u32> order(c.vocab);
        for (u32 t = 0; t < c.vocab; t++) order[t] = t;
        std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return row[a] > row[b]; });
        for (u32 i = 0; i < c.candidates; i++) {
            expect(found[1 + i] == order[i], c, type, "candidate", s);
            expect(bits_float(found[1 + c.candidates + i]) == row[order[i]], c, type, "candidate's logit", s);
        }
    }
    for (u32 i = 0; i < c.picks; i++) {
        const float expected = to_float(logits[(size_t)picks[2 * i] * c.vocab + picks[2 * i + 1]]);
        const float found = bits_float(out[c.sequences * width + i]);
        expect(found == expected || (found != found && expected != expected), c, type, "pick", picks[2 * i]);
    }
}

int main() {
    const Case cases[] = {
        {"one token", 1, 1, 1, 1, Random},
        {"as many candidates as tokens", 2, 33, 33, 3, Random},
        {"one token less than threads", 3, 1023, 16, 0, Random},
        {"one token more than threads", 2, 1025, 16, 5, FewValues},
        {"equal logits", 2, 2500, 40, 2, Equal},
        {"ascending", 2, 3000, 20, 2, Ascending},
        {"descending", 1, 5000, 7, 2, Descending},
        {"the best of one thread", 2, 40000, 37, 9, OneThread},
        {"both zeros", 1, 1500, 12, 3, Zeros},
        {"an infinite logit", 2, 1400, 3, 2, Infinite},
        {"a NaN", 2, 1400, 3, 2, Nan},
        {"minus infinity", 2, 2100, 16, 4, Minus},
        {"minus infinity, few tokens", 1, 5, 5, 0, Minus},
        {"the vocabulary of BLIP", 2, 30524, 2, 1200, Random},
        {"the vocabulary of OPT", 3, 50272, 17, 2500, Random},
        {"the vocabulary of OPT, ties", 2, 50272, 64, 0, FewValues},
    };
    for (const Case &c : cases) {
        run<float>(c, "f32", reduce_f32);
        run<f16>(c, "f16", reduce_f16);
        run<bf16>(c, "bf16", reduce_bf16);
        printf("%-36s %u sequences of %5u, %2u candidates, %4u picks\n", c.name, c.sequences, c.vocab,
               c.candidates, c.picks);
    }
    printf("reduction of logits, emulated, not run on a GPU: %u failures\n", failures);
    return failures != 0;
}
