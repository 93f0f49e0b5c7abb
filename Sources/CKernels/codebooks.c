#include "codebooks.h"

#include <math.h>

#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

#define LANES 32

#define BODY "codebooks_body.h"
#include "variants.h"

void detent_codebook_squares(const float *columns, size_t stride, size_t count, size_t dimensions,
                             const float *weights, float *squares) {
    DISPATCH(codebook_squares, columns, stride, count, dimensions, weights, squares);
}

void detent_codebook_products(const float *columns, size_t stride, size_t count, size_t dimensions,
                              const float *targets, float *products, float *flipped) {
    DISPATCH(codebook_products, columns, stride, count, dimensions, targets, products, flipped);
}

size_t detent_codebook_nearest(const float *squares, const float *products, size_t count,
                               float scale, float *cost) {
    return DISPATCH(codebook_nearest, squares, products, count, scale, cost);
}

size_t detent_codebook_least(const float *columns, size_t stride, size_t count, size_t dimensions,
                             const float *form, const float *linear, float *cost) {
    return DISPATCH(codebook_least, columns, stride, count, dimensions, form, linear, cost);
}
