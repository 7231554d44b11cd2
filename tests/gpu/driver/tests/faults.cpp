// Faults that the emulated driver must find. Each runs in a process of its own.

#include <cublas_v2.h>
#include <cuda.h>
#include <nvrtc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

static const char *KERNELS = R"(
KERNEL fill(u32 *to, u32 first, u32 count, u32 value) {
    const u32 at = first + blockIdx.x * blockDim.x + threadIdx.x;
    if (at < first + count) to[at] = value;
}
KERNEL BOUNDS(128, 1) sum(const u32 *from, u32 count, u32 *to) {
    SHARED(u32, shared);
    shared[threadIdx.x] = threadIdx.x < count ? from[threadIdx.x] : 0;
    sync_block();
    if (threadIdx.x != 0) return;
    u32 total = 0;
    for (u32 i = 0; i < blockDim.x; i++) total += shared[i];
    *to = total;
}
)";

static void expect(bool it, const char *what) {
    if (!it) fprintf(stderr, "not as expected: %s\n", what), exit(2);
}
static void done(CUresult result, const char *what) { expect(result == CUDA_SUCCESS, what); }
#define DO(call) done(call, #call)

static CUmodule module;
static CUstream one, two;

static CUfunction function(const char *name) {
    CUfunction found;
    DO(cuModuleGetFunction(&found, module, name));
    return found;
}

static CUdeviceptr memory(size_t bytes, CUstream stream = nullptr) {
    CUdeviceptr start;
    DO(cuMemAllocAsync(&start, bytes, stream ? stream : one));
    return start;
}

static CUresult fill(CUdeviceptr to, unsigned first, unsigned count, unsigned value, CUstream stream = nullptr) {
    void *arguments[] = {&to, &first, &count, &value};
    return cuLaunchKernel(function("fill"), (count + 31) / 32, 1, 1, 32, 1, 1, 0, stream ? stream : one, arguments, nullptr);
}

static CUresult sum(CUdeviceptr from, unsigned count, CUdeviceptr to, unsigned threads, unsigned shared) {
    void *arguments[] = {&from, &count, &to};
    return cuLaunchKernel(function("sum"), 1, 1, 1, threads, 1, 1, shared, one, arguments, nullptr);
}

static unsigned value(CUdeviceptr at) {
    unsigned it;
    DO(cuMemcpyDtoHAsync(&it, at, 4, one));
    DO(cuStreamSynchronize(one));
    return it;
}

