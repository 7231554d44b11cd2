#pragma once
// Fibers: functions that give way to each other, on stacks of their own. And memory that ends at a
// page that nothing may touch.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace emulated {

// Memory followed by a page that faults. Starts at a multiple of 16, so that up to 15 bytes after
// its end can be written; they are checked.
class GuardedMemory {
  public:
    GuardedMemory() = default;
    GuardedMemory(const GuardedMemory &) = delete;
    ~GuardedMemory() { release(); }

    void resize(size_t bytes) {
        bytes_ = bytes;
        const size_t page = sysconf(_SC_PAGESIZE), needed = (bytes + page - 1) / page * page + page;
        if (needed > mapped_) {
            release();
            mapped_ = needed;
            void *map = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (map == MAP_FAILED || mprotect((char *)map + mapped_ - page, page, PROT_NONE) != 0) perror("mmap"), exit(1);
            map_ = (char *)map;
        }
        start_ = map_ + mapped_ - page - (bytes + 15) / 16 * 16;
    }
    void *data() const { return start_; }
    void fill() {
        static const uint64_t pattern = 0xdeadbeefdeadbeefull;
        for (char *at = start_; at < start_ + (bytes_ + 15) / 16 * 16; at += 8) memcpy(at, &pattern, 8);
    }
    // Whether the bytes after the end are as `fill` left them.
    bool intact() const {
        for (size_t at = bytes_; at < (bytes_ + 15) / 16 * 16; at++)
            if ((uint8_t)start_[at] != (uint8_t)(0xdeadbeefull >> at % 4 * 8)) return false;
        return true;
    }

  private:
    void release() {
        if (map_ != nullptr) munmap(map_, mapped_);
    }
    char *map_ = nullptr, *start_ = nullptr;
    size_t mapped_ = 0, bytes_ = 0;
};

// Stacks that no fiber uses.
struct Stack { char *memory; };
constexpr size_t STACK = 256 * 1024;

inline std::vector<Stack> &free_stacks() {
    static std::vector<Stack> stacks;
    return stacks;
}

// A function on a stack of its own, or the one that resumes the others.
struct Fiber {
    Stack stack = {nullptr};
#ifdef __x86_64__
    void *pointer = nullptr;
#else
    ucontext_t context;
#endif
    bool started() const { return stack.memory != nullptr; }
    // Returns the stack, for another fiber.
    void end() {
        free_stacks().push_back(stack);
        stack.memory = nullptr;
    }
};

inline void take_stack(Fiber &fiber) {
    auto &stacks = free_stacks();
    if (stacks.empty()) {
        void *map = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (map == MAP_FAILED || mprotect(map, sysconf(_SC_PAGESIZE), PROT_NONE) != 0) perror("mmap"), exit(1);
        stacks.push_back({(char *)map});
    }
    fiber.stack = stacks.back();
    stacks.pop_back();
}

#ifdef __x86_64__
// Saves the registers that a call keeps, and continues on another stack.
__attribute__((naked, noinline)) static void switch_stacks(void **, void *) {
    asm("pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "movq %rsp, (%rdi); movq %rsi, %rsp\n"
        "popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; ret");
}

// Prepares a fiber that runs `function`, which must not return.
inline void start(Fiber &fiber, void (*function)()) {
    take_stack(fiber);
    void **top = (void **)(fiber.stack.memory + STACK) - 1;
    *top = nullptr;
    *--top = (void *)function;
    fiber.pointer = top - 6;
}
inline void resume(Fiber &from, Fiber &to) { switch_stacks(&from.pointer, to.pointer); }
#else
inline void start(Fiber &fiber, void (*function)()) {
    take_stack(fiber);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.memory;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, function, 0);
}
inline void resume(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }
#endif

} // namespace emulated
