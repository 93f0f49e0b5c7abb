#ifndef DETENT_TRANSPOSITION_H
#define DETENT_TRANSPOSITION_H

#include <stddef.h>

/* target[c * target_stride + r] = source[r * source_stride + c], for r below rows and c below columns. Returns zero if
   all of the numbers are finite, and otherwise a number that is not one. Swift definition: transposeReference in
   Sources/Kernels/Transposition.swift. (Written with Swift's SIMD4, eight numbers take the time of sixteen.) */
float detent_transpose(const float *source, size_t source_stride, size_t rows, size_t columns,
                       float *target, size_t target_stride);

#endif
