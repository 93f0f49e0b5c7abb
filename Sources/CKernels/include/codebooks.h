#ifndef DETENT_CODEBOOKS_H
#define DETENT_CODEBOOKS_H

#include <stddef.h>

/* Searches over all vectors of a codebook. `columns` is (dimension, entry), its rows `stride` apart;
   counts are multiples of 32, dimensions 4 or 8. All instruction sets give the same bits: no product is
   fused with an addition. Swift definitions: Sources/BlockFormats/CodebookSums.swift. (Written with
   Swift's SIMD types the searches take four times as long: they are compiled for SSE2 alone.) */

/* squares[e] = sum over i of weights[i] * v[i]^2 for entry v. */
void detent_codebook_squares(const float *columns, size_t stride, size_t count, size_t dimensions,
                             const float *weights, float *squares);
/* products[e] = sum over i of targets[i] * v[i]; flipped[e], where it is not null, that less twice the
   smallest targets[i] * v[i]. */
void detent_codebook_products(const float *columns, size_t stride, size_t count, size_t dimensions,
                              const float *targets, float *products, float *flipped);
/* The entry with the least scale * squares - 2 * products, the first of equals; 0 if all are NaN. */
size_t detent_codebook_nearest(const float *squares, const float *products, size_t count,
                               float scale, float *cost);
/* The entry with the least sum over i of v[i] * (sum over j from i on of form[i][j] * v[j] -
   linear[i]), the first of equals. form is (dimensions, dimensions), read on and above its diagonal. */
size_t detent_codebook_least(const float *columns, size_t stride, size_t count, size_t dimensions,
                             const float *form, const float *linear, float *cost);

#endif
