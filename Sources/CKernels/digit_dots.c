#include "digit_dots.h"

#include <math.h>

#include "dispatch.h"
#include "half.h"
#include "lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#pragma STDC FP_CONTRACT OFF

typedef uint8_t codes __attribute__((vector_size(64)));
typedef int8_t sixteen_bytes __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(64)));

static inline integers add_products_plain(integers sums, codes levels, const int8_t *digits) {
    for (int j = 0; j < 16; j++) {
        for (int k = 4 * j; k < 4 * j + 4; k++) sums[j] += levels[k] * digits[k];
    }
    return sums;
}

#if defined(__x86_64__)

/* The base instruction set has no halves. */
typedef uint16_t four_halves __attribute__((vector_size(8)));
static inline floats_4 four_singles(four_halves halves) {
    floats_4 singles;
    for (int j = 0; j < 4; j++) singles[j] = half_to_single(halves[j]);
    return singles;
}
#define FOUR_HALVES(halves) four_singles(halves)
#define ADD_PRODUCTS add_products_plain
#define FUNCTION(name) name##_plain
#define TARGET
#include "digit_dots_body.h"
#undef FOUR_HALVES
#undef ADD_PRODUCTS
#undef FUNCTION
#undef TARGET
#define four_halves four_float16

#endif

typedef _Float16 four_halves __attribute__((vector_size(8)));
#define FOUR_HALVES(halves) __builtin_convertvector(halves, floats_4)

#if defined(__x86_64__)

/* Codes are at most 255 and digits at most 64, so that two products fit 16 bits. */
TARGET_AVX2 static inline integers add_products_avx2(
    integers sums, codes levels, const int8_t *digits) {
    __m256i each[2], of_levels[2];
    memcpy(each, &sums, sizeof each);
    memcpy(of_levels, &levels, sizeof of_levels);
    for (int half = 0; half < 2; half++) {
        __m256i of_digits = _mm256_loadu_si256((const __m256i *)(digits + 32 * half));
        __m256i pairs = _mm256_maddubs_epi16(of_levels[half], of_digits);
        each[half] = _mm256_add_epi32(each[half], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    memcpy(&sums, each, sizeof each);
    return sums;
}

#define ADD_PRODUCTS add_products_avx2
#define FUNCTION(name) name##_avx2
#define TARGET TARGET_AVX2
#include "digit_dots_body.h"
#undef ADD_PRODUCTS
#undef FUNCTION
#undef TARGET

#define TARGET_VNNI __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,f16c")))

TARGET_VNNI static inline integers add_products_vnni(
    integers sums, codes levels, const int8_t *digits) {
    return (integers)_mm512_dpbusd_epi32(
        (__m512i)sums, (__m512i)levels, _mm512_loadu_si512(digits));
}

#define ADD_PRODUCTS add_products_vnni
#define FUNCTION(name) name##_vnni
#define TARGET TARGET_VNNI
#include "digit_dots_body.h"

#else

#define ADD_PRODUCTS add_products_plain
#define FUNCTION(name) name##_plain
#define TARGET
#include "digit_dots_body.h"

#endif

void detent_digits(const float *x, size_t count, detent_digit_group *groups) {
    memset(groups, 0, (count + 127) / 128 * sizeof *groups);
    DISPATCH_TO(vnni, "avx512vnni", digits, x, count, groups);
}

#define DISPATCHED(format)                                                                      \
    void detent_digit_dots_##format(const void *rows, size_t row_byte_count, size_t row_count,  \
                                    const detent_digit_group *x, size_t count, float *out) {    \
        DISPATCH_TO(vnni, "avx512vnni", digit_dots_##format, rows, row_byte_count, row_count, x,\
                    count, out);                                                                \
    }

DISPATCHED(q8_0)
DISPATCHED(q4_0)
