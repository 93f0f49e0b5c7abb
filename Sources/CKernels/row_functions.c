#include "row_functions.h"

#pragma STDC FP_CONTRACT OFF

#define LANES 16

#define FUNCTION(name) name##_plain
#define TARGET
#include "row_functions_body.h"
#undef FUNCTION
#undef TARGET

#if defined(__x86_64__)

#define FUNCTION(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#include "row_functions_body.h"
#undef FUNCTION
#undef TARGET

#define FUNCTION(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,prefer-256-bit")))
#include "row_functions_body.h"
#undef FUNCTION
#undef TARGET

#define DISPATCH(name, ...)                                                      \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&  \
     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")    \
         ? name##_avx512(__VA_ARGS__)                                            \
         : __builtin_cpu_supports("avx2") ? name##_avx2(__VA_ARGS__)             \
                                          : name##_plain(__VA_ARGS__))

#else

/* On 64-bit ARM the compiler vectorizes the plain loops with NEON, which every such CPU has. */
#define DISPATCH(name, ...) name##_plain(__VA_ARGS__)

#endif

float detent_maximum(const float *x, size_t count) { return DISPATCH(maximum, x, count); }

float detent_exponentials(float *x, float shift, size_t count) {
    return DISPATCH(exponentials, x, shift, count);
}

double detent_exponential_sum(const float *x, float shift, size_t count) {
    return DISPATCH(exponential_sum, x, shift, count);
}

double detent_divergence(const float *reference, float a, const float *model, float b,
                         size_t count) {
    return DISPATCH(divergence, reference, a, model, b, count);
}

void detent_silu_product(float *gate, const float *up, size_t count) {
    DISPATCH(silu_product, gate, up, count);
}
