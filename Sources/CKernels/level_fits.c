#include "level_fits.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

#define LANES 16

#define BODY "level_fits_body.h"
#include "variants.h"

void detent_level_sums(const float *x, const float *weights, size_t columns, size_t lanes,
                       const float *minimums, const float *inverse_scales,
                       const detent_levels *levels, float *sums) {
    DISPATCH(level_sums, x, weights, columns, lanes, minimums, inverse_scales, levels, sums);
}

void detent_level_errors(const float *x, const float *weights, size_t columns, size_t lanes,
                         const float *scales, const float *minimums, const float *inverse_scales,
                         const detent_levels *levels, float *errors) {
    DISPATCH(level_errors, x, weights, columns, lanes, scales, minimums, inverse_scales, levels,
             errors);
}

void detent_level_scales(const float *x, const float *weights, size_t columns, size_t lanes,
                         const float *targets, size_t target_count, const detent_levels *levels,
                         float *scales) {
    DISPATCH(level_scales, x, weights, columns, lanes, targets, target_count, levels, scales);
}

void detent_half_scales(const float *x, const float *weights, size_t columns, size_t lanes,
                        const float *targets, size_t target_count, size_t turns,
                        const detent_levels *levels, float *scales) {
    DISPATCH(half_scales, x, weights, columns, lanes, targets, target_count, turns, levels, scales);
}

void detent_level_codes(const float *x, const float *counts, size_t columns, size_t lanes,
                        const float *scales, const float *minimums, const float *inverse_scales,
                        const detent_levels *levels, int8_t *codes, float *squares,
                        float *errors) {
    DISPATCH(level_codes, x, counts, columns, lanes, scales, minimums, inverse_scales, levels, codes,
             squares, errors);
}

void detent_level_feedback(const float *x, const float *factor, const float *rates, size_t columns,
                           size_t lanes, const float *scales, const float *minimums,
                           const float *inverse_scales, const detent_levels *levels, float *out,
                           float *errors) {
    DISPATCH(level_feedback, x, factor, rates, columns, lanes, scales, minimums, inverse_scales,
             levels, out, errors);
}

void detent_add_lane_products(float *y, const float *factors, size_t stride, float sign,
                              const float *x, size_t rows, size_t lanes) {
    DISPATCH(add_lane_products, y, factors, stride, sign, x, rows, lanes);
}
