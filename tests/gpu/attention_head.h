// The kernels of attention for heads of HEAD values, in the namespace NAMESPACE. Included once
// for each head size.

namespace NAMESPACE {
#include "../../crates/interrogate/src/nn/gpu/attention/lists.cu"

namespace spans_of_f16 {
#define BF16 0
#include "../../crates/interrogate/src/nn/gpu/attention/spans.cu"
#undef BF16
#undef MULTIPLY
#undef PACK
} // namespace spans_of_f16

namespace spans_of_bf16 {
#define BF16 1
#include "../../crates/interrogate/src/nn/gpu/attention/spans.cu"
#undef BF16
#undef MULTIPLY
#undef PACK
} // namespace spans_of_bf16

static const Kernels kernels = {
    HEAD,
    LANES,
    attend_lists_f32,
    attend_lists_f16,
    attend_lists_bf16,
    {spans_of_f16::attend_spans, spans_of_f16::attend_few},
    {spans_of_bf16::attend_spans, spans_of_bf16::attend_few},
};
} // namespace NAMESPACE

#undef HEAD
#undef NAMESPACE
