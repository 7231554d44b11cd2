// Records every kernel and copy that a CUDA program runs, by CUPTI. The driver loads this library
// into a program whose environment names it as CUDA_INJECTION64_PATH; the records go to the file
// named by KERNEL_RECORDS, one a line: kind, begin and end in nanoseconds of the system clock,
// name. kernels.py compiles it.
#include <cupti.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUFFER (4u << 20)

static FILE *records;

static uint64_t system_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void CUPTIAPI requested(uint8_t **buffer, size_t *size, size_t *most) {
    *buffer = aligned_alloc(8, BUFFER);
    *size = *buffer ? BUFFER : 0;
    *most = 0;
}

static void CUPTIAPI completed(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid) {
    (void)context, (void)stream, (void)size;
    CUpti_Activity *record = NULL;
    while (valid && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
        if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL || record->kind == CUPTI_ACTIVITY_KIND_KERNEL) {
            const CUpti_ActivityKernel9 *kernel = (const CUpti_ActivityKernel9 *)record;
            fprintf(records, "kernel %llu %llu %s\n", (unsigned long long)kernel->start,
                    (unsigned long long)kernel->end, kernel->name);
        } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
            const CUpti_ActivityMemcpy6 *copy = (const CUpti_ActivityMemcpy6 *)record;
            fprintf(records, "copy %llu %llu kind%u %llu bytes\n", (unsigned long long)copy->start,
                    (unsigned long long)copy->end, copy->copyKind, (unsigned long long)copy->bytes);
        }
    }
    free(buffer);
}

static void finish(void) {
    cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    fclose(records);
}

// The driver calls this when the program starts to use CUDA.
int InitializeInjection(void) {
    const char *path = getenv("KERNEL_RECORDS");
    records = path ? fopen(path, "w") : NULL;
    if (!records) return 0;
    const int failed = cuptiActivityRegisterTimestampCallback(system_clock) != CUPTI_SUCCESS ||
                       cuptiActivityRegisterCallbacks(requested, completed) != CUPTI_SUCCESS ||
                       cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) != CUPTI_SUCCESS ||
                       cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY) != CUPTI_SUCCESS;
    if (failed) fprintf(stderr, "CUPTI records nothing\n");
    else atexit(finish);
    return !failed;
}
