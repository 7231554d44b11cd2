// The device: its numbers, contexts, and the report of faults.

#include "device.h"

#include <csignal>
#include <cstring>

#include <dlfcn.h>
#include <unistd.h>

namespace device {

std::recursive_mutex lock;

void fail(const char *format, ...) {
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "emulated driver: %s\n", text);
    abort();
}

std::string folder() {
    Dl_info info;
    if (dladdr((void *)&folder, &info) == 0) fail("this library has no name");
    std::string name = info.dli_fname;
    name = name.substr(0, name.rfind('/'));
    return name + "/..";
}

namespace {

struct sigaction before;
thread_local CUcontext current = nullptr;
const CUcontext PRIMARY = (CUcontext)0x100;

// An access that faults: says which, and of what.
void faulted(int number, siginfo_t *info, void *context) {
    if (running != nullptr) {
        uint32_t at[6] = {};
        where(at);
        const bool writes = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2;
        fprintf(stderr, "emulated driver: kernel %s, block (%u, %u, %u), thread (%u, %u, %u) %s %s\n", running->name, at[0], at[1], at[2],
                at[3], at[4], at[5], writes ? "writes" : "reads",
                // The processor names no address then.
                info->si_code == SI_KERNEL ? "what is not aligned" : describe(info->si_addr).c_str());
    } else if (memory_at(info->si_addr) != nullptr) {
        fprintf(stderr, "emulated driver: the host uses %s\n", describe(info->si_addr).c_str());
    }
    sigaction(number, &before, nullptr);
}

int attribute(CUdevice_attribute which) {
    switch (which) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return 9;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return 0;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 132;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return 227 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return 228 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: return 65536;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 50 << 20;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1980000;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 2619000;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return 5120;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 3;
    default: return -1;
    }
}

} // namespace

bool has_context() { return current != nullptr; }

} // namespace device

using namespace device;

CUresult cuInit(unsigned) {
    Guard guard(lock);
    static bool is_ready = false;
    if (!is_ready) {
        struct sigaction action = {};
        action.sa_sigaction = faulted;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &before);
        is_ready = true;
    }
    return CUDA_SUCCESS;
}

// NVRTC asks for it, and does without.
CUresult cuGetExportTable(const void **, const CUuuid *) { return CUDA_ERROR_NOT_FOUND; }
CUresult cuDriverGetVersion(int *version) { return *version = 13000, CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int *count) { return *count = 1, CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *device, int number) {
    if (number != 0) return CUDA_ERROR_INVALID_DEVICE;
    return *device = 0, CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int bytes, CUdevice) { return snprintf(name, bytes, "an emulated GPU"), CUDA_SUCCESS; }
CUresult cuDeviceGetUuid(CUuuid *id, CUdevice) { return memset(id, 7, sizeof(*id)), CUDA_SUCCESS; }
CUresult cuDeviceTotalMem(size_t *bytes, CUdevice) {
    size_t free;
    return cuMemGetInfo(&free, bytes);
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute which, CUdevice) {
    *value = attribute(which);
    if (*value >= 0) return CUDA_SUCCESS;
    fprintf(stderr, "emulated driver: attribute %d is not known\n", which);
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) { return *context = PRIMARY, CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRelease(CUdevice) { return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(CUcontext *context) { return *context = current, CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext context) { return current = context, CUDA_SUCCESS; }
CUresult cuCtxSetFlags(unsigned) { return CUDA_SUCCESS; }
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, CUDA_SUCCESS; }

CUresult cuGetErrorName(CUresult error, const char **name) {
    switch (error) {
    case CUDA_SUCCESS: *name = "CUDA_SUCCESS"; break;
    case CUDA_ERROR_INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case CUDA_ERROR_OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case CUDA_ERROR_INVALID_CONTEXT: *name = "CUDA_ERROR_INVALID_CONTEXT"; break;
    case CUDA_ERROR_NOT_FOUND: *name = "CUDA_ERROR_NOT_FOUND"; break;
    case CUDA_ERROR_NOT_READY: *name = "CUDA_ERROR_NOT_READY"; break;
    default: *name = "CUDA_ERROR_UNKNOWN";
    }
    return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult error, const char **text) {
    *text = error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "an error of the emulated driver";
    return CUDA_SUCCESS;
}

// Called for a function that is not emulated.
extern "C" int emulated_missing(const char *name, int error) {
    fprintf(stderr, "emulated driver: %s is not emulated\n", name);
    return error;
}
