#ifndef DETENT_LEVEL_FITS_H
#define DETENT_LEVEL_FITS_H

#include <stddef.h>

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

#endif
