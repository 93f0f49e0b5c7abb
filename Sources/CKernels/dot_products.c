#include "dot_products.h"

#include <string.h>

#include "dispatch.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

#define BODY "dot_products_body.h"
#include "variants.h"

void detent_dot_rows(const float *rows, size_t stride, size_t row_count, const float *x,
                     size_t count, float scale, float *out) {
    DISPATCH(dot_rows, rows, stride, row_count, x, count, scale, out);
}

void detent_add_scaled_rows(const float *rows, size_t stride, size_t row_count, const float *factors,
                            float scale, size_t count, float *out) {
    DISPATCH(add_scaled_rows, rows, stride, row_count, factors, scale, count, out);
}
