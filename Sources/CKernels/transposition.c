#include "transposition.h"

#include <string.h>

#include "dispatch.h"
#include "lanes.h"

#define BODY "transposition_body.h"
#include "variants.h"

float detent_transpose(const float *source, size_t source_stride, size_t rows, size_t columns,
                       float *target, size_t target_stride) {
    return DISPATCH(transpose, source, source_stride, rows, columns, target, target_stride);
}
