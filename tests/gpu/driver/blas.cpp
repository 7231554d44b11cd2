// cuBLAS: products as plain loops, with sums in f32; of 8-bit integers in 64 bits.

#include "device.h"

#include <cublas_v2.h>

#include <cstring>

namespace {

using namespace device;

struct Handle {
    CUstream stream = nullptr;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
    cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
};

float widen_f16(uint16_t bits) {
    _Float16 value;
    memcpy(&value, &bits, 2);
    return value;
}

uint16_t narrow_f16(float value) {
    const _Float16 half = value;
    uint16_t bits;
    memcpy(&bits, &half, 2);
    return bits;
}

float widen_bf16(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

uint16_t narrow_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (value != value) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

size_t bytes_of(cudaDataType_t type) {
    switch (type) {
    case CUDA_R_8I: return 1;
    case CUDA_R_16F:
    case CUDA_R_16BF: return 2;
    case CUDA_R_32F:
    case CUDA_R_32I: return 4;
    case CUDA_R_64F: return 8;
    default: fail("cuBLAS: type %d is not emulated", type);
    }
}

double get(const void *at, size_t i, cudaDataType_t type) {
    switch (type) {
    case CUDA_R_8I: return ((const int8_t *)at)[i];
    case CUDA_R_16F: return widen_f16(((const uint16_t *)at)[i]);
    case CUDA_R_16BF: return widen_bf16(((const uint16_t *)at)[i]);
    case CUDA_R_32F: return ((const float *)at)[i];
    case CUDA_R_32I: return ((const int32_t *)at)[i];
    default: return ((const double *)at)[i];
    }
}

void set(void *at, size_t i, cudaDataType_t type, double value) {
    switch (type) {
    case CUDA_R_8I: ((int8_t *)at)[i] = value; break;
    case CUDA_R_16F: ((uint16_t *)at)[i] = narrow_f16(value); break;
    case CUDA_R_16BF: ((uint16_t *)at)[i] = narrow_bf16(value); break;
    case CUDA_R_32F: ((float *)at)[i] = value; break;
    case CUDA_R_32I: ((int32_t *)at)[i] = value; break;
    default: ((double *)at)[i] = value;
    }
}

struct Matrix {
    char *start;
    cudaDataType_t type;
    int rows, columns, lead; // by columns
    long long stride;

    void check(int batches, const char *use) const {
        if (rows == 0 || columns == 0 || batches == 0) return;
        const size_t one = (size_t)lead * (columns - 1) + rows;
        check_device(start, (stride * (batches - 1) + one) * bytes_of(type), use);
        if (stride < 0) fail("cuBLAS: a negative stride");
    }
};

struct Product {
    int m, n, k, batches;
    bool transposed_a, transposed_b;
    double alpha, beta;
    Matrix a, b, c;
    bool in_integers;
};

template <typename Sum> void multiply(const Product &it) {
    const size_t m = it.m, n = it.n, k = it.k;
    // A by columns and B by columns, as the sums below read them.
    std::vector<Sum> a(m * k), b(k * n), sums(m);
    for (int batch = 0; batch < it.batches; batch++) {
        const auto part = [&](const Matrix &all) { return all.start + batch * all.stride * bytes_of(all.type); };
        for (size_t i = 0; i < m; i++)
            for (size_t l = 0; l < k; l++) a[l * m + i] = get(part(it.a), it.transposed_a ? i * it.a.lead + l : l * it.a.lead + i, it.a.type);
        for (size_t j = 0; j < n; j++)
            for (size_t l = 0; l < k; l++) b[j * k + l] = get(part(it.b), it.transposed_b ? l * it.b.lead + j : j * it.b.lead + l, it.b.type);
        for (size_t j = 0; j < n; j++) {
            std::fill(sums.begin(), sums.end(), Sum(0));
            for (size_t l = 0; l < k; l++) {
                const Sum factor = b[j * k + l];
                const Sum *column = &a[l * m];
                for (size_t i = 0; i < m; i++) sums[i] += column[i] * factor;
            }
            for (size_t i = 0; i < m; i++) {
                const size_t at = j * it.c.lead + i;
                // With a beta of 0 what was there is not read, not even NaN.
                const double before = it.beta == 0 ? 0 : it.beta * get(part(it.c), at, it.c.type);
                set(part(it.c), at, it.c.type, it.alpha * sums[i] + before);
            }
        }
    }
}

double scalar(const void *at, cublasComputeType_t type, cudaDataType_t of_scalar) {
    (void)type;
    return get(at, 0, of_scalar);
}

cublasStatus_t product(cublasHandle_t name, cublasOperation_t on_a, cublasOperation_t on_b, int m, int n, int k, const void *alpha,
                       Matrix a, Matrix b, const void *beta, Matrix c, int batches, cublasComputeType_t compute) {
    Guard guard(device::lock);
    const Handle &handle = *(Handle *)name;
    if (m < 0 || n < 0 || k < 0 || batches < 0) return CUBLAS_STATUS_INVALID_VALUE;
    if (handle.pointers != CUBLAS_POINTER_MODE_HOST) fail("cuBLAS: factors on the device are not emulated");
    cudaDataType_t factors = CUDA_R_32F;
    if (compute == CUBLAS_COMPUTE_16F) factors = CUDA_R_16F;
    if (compute == CUBLAS_COMPUTE_64F) factors = CUDA_R_64F;
    if (compute == CUBLAS_COMPUTE_32I) factors = CUDA_R_32I;
    const bool integers = compute == CUBLAS_COMPUTE_32I;
    if (integers != (a.type == CUDA_R_8I) || a.type != b.type) return CUBLAS_STATUS_NOT_SUPPORTED;
    // As the manual demands of the kernels for 8 bits.
    if (integers && (a.lead % 4 != 0 || b.lead % 4 != 0 || (uintptr_t)a.start % 4 != 0 || (uintptr_t)b.start % 4 != 0))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    Product it = {m, n, k, batches, on_a != CUBLAS_OP_N, on_b != CUBLAS_OP_N, scalar(alpha, compute, factors),
                  scalar(beta, compute, factors), a, b, c, integers};
    it.a.rows = it.transposed_a ? k : m, it.a.columns = it.transposed_a ? m : k;
    it.b.rows = it.transposed_b ? n : k, it.b.columns = it.transposed_b ? k : n;
    it.c.rows = m, it.c.columns = n;
    for (const Matrix *matrix : {&it.a, &it.b, &it.c})
        if (matrix->lead < std::max(1, matrix->rows)) return CUBLAS_STATUS_INVALID_VALUE;
    if (m == 0 || n == 0 || batches == 0) return CUBLAS_STATUS_SUCCESS;
    enqueue(handle.stream, [=] {
        it.a.check(it.batches, "cuBLAS reads a");
        it.b.check(it.batches, "cuBLAS reads b");
        it.c.check(it.batches, "cuBLAS writes c");
        if (it.a.type == CUDA_R_64F || it.in_integers) multiply<double>(it);
        else multiply<float>(it);
    });
    return CUBLAS_STATUS_SUCCESS;
}

Matrix matrix(const void *start, cudaDataType_t type, int lead, long long stride = 0) { return {(char *)start, type, 0, 0, lead, stride}; }

} // namespace

cublasStatus_t cublasCreate(cublasHandle_t *handle) { return *handle = (cublasHandle_t) new Handle, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasDestroy(cublasHandle_t handle) { return delete (Handle *)handle, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
    return ((Handle *)handle)->stream = (CUstream)stream, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t *stream) {
    return *stream = (cudaStream_t)((Handle *)handle)->stream, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) { return ((Handle *)handle)->math = mode, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode) { return *mode = ((Handle *)handle)->math, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
    return ((Handle *)handle)->pointers = mode, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetPointerMode(cublasHandle_t handle, cublasPointerMode_t *mode) {
    return *mode = ((Handle *)handle)->pointers, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *start, size_t bytes) {
    check_device(start, bytes, "cuBLAS's workspace");
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetVersion(cublasHandle_t, int *version) { return *version = 130000, CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t on_a, cublasOperation_t on_b, int m, int n, int k,
                                          const void *alpha, const void *a, cudaDataType_t type_a, int lead_a, long long stride_a,
                                          const void *b, cudaDataType_t type_b, int lead_b, long long stride_b, const void *beta, void *c,
                                          cudaDataType_t type_c, int lead_c, long long stride_c, int batches, cublasComputeType_t compute,
                                          cublasGemmAlgo_t) {
    return product(handle, on_a, on_b, m, n, k, alpha, matrix(a, type_a, lead_a, stride_a), matrix(b, type_b, lead_b, stride_b), beta,
                   matrix(c, type_c, lead_c, stride_c), batches, compute);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t on_a, cublasOperation_t on_b, int m, int n, int k, const void *alpha,
                            const void *a, cudaDataType_t type_a, int lead_a, const void *b, cudaDataType_t type_b, int lead_b,
                            const void *beta, void *c, cudaDataType_t type_c, int lead_c, cublasComputeType_t compute, cublasGemmAlgo_t) {
    return product(handle, on_a, on_b, m, n, k, alpha, matrix(a, type_a, lead_a), matrix(b, type_b, lead_b), beta,
                   matrix(c, type_c, lead_c), 1, compute);
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t on_a, cublasOperation_t on_b, int m, int n, int k, const float *alpha,
                           const float *a, int lead_a, const float *b, int lead_b, const float *beta, float *c, int lead_c) {
    return cublasGemmEx(handle, on_a, on_b, m, n, k, alpha, a, CUDA_R_32F, lead_a, b, CUDA_R_32F, lead_b, beta, c, CUDA_R_32F, lead_c,
                        CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t on_a, cublasOperation_t on_b, int m, int n, int k,
                                         const float *alpha, const float *a, int lead_a, long long stride_a, const float *b, int lead_b,
                                         long long stride_b, const float *beta, float *c, int lead_c, long long stride_c, int batches) {
    return cublasGemmStridedBatchedEx(handle, on_a, on_b, m, n, k, alpha, a, CUDA_R_32F, lead_a, stride_a, b, CUDA_R_32F, lead_b, stride_b,
                                      beta, c, CUDA_R_32F, lead_c, stride_c, batches, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}
