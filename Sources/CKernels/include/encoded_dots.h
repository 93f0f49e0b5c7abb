#ifndef DETENT_ENCODED_DOTS_H
#define DETENT_ENCODED_DOTS_H

#include <stddef.h>

/* Dot products of encoded rows with floats; weights are decoded in registers, 32 at a time, and never
   written. The bits are those of detent_dot_rows on the decoded rows, for all instruction sets. Swift
   definitions: the formats in Sources/BlockFormats, and dotReference. */

/* out[r] = sum over i of decoded(rows + r * row_byte_count)[i] * x[i], for r below row_count. A row of
   blocks is whole blocks. */
#define DETENT_ENCODED_DOTS(format)                                                               \
    void detent_dot_rows_##format(const void *rows, size_t row_byte_count, size_t row_count,      \
                                  const float *x, size_t count, float *out);

DETENT_ENCODED_DOTS(f16)
DETENT_ENCODED_DOTS(bf16)
DETENT_ENCODED_DOTS(q4_K)
DETENT_ENCODED_DOTS(q6_K)

#endif
