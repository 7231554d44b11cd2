#pragma once
// The parts of the emulated driver. Everything happens under one lock.

#include <cuda.h>

#include <cstdarg>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernel.h"

namespace device {

// Reports a fault of the program and aborts it.
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern std::recursive_mutex lock;
using Guard = std::lock_guard<std::recursive_mutex>;

// The folder that has this library in lib64.
std::string folder();

// ---- memory

constexpr size_t MEMORY = 4ull << 30;

struct Memory {
    char *start;
    size_t bytes;
    char *map;
    size_t mapped;
    enum { RESERVED, LIVE, FREED } state;
    bool on_host;
};

// Whether a context is current in this thread, as nearly every function demands.
bool has_context();

// Reserves memory, which faults until `commit`. Null if the device has not so many bytes left.
void *reserve(size_t bytes, bool on_host);
void commit(void *start);
void release(void *start);
// The allocation, live or not, whose guarded range holds the address.
const Memory *memory_at(const void *address);
// Aborts unless the bytes are within one live allocation of the device.
void check_device(const void *start, size_t bytes, const char *use);
// Aborts if bytes after the end of a live allocation were written.
void check_ends(const char *after);
// Whether the bytes are page-locked: a copy from or to them happens later.
bool is_page_locked(const void *start, size_t bytes);
size_t used_bytes();
// Explains an address that faulted.
std::string describe(const void *address);

// ---- streams

using Work = std::function<void()>;

// Adds work to a stream; runs it at once, or later (see streams.cpp).
void enqueue(CUstream stream, Work work);
// Runs what a stream has to do; all streams.
void finish(CUstream stream);
void finish_all();

// ---- kernels

// What runs, for the report of a fault; null if nothing does.
extern const Kernel *running;
extern Where *where;

} // namespace device
