#include "float_conversion.h"

#include "dispatch.h"
#include "half.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint16_t single_to_half(float single) {
    uint32_t bits;
    memcpy(&bits, &single, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t rest = bits & 0x7FFFFFFF;
    if (rest > 0x7F800000) return sign | 0x7E00 | (uint16_t)(rest >> 13 & 0x3FF);
    if (rest >= 0x477FF000) return sign | 0x7C00; /* 65520 and more round to infinity */
    if (rest < 0x38800000) { /* subnormal: let the adder round at 2^-24 */
        float magnitude;
        memcpy(&magnitude, &rest, 4);
        magnitude += 0.5f; /* ulp(0.5) is 2^-24 */
        memcpy(&rest, &magnitude, 4);
        return sign | (uint16_t)(rest - 0x3F000000);
    }
    rest += 0xFFF + (rest >> 13 & 1) - 0x38000000;
    return sign | (uint16_t)(rest >> 13);
}

static void f16_to_f32_plain(const uint16_t *half, float *single, size_t count) {
    for (size_t i = 0; i < count; i++) single[i] = half_to_single(half[i]);
}

static void f32_to_f16_plain(const float *single, uint16_t *half, size_t count) {
    for (size_t i = 0; i < count; i++) half[i] = single_to_half(single[i]);
}

#if defined(__x86_64__)

__attribute__((target("avx,f16c")))
static void f16_to_f32_f16c(const uint16_t *half, float *single, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(single + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(half + i))));
    f16_to_f32_plain(half + i, single + i, count - i);
}

__attribute__((target("avx,f16c")))
static void f32_to_f16_f16c(const float *single, uint16_t *half, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((__m128i *)(half + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(single + i), _MM_FROUND_TO_NEAREST_INT));
    f32_to_f16_plain(single + i, half + i, count - i);
}

void detent_f16_to_f32(const uint16_t *half, float *single, size_t count) {
    if (__builtin_cpu_supports("f16c")) f16_to_f32_f16c(half, single, count);
    else f16_to_f32_plain(half, single, count);
}

void detent_f32_to_f16(const float *single, uint16_t *half, size_t count) {
    if (__builtin_cpu_supports("f16c")) f32_to_f16_f16c(single, half, count);
    else f32_to_f16_plain(single, half, count);
}

#else

/* NEON's conversions are part of the base instruction set of 64-bit ARM; the compiler uses them. */
void detent_f16_to_f32(const uint16_t *half, float *single, size_t count) {
#if defined(__aarch64__)
    const __fp16 *source = (const __fp16 *)half;
    for (size_t i = 0; i < count; i++) single[i] = (float)source[i];
#else
    f16_to_f32_plain(half, single, count);
#endif
}

void detent_f32_to_f16(const float *single, uint16_t *half, size_t count) {
#if defined(__aarch64__)
    __fp16 *target = (__fp16 *)half;
    for (size_t i = 0; i < count; i++) target[i] = (__fp16)single[i];
#else
    f32_to_f16_plain(single, half, count);
#endif
}

#endif

/* A NaN stays one, for rounding could carry it to infinity, and becomes quiet. */
#define F32_TO_BF16                                                                     \
    for (size_t i = 0; i < count; i++) {                                                \
        uint32_t bits;                                                                  \
        memcpy(&bits, single + i, 4);                                                   \
        uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1);                            \
        uint16_t half =                                                                 \
            ((bits & 0x7FFFFFFF) > 0x7F800000 ? bits | 0x00400000 : rounded) >> 16;     \
        memcpy(upper + i, &half, 2);                                                    \
    }

static void f32_to_bf16_plain(const float *single, uint16_t *upper, size_t count) { F32_TO_BF16 }

#if defined(__x86_64__)
TARGET_AVX2 static void f32_to_bf16_avx2(const float *single, uint16_t *upper, size_t count) {
    F32_TO_BF16
}

TARGET_AVX512 static void f32_to_bf16_avx512(const float *single, uint16_t *upper, size_t count) {
    F32_TO_BF16
}
#endif

void detent_f32_to_bf16(const float *single, uint16_t *upper, size_t count) {
    DISPATCH(f32_to_bf16, single, upper, count);
}
