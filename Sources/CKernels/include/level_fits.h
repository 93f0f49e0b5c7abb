#ifndef DETENT_LEVEL_FITS_H
#define DETENT_LEVEL_FITS_H

#include <stddef.h>
#include <stdint.h>

/* What weights cost on a grid of levels, for many blocks at once. A lane is a block: numbers of a
   column lie side by side, `lanes` of them, a multiple of 16. All instruction sets give the same
   bits: no product is fused with an addition, and each lane adds column after column. Swift
   definitions: Sources/BlockFormats/LevelRounding.swift and BlockSums.swift. */

/* The levels that weights may have: all whole numbers from lowest to highest, or, where there are
   steps, lowest and after it one more for each midpoint that lies below, each higher than the one
   before it by its height. */
typedef struct {
    float lowest, highest;
    size_t step_count;
    const float *midpoints, *heights;
} detent_levels;

/* x and weights: (columns, lanes). A weight's level is the nearest to (x - minimum) * inverse_scale.
   sums: (3, lanes), the sums of w l, w l l and w l x over columns. */
void detent_level_sums(const float *x, const float *weights, size_t columns, size_t lanes,
                       const float *minimums, const float *inverse_scales,
                       const detent_levels *levels, float *sums);

/* Adds to errors, one per lane, the sum of w (scale l + minimum - x)^2 over columns. */
void detent_level_errors(const float *x, const float *weights, size_t columns, size_t lanes,
                         const float *scales, const float *minimums, const float *inverse_scales,
                         const detent_levels *levels, float *errors);

/* Without minimums: for each target the levels at which a block's weight of largest magnitude falls
   there, and the scale that suits them best. scales receives, one per lane, the one of these that
   costs least, the first of equals, or 0. */
void detent_level_scales(const float *x, const float *weights, size_t columns, size_t lanes,
                         const float *targets, size_t target_count, const detent_levels *levels,
                         float *scales);

/* The same where scales are stored as halves: each candidate is rounded to one before it is judged, and
   the best of them takes turns with the levels that it gives. NaN and infinities aside. */
void detent_half_scales(const float *x, const float *weights, size_t columns, size_t lanes,
                        const float *targets, size_t target_count, size_t turns,
                        const detent_levels *levels, float *scales);

/* Rounds weights to levels of magnitude up to 128: codes, (columns, lanes), receives them. With the
   count of each column c, adds to squares and errors, one per lane, the sums of c x x and of
   c (x - scale l - minimum)^2. */
void detent_level_codes(const float *x, const float *counts, size_t columns, size_t lanes,
                        const float *scales, const float *minimums, const float *inverse_scales,
                        const detent_levels *levels, int8_t *codes, float *squares, float *errors);

/* Rounds one column after the other and takes what that costs out of the columns after it.

   x, out: (columns, lanes). factor: (columns, columns), of which the part above the diagonal is
   read; rates: one for each column. With e = (x - rounded) * rate of a column, the columns k after
   it lose factor[column, k] e. out receives the levels, errors, one per lane, the sum of e e. */
void detent_level_feedback(const float *x, const float *factor, const float *rates, size_t columns,
                           size_t lanes, const float *scales, const float *minimums,
                           const float *inverse_scales, const detent_levels *levels, float *out,
                           float *errors);

/* Adds sign factors[r stride] x to each row r of y. x: (lanes), a multiple of 16; y: (rows, lanes). */
void detent_add_lane_products(float *y, const float *factors, size_t stride, float sign,
                              const float *x, size_t rows, size_t lanes);

#endif
