#include "encoded_dots.h"

#include "dispatch.h"
#include "half.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

#define LANES 32

typedef uint32_t word_lanes __attribute__((vector_size(LANES * 4)));
typedef uint16_t short_lanes __attribute__((vector_size(LANES * 2)));
typedef int8_t byte_lanes __attribute__((vector_size(LANES)));

#if defined(__x86_64__)

/* The base instruction set has no halves. */
#define half_bits uint16_t
#define HALF_TO_FLOAT(bits) half_to_single(bits)
#define half_lanes short_lanes
static inline floats_32 halves_to_lanes(short_lanes halves) {
    floats_32 singles;
    for (int j = 0; j < LANES; j++) singles[j] = half_to_single(halves[j]);
    return singles;
}
#define HALVES_TO_LANES(halves) halves_to_lanes(halves)
#define FUNCTION(name) name##_plain
#define TARGET
#include "encoded_dots_body.h"
#undef FUNCTION
#undef TARGET
#undef half_bits
#undef half_lanes
#undef HALF_TO_FLOAT
#undef HALVES_TO_LANES

#endif

typedef _Float16 half_lanes __attribute__((vector_size(LANES * 2)));
#define half_bits _Float16
#define HALF_TO_FLOAT(half) ((float)(half))
#define HALVES_TO_LANES(halves) __builtin_convertvector(halves, floats_32)

#if defined(__x86_64__)

#define FUNCTION(name) name##_avx2
#define TARGET TARGET_AVX2
#include "encoded_dots_body.h"
#undef FUNCTION
#undef TARGET

#define FUNCTION(name) name##_avx512
#define TARGET TARGET_AVX512
#include "encoded_dots_body.h"
#undef FUNCTION
#undef TARGET

#else

#define FUNCTION(name) name##_plain
#define TARGET
#include "encoded_dots_body.h"

#endif

#define DISPATCHED(format)                                                                      \
    void detent_dot_rows_##format(const void *rows, size_t row_byte_count, size_t row_count,    \
                                  const float *x, size_t count, float *out) {                   \
        DISPATCH(dot_rows_##format, rows, row_byte_count, row_count, x, count, out);            \
    }

DISPATCHED(f16)
DISPATCHED(bf16)
DISPATCHED(q4_K)
DISPATCHED(q6_K)
