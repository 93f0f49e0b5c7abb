#include "transposition.h"

#include <string.h>

#include "dispatch.h"
#include "lanes.h"

#define FUNCTION(name) name##_plain
#define TARGET
#include "transposition_body.h"
#undef FUNCTION
#undef TARGET

#if defined(__x86_64__)

#define FUNCTION(name) name##_avx2
#define TARGET TARGET_AVX2
#include "transposition_body.h"
#undef FUNCTION
#undef TARGET

#define FUNCTION(name) name##_avx512
#define TARGET TARGET_AVX512
#include "transposition_body.h"
#undef FUNCTION
#undef TARGET

#endif

float detent_transpose(const float *source, size_t source_stride, size_t rows, size_t columns,
                       float *target, size_t target_stride) {
    return DISPATCH(transpose, source, source_stride, rows, columns, target, target_stride);
}
