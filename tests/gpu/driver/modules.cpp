// Modules and launches. A module's "PTX" begins with the name of the file of kernels, and options,
// that are compiled for the host when it is loaded.

#include "device.h"

#include <cstring>
#include <map>

#include <dlfcn.h>

namespace device {

const Kernel *running = nullptr;
Where *where = nullptr;

namespace {

constexpr int SHARED_BY_DEFAULT = 48 << 10, SHARED_AT_MOST = 227 << 10;

struct Module;
struct Function {
    Module *module;
    const Kernel *kernel;
    int shared_at_most = SHARED_BY_DEFAULT;
    unsigned threads_at_most = 1024;
};

struct Module {
    Launch *launch;
    Where *where;
    std::map<std::string, Function> functions;
};

std::string output_of(const std::string &command) {
    FILE *pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) fail("cannot run %s", command.c_str());
    std::string output;
    char text[1000];
    while (fgets(text, sizeof(text), pipe)) output += text;
    if (pclose(pipe) != 0) fail("failed: %s", command.c_str());
    while (!output.empty() && output.back() == '\n') output.pop_back();
    return output;
}

void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found == nullptr) fail("%s", dlerror());
    return found;
}

// The limit of threads per block, which the PTX of NVRTC tells.
unsigned threads_at_most(const std::string &ptx, const std::string &name) {
    size_t at = ptx.find(".entry " + name + "(");
    if (at == std::string::npos) return 1024;
    const size_t body = ptx.find('{', at), limit = ptx.find(".maxntid", at);
    return limit < body ? strtoul(ptx.c_str() + limit + 8, nullptr, 10) : 1024;
}

// Aborts unless each pointer among the arguments is null or one into memory of the device.
void check_arguments(const Kernel &kernel, void *const *values) {
    for (unsigned i = 0; i < kernel.count; i++) {
        if (values[i] == nullptr) fail("kernel %s: argument %u is missing", kernel.name, i);
        const unsigned alignment = kernel.parameters[i].alignment;
        if (alignment == 0) continue;
        const char *pointer;
        memcpy(&pointer, values[i], sizeof(pointer));
        if (pointer == nullptr) continue;
        const Memory *memory = memory_at(pointer);
        const bool inside = memory != nullptr && memory->state == Memory::LIVE && pointer >= memory->start && pointer <= memory->start + memory->bytes;
        if (!inside) fail("kernel %s: argument %u is %s", kernel.name, i, describe(pointer).c_str());
        if ((uintptr_t)pointer % alignment != 0) fail("kernel %s: argument %u is not aligned", kernel.name, i);
    }
}

} // namespace

} // namespace device

using namespace device;

CUresult cuModuleLoadData(CUmodule *to, const void *image) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    const std::string text = (const char *)image, mark = "// emulated: ";
    if (text.compare(0, mark.size(), mark) != 0) {
        fprintf(stderr, "emulated driver: a module that is not emulated\n");
        return CUDA_ERROR_INVALID_PTX;
    }
    const std::string what = text.substr(mark.size(), text.find('\n') - mark.size());
    static std::map<std::string, Module *> loaded;
    Module *&module = loaded[what];
    if (module == nullptr) {
        const std::string compile = "'" + folder() + "/bin/compile' '" + folder() + "/kernels' " + what;
        const std::string file = output_of(compile);
        void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) fail("%s", dlerror());
        module = new Module;
        module->launch = (Launch *)symbol(library, "emulated_launch");
        module->where = (Where *)symbol(library, "emulated_where");
        uint32_t count;
        const Kernel *kernels = ((Kernels *)symbol(library, "emulated_kernels"))(&count);
        for (uint32_t i = 0; i < count; i++) {
            const Kernel &kernel = kernels[i];
            module->functions[kernel.name] = {module, &kernel, SHARED_BY_DEFAULT, threads_at_most(text, kernel.name)};
        }
    }
    *to = (CUmodule)module;
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    Guard guard(lock);
    auto &functions = ((Module *)module)->functions;
    auto found = functions.find(name);
    if (found == functions.end()) {
        // Without a name, only the module was to be loaded.
        if (*name != 0) fprintf(stderr, "emulated driver: no kernel is called %s\n", name);
        return CUDA_ERROR_NOT_FOUND;
    }
    *function = (CUfunction)&found->second;
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    Guard guard(lock);
    if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
        if (value < 0 || value > SHARED_AT_MOST) return CUDA_ERROR_INVALID_VALUE;
        ((Function *)function)->shared_at_most = std::max(value, SHARED_BY_DEFAULT);
    }
    return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
    Guard guard(lock);
    if (attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) *value = ((Function *)function)->threads_at_most;
    else if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) *value = ((Function *)function)->shared_at_most;
    else *value = 0;
    return CUDA_SUCCESS;
}

CUresult cuFuncSetCacheConfig(CUfunction, CUfunc_cache) { return CUDA_SUCCESS; }

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction, int threads, size_t shared) {
    *blocks = std::min<size_t>(2048 / threads, (228 << 10) / (shared + 1024));
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function, int threads, size_t shared, unsigned) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, shared);
}

CUresult cuLaunchKernel(CUfunction name, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                        unsigned block_z, unsigned shared, CUstream stream, void **arguments, void **extra) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    Function &function = *(Function *)name;
    const Kernel *kernel = function.kernel;
    const auto refused = [&](const char *why) {
        fprintf(stderr, "emulated driver: kernel %s, grid (%u, %u, %u), block (%u, %u, %u), %u bytes of shared memory: %s\n", kernel->name,
                grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, why);
        return CUDA_ERROR_INVALID_VALUE;
    };
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || block_x == 0 || block_y == 0 || block_z == 0) return refused("nothing to run");
    if (grid_x > 0x7fffffff || grid_y > 65535 || grid_z > 65535) return refused("the grid is too large");
    if ((uint64_t)block_x * block_y * block_z > function.threads_at_most || block_z > 64) return refused("too many threads");
    if (shared > (unsigned)function.shared_at_most) return refused("more shared memory than was granted");
    if (extra != nullptr) return refused("arguments in a buffer");
    // The values are copied now; the kernel may run later.
    std::vector<uint64_t> bytes;
    std::vector<size_t> starts;
    for (unsigned i = 0; i < kernel->count; i++) {
        starts.push_back(bytes.size());
        bytes.resize(bytes.size() + (kernel->parameters[i].bytes + 15) / 16 * 2);
        if (arguments[i] == nullptr) fail("kernel %s: argument %u is missing", kernel->name, i);
        memcpy(&bytes[starts[i]], arguments[i], kernel->parameters[i].bytes);
    }
    Module *module = function.module;
    enqueue(stream, [=]() mutable {
        std::vector<void *> values;
        for (size_t start : starts) values.push_back(&bytes[start]);
        check_arguments(*kernel, values.data());
        const uint32_t grid[3] = {grid_x, grid_y, grid_z}, block[3] = {block_x, block_y, block_z};
        running = kernel;
        where = module->where;
        module->launch(kernel, grid, block, shared, values.data());
        running = nullptr;
    });
    return CUDA_SUCCESS;
}
