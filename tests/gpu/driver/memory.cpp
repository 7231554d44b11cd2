// Memory: each allocation ends at a page that faults, is full of NaN at first, and is not reused
// before long after it was freed.

#include "device.h"

#include <cstring>
#include <deque>
#include <map>

#include <sys/mman.h>

namespace device {

namespace {

constexpr size_t PAGE = 4096;
// An allocation starts at a multiple of this; fewer bytes than this after its end do not fault, and
// are checked.
constexpr size_t ALIGNMENT = 16;
constexpr unsigned char NEW = 0xff, AFTER = 0xa5;
// Freed allocations that keep their addresses.
constexpr size_t KEPT = 8192;

struct Registered {
    size_t bytes;
};

std::map<const char *, Memory> memories; // by the end of the mapping
std::map<const char *, Registered> registered;
std::deque<char *> freed;
size_t used = 0;

size_t total_bytes() {
    const char *limit = getenv("EMULATED_MEMORY");
    return limit ? strtoull(limit, nullptr, 0) : MEMORY;
}

// The allocation that starts there, or null.
Memory *started_at(const void *start) {
    auto found = memories.upper_bound((const char *)start);
    return found == memories.end() || found->second.start != start ? nullptr : &found->second;
}

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

void check_end(const Memory &memory, const char *after) {
    for (const char *at = memory.start + memory.bytes; at < memory.map + memory.mapped - PAGE; at++)
        if ((unsigned char)*at != AFTER)
            fail("byte %zu after the end of an allocation of %zu bytes was written, %s", (size_t)(at - memory.start - memory.bytes),
                 memory.bytes, after);
}

} // namespace

void *reserve(size_t bytes, bool on_host) {
    if (!on_host && used + bytes > total_bytes()) return nullptr;
    const size_t mapped = rounded(bytes, PAGE) + 2 * PAGE;
    char *map = (char *)mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return nullptr;
    Memory memory = {map + mapped - PAGE - rounded(bytes, ALIGNMENT), bytes, map, mapped, Memory::RESERVED, on_host};
    memories[map + mapped] = memory;
    if (!on_host) used += bytes;
    return memory.start;
}

void commit(void *start) {
    Memory &memory = *started_at(start);
    char *begin = memory.map + PAGE, *end = memory.map + memory.mapped - PAGE;
    if (begin < end && mprotect(begin, end - begin, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
    memset(begin, NEW, memory.start - begin);
    memset(memory.start, NEW, memory.bytes);
    memset(memory.start + memory.bytes, AFTER, end - memory.start - memory.bytes);
    memory.state = Memory::LIVE;
}

void release(void *start) {
    if (started_at(start) == nullptr) fail("%p is freed, where no allocation starts", start);
    Memory &memory = *started_at(start);
    if (memory.state == Memory::FREED) fail("an allocation of %zu bytes is freed twice", memory.bytes);
    if (memory.state == Memory::RESERVED) fail("memory of %zu bytes is freed before its stream allocates it", memory.bytes);
    check_end(memory, "before it was freed");
    memory.state = Memory::FREED;
    if (!memory.on_host) used -= memory.bytes;
    // The pages are given back, the addresses are not.
    if (mmap(memory.map, memory.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        fail("mmap");
    freed.push_back(memory.map + memory.mapped);
    if (freed.size() > KEPT) {
        auto old = memories.find(freed.front());
        munmap(old->second.map, old->second.mapped);
        memories.erase(old);
        freed.pop_front();
    }
}

const Memory *memory_at(const void *address) {
    auto found = memories.upper_bound((const char *)address);
    if (found == memories.end() || address < found->second.map) return nullptr;
    return &found->second;
}

std::string describe(const void *address) {
    const Memory *memory = memory_at(address);
    char text[200];
    if (memory == nullptr) snprintf(text, sizeof(text), "%p, which is no memory of the device", address);
    else {
        const long long offset = (const char *)address - memory->start;
        const char *state = memory->state == Memory::LIVE ? "" : memory->state == Memory::FREED ? "the freed " : "the not yet allocated ";
        snprintf(text, sizeof(text), "byte %lld of %s%s of %zu bytes", offset, state,
                 memory->on_host ? "page-locked memory" : "allocation", memory->bytes);
    }
    return text;
}

void check_device(const void *start, size_t bytes, const char *use) {
    if (bytes == 0) return;
    const Memory *memory = memory_at(start);
    const bool inside = memory != nullptr && memory->state == Memory::LIVE && !memory->on_host && (const char *)start >= memory->start &&
                        (const char *)start + bytes <= memory->start + memory->bytes;
    if (!inside) fail("%s of %zu bytes, from %s on", use, bytes, describe(start).c_str());
}

void check_ends(const char *after) {
    for (const auto &[end, memory] : memories)
        if (memory.state == Memory::LIVE && memory.bytes % ALIGNMENT != 0) check_end(memory, after);
}

bool is_page_locked(const void *start, size_t bytes) {
    const Memory *memory = memory_at(start);
    if (memory != nullptr && memory->on_host) {
        const bool inside = memory->state == Memory::LIVE && (const char *)start >= memory->start &&
                            (const char *)start + bytes <= memory->start + memory->bytes;
        if (!inside && bytes > 0) fail("a copy of %zu bytes, from or to %s on", bytes, describe(start).c_str());
        return true;
    }
    auto next = registered.upper_bound((const char *)start);
    if (next == registered.begin()) return false;
    --next;
    return (const char *)start + bytes <= next->first + next->second.bytes;
}

size_t used_bytes() { return used; }

} // namespace device

using namespace device;

#define NEEDS_CONTEXT \
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT

// Allocations and frees in a stream's order use the stream's context; only the default streams
// have the thread's (CUDA driver API, "Stream Ordered Memory Allocator").
#define NEEDS_CONTEXT_OF(stream) \
    if (!has_context() && is_default(stream)) return CUDA_ERROR_INVALID_CONTEXT

static bool is_default(CUstream stream) {
    return stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

CUresult cuMemAlloc(CUdeviceptr *to, size_t bytes) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    void *start = reserve(bytes, false);
    if (start != nullptr) commit(start);
    *to = (CUdeviceptr)start;
    return start ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemAllocAsync(CUdeviceptr *to, size_t bytes, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT_OF(stream);
    *to = 0;
    if (bytes == 0) return CUDA_SUCCESS;
    void *start = reserve(bytes, false);
    if (start == nullptr) {
        // What was freed, but not yet in the order of its stream.
        finish_all();
        if ((start = reserve(bytes, false)) == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *to = (CUdeviceptr)start;
    enqueue(stream, [=] { commit(start); });
    return CUDA_SUCCESS;
}

CUresult cuMemFreeAsync(CUdeviceptr start, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT_OF(stream);
    if (start != 0) enqueue(stream, [=] { release((void *)start); });
    return CUDA_SUCCESS;
}

CUresult cuMemFree(CUdeviceptr start) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    finish_all();
    if (start != 0) release((void *)start);
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **to, size_t bytes, unsigned) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    *to = reserve(bytes, true);
    if (*to == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    commit(*to);
    return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *start) {
    Guard guard(lock);
    // Waits for what uses it.
    finish_all();
    release(start);
    return CUDA_SUCCESS;
}

CUresult cuMemHostRegister(void *start, size_t bytes, unsigned) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    registered[(const char *)start] = {bytes};
    return CUDA_SUCCESS;
}

CUresult cuMemHostUnregister(void *start) {
    Guard guard(lock);
    finish_all();
    return registered.erase((const char *)start) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}

CUresult cuMemGetInfo(size_t *free, size_t *total) {
    Guard guard(lock);
    *total = total_bytes();
    *free = *total - used_bytes();
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    if (is_page_locked(from, bytes)) {
        enqueue(stream, [=] {
            check_device((void *)to, bytes, "a copy to the device");
            is_page_locked(from, bytes);
            memcpy((void *)to, from, bytes);
        });
    } else {
        // Other memory may change when the call returns.
        auto copy = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
        enqueue(stream, [=] {
            check_device((void *)to, bytes, "a copy to the device");
            memcpy((void *)to, copy->data(), bytes);
        });
    }
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    const bool later = is_page_locked(to, bytes);
    enqueue(stream, [=] {
        check_device((void *)from, bytes, "a copy from the device");
        if (later) is_page_locked(to, bytes);
        memcpy(to, (void *)from, bytes);
    });
    if (!later) finish(stream);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    if (to < from + bytes && from < to + bytes && bytes > 0) fail("a copy of %zu bytes overlaps itself", bytes);
    enqueue(stream, [=] {
        check_device((void *)to, bytes, "a copy to the device");
        check_device((void *)from, bytes, "a copy from the device");
        memcpy((void *)to, (void *)from, bytes);
    });
    return CUDA_SUCCESS;
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    Guard guard(lock);
    NEEDS_CONTEXT;
    enqueue(stream, [=] {
        check_device((void *)to, bytes, "a fill");
        memset((void *)to, value, bytes);
    });
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes) {
    Guard guard(lock);
    finish_all();
    const CUresult result = cuMemcpyHtoDAsync(to, from, bytes, nullptr);
    finish(nullptr);
    return result;
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes) {
    Guard guard(lock);
    finish_all();
    const CUresult result = cuMemcpyDtoHAsync(to, from, bytes, nullptr);
    finish(nullptr);
    return result;
}

CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return cuMemcpyDtoDAsync(to, from, bytes, nullptr);
}

CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
    return cuMemsetD8Async(to, value, bytes, nullptr);
}

// ---- the pool that allocations come from: it keeps nothing

CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice) { return *pool = (CUmemoryPool)0x200, CUDA_SUCCESS; }
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) { return cuDeviceGetMemPool(pool, device); }
CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void *) { return CUDA_SUCCESS; }
CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }
CUresult cuMemPoolGetAttribute(CUmemoryPool, CUmemPool_attribute which, void *value) {
    Guard guard(lock);
    const bool is_bytes = which == CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT || which == CU_MEMPOOL_ATTR_USED_MEM_CURRENT;
    *(cuuint64_t *)value = is_bytes ? used_bytes() : 0;
    return CUDA_SUCCESS;
}
