#pragma once
// The table of a module's kernels. Follows emulator.h and the kernels.

#include <type_traits>
#include <utility>

#include "kernel.h"

namespace emulated {

template <typename T> constexpr uint32_t pointed_alignment() {
    if constexpr (!std::is_pointer_v<T>) return 0;
    else if constexpr (std::is_void_v<std::remove_pointer_t<T>>) return 1;
    else return alignof(std::remove_pointer_t<T>);
}

template <auto FUNCTION, typename Type = decltype(FUNCTION)> struct Entry;

template <auto FUNCTION, typename... P> struct Entry<FUNCTION, void (*)(P...)> {
    static constexpr Parameter PARAMETERS[sizeof...(P) + 1] = {{sizeof(P), pointed_alignment<P>()}..., {0, 0}};
    template <size_t... I> static void call(void *const *values, std::index_sequence<I...>) {
        FUNCTION(*(std::remove_const_t<P> *)values[I]...);
    }
    static void run(void *const *values) { call(values, std::index_sequence_for<P...>()); }
    static constexpr Kernel kernel(const char *name) { return {name, sizeof...(P), PARAMETERS, run}; }
};

} // namespace emulated

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void emulated_launch(const Kernel *kernel, const uint32_t grid[3], const uint32_t block[3], size_t shared,
                              void *const *values) {
    launch(Dim{grid[0], grid[1], grid[2]}, Dim{block[0], block[1], block[2]}, shared, [&] { kernel->run(values); });
}

EXPORTED void emulated_where(uint32_t block_and_thread[6]) {
    const Dim thread = emulated::block != nullptr && emulated::block->running != nullptr ? emulated::block->running->index : Dim{0, 0, 0};
    const uint32_t all[6] = {blockIdx.x, blockIdx.y, blockIdx.z, thread.x, thread.y, thread.z};
    memcpy(block_and_thread, all, sizeof(all));
}
