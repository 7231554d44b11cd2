// cuRAND: generators that candle creates with each device. None of them is used.

#include <curand.h>

curandStatus_t curandCreateGenerator(curandGenerator_t *generator, curandRngType_t) {
    return *generator = (curandGenerator_t) new int, CURAND_STATUS_SUCCESS;
}
curandStatus_t curandDestroyGenerator(curandGenerator_t generator) { return delete (int *)generator, CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetStream(curandGenerator_t, cudaStream_t) { return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t, unsigned long long) { return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetGeneratorOffset(curandGenerator_t, unsigned long long) { return CURAND_STATUS_SUCCESS; }