static void start(const char *prelude) {
    DO(cuInit(0));
    CUcontext context;
    DO(cuDevicePrimaryCtxRetain(&context, 0));
    DO(cuCtxSetCurrent(context));
    DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
    DO(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
    std::stringstream text;
    text << std::ifstream(prelude).rdbuf() << KERNELS;
    nvrtcProgram program;
    const char *options[] = {"--gpu-architecture=compute_90"};
    expect(nvrtcCreateProgram(&program, text.str().c_str(), "faults.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS, "nvrtcCreateProgram");
    const nvrtcResult compiled = nvrtcCompileProgram(program, 1, options);
    static char log[100000] = "";
    size_t log_bytes;
    if (nvrtcGetProgramLogSize(program, &log_bytes) == NVRTC_SUCCESS && log_bytes < sizeof(log)) nvrtcGetProgramLog(program, log);
    if (compiled != NVRTC_SUCCESS) fprintf(stderr, "%s: ", nvrtcGetErrorString(compiled));
    expect(compiled == NVRTC_SUCCESS, log);
    size_t bytes;
    nvrtcGetPTXSize(program, &bytes);
    std::vector<char> ptx(bytes);
    nvrtcGetPTX(program, ptx.data());
    DO(cuModuleLoadData(&module, ptx.data()));
}

struct Case {
    const char *name;
    const char *report; // a part of what is printed; null if nothing is wrong
    std::function<void()> body;
};

static const Case CASES[] = {
    {"right use", nullptr,
     [] {
         CUdeviceptr a = memory(400), total = memory(4);
         DO(fill(a, 0, 100, 3));
         DO(sum(a, 100, total, 128, 512));
         expect(value(total) == 300, "the sum");
         DO(cuMemFreeAsync(a, one));
         DO(cuCtxSynchronize());
     }},
    {"a write far past the end", "writes byte 400 of allocation of 400 bytes", [] { DO(fill(memory(400), 0, 101, 3)); DO(cuCtxSynchronize()); }},
    {"a write just past the end", "byte 0 after the end of an allocation of 396 bytes was written",
     [] { DO(fill(memory(396), 0, 100, 3)); DO(cuCtxSynchronize()); }},
    {"a read far past the end", "kernel sum, block (0, 0, 0), thread", [] { DO(sum(memory(400), 128, memory(4), 128, 512)); DO(cuCtxSynchronize()); }},
    {"a read of what was freed", "is byte 0 of the freed allocation",
     [] {
         CUdeviceptr a = memory(400);
         DO(cuMemFreeAsync(a, one));
         DO(cuCtxSynchronize());
         DO(sum(a, 100, memory(4), 128, 512));
         DO(cuCtxSynchronize());
     }},
    {"a double free", "is freed twice", [] { CUdeviceptr a = memory(400); cuMemFreeAsync(a, one), cuMemFreeAsync(a, one), cuCtxSynchronize(); }},
    {"memory that was not written", nullptr, [] { expect(value(memory(4)) == 0xffffffff, "new memory is not a number"); }},
    {"a copy past the end", "a copy to the device of 404 bytes", [] { std::vector<char> host(404); cuMemcpyHtoDAsync(memory(400), host.data(), 404, one), cuCtxSynchronize(); }},
    {"arguments in the wrong order", "kernel sum: argument 0 is",
     [] {
         CUdeviceptr a = memory(400), total = memory(4);
         unsigned long long count = 100;
         void *arguments[] = {&count, &a, &total};
         cuLaunchKernel(function("sum"), 1, 1, 1, 128, 1, 1, 512, one, arguments, nullptr);
         cuCtxSynchronize();
     }},
    {"an argument that is not aligned", "is not aligned", [] { sum(memory(400) + 2, 10, memory(4), 128, 512), cuCtxSynchronize(); }},
    {"shared memory that was not granted", "more shared memory than was granted",
     [] { expect(sum(memory(400), 100, memory(4), 128, 49 << 10) == CUDA_ERROR_INVALID_VALUE, "refused"), abort(); }},
    {"more threads than the kernel allows", "too many threads",
     [] { expect(sum(memory(400), 100, memory(4), 256, 1024) == CUDA_ERROR_INVALID_VALUE, "refused"), abort(); }},
    {"less shared memory than is used", "thread", [] { sum(memory(400), 100, memory(4), 128, 256), cuCtxSynchronize(); }},
    {"a product past the end", "cuBLAS reads b",
     [] {
         cublasHandle_t blas;
         cublasCreate(&blas), cublasSetStream(blas, (cudaStream_t)one);
         const float factor = 1, none = 0;
         CUdeviceptr a = memory(64), b = memory(60), c = memory(64);
         cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &factor, (float *)a, 4, (float *)b, 4, &none, (float *)c, 4);
         cuCtxSynchronize();
     }},
    {"a missing wait", "a stream did not wait",
     [] {
         // Streams choose their haste when they are created; among many pairs one shows it.
         for (int i = 0; i < 40; i++) {
             DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
             DO(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
             CUdeviceptr a = memory(400, two), total = memory(4);
             DO(cuStreamSynchronize(two));
             DO(fill(a, 0, 100, 3, two));
             DO(sum(a, 100, total, 128, 512));
             if (value(total) != 300) fprintf(stderr, "a stream did not wait\n"), abort();
         }
     }},
    {"a use before the stream allocates", "not yet allocated",
     [] {
         for (int i = 0; i < 40; i++) {
             DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
             DO(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
             DO(fill(memory(400, two), 0, 100, 3, one));
             DO(cuStreamSynchronize(one));
         }
     }},
    {"a thread without a context", "without a context",
     [] {
         DO(cuCtxSetCurrent(nullptr));
         CUdeviceptr start = memory(4); // which the stream's context allows
         expect(cuMemsetD8Async(start, 0, 4, one) == CUDA_ERROR_INVALID_CONTEXT, "an error of a fill");
         DO(cuMemFreeAsync(start, one));
         expect(cuMemAllocAsync(&start, 4, nullptr) == CUDA_ERROR_INVALID_CONTEXT, "an error of an allocation");
         fprintf(stderr, "without a context\n"), abort();
     }},
    {"a wait", nullptr,
     [] {
         for (int i = 0; i < 40; i++) {
             DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
             DO(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
             CUevent event;
             DO(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
             CUdeviceptr a = memory(400, two), total = memory(4);
             DO(fill(a, 0, 100, 3, two));
             DO(cuEventRecord(event, two));
             DO(cuStreamWaitEvent(one, event, 0));
             DO(sum(a, 100, total, 128, 512));
             expect(value(total) == 300, "the sum");
         }
     }},
    {"page-locked memory that changes too early", "the copy came too late",
     [] {
         for (int i = 0; i < 40; i++) {
             DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
             void *host;
             DO(cuMemHostAlloc(&host, 4, 0));
             *(unsigned *)host = 5;
             CUdeviceptr a = memory(4);
             DO(cuMemcpyHtoDAsync(a, host, 4, one));
             *(unsigned *)host = 6;
             if (value(a) != 5) fprintf(stderr, "the copy came too late\n"), abort();
         }
     }},
};

int main(int, char **arguments) {
    setenv("EMULATED_STREAMS", "1", 1);
    setvbuf(stdout, nullptr, _IONBF, 0);
    int failures = 0;
    for (const Case &it : CASES) {
        int ends[2];
        expect(pipe(ends) == 0, "pipe");
        const pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], 2);
            start(arguments[1]);
            it.body();
            _exit(0);
        }
        close(ends[1]);
        std::string output;
        char part[1000];
        for (ssize_t count; (count = read(ends[0], part, sizeof(part))) > 0;) output.append(part, count);
        close(ends[0]);
        int status;
        waitpid(child, &status, 0);
        const bool found = it.report == nullptr ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                                                : !(WIFEXITED(status) && WEXITSTATUS(status) == 0) && output.find(it.report) != output.npos;
        printf("%-42s %s\n", it.name, found ? "as expected" : "FAILED");
        if (!found) printf("%s(status %d)\n", output.c_str(), status), failures++;
    }
    return failures != 0;
}
