#pragma once
// What the driver knows of a kernel that was compiled for the host.

#include <cstddef>
#include <cstdint>

struct Parameter {
    uint32_t bytes;
    uint32_t alignment; // of the values that a pointer points to; 0 for other types
};

struct Kernel {
    const char *name;
    uint32_t count;
    const Parameter *parameters;
    void (*run)(void *const *values); // one thread
};

// The functions of a module of kernels.
using Kernels = const Kernel *(uint32_t *count);
using Launch = void(const Kernel *kernel, const uint32_t grid[3], const uint32_t block[3], size_t shared,
                    void *const *values);
// The block and the thread that run, three numbers each.
using Where = void(uint32_t block_and_thread[6]);
