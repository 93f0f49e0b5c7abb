#ifndef DETENT_DIGIT_DOTS_H
#define DETENT_DIGIT_DOTS_H

#include <stddef.h>
#include <stdint.h>

/* Dot products of blocks of integers with numbers in block floating point, in integer arithmetic. The bits are
   the same for all instruction sets. Swift definitions: BlockFloats. */

/* 128 numbers, as integers of 20 bits and sign; 32 have a unit in common. An integer is in three digits of base 128,
   -64 to 64, the highest first. Of a block of 32, the two halves are apart: the first halves of four blocks,
   then the second ones. */
typedef struct {
    int8_t digits[3][2][64];
    /* The sum of the eight integers that a lane stands for: of block j / 4, those at j % 4 * 4 and the three behind
       it in both halves. */
    int32_t sums[16];
    /* Of each lane. */
    float units[16];
} detent_digit_group;

/* `count` numbers, a multiple of 32, as groups; what is left of the last one is zero. A block with a number that
   is not finite has a unit that is not a number. */
void detent_digits(const float *x, size_t count, detent_digit_group *groups);

/* out[r] = sum over i of decoded(rows + r * row_byte_count)[i] * x[i], for r below row_count. */
#define DETENT_DIGIT_DOTS(format)                                                                \
    void detent_digit_dots_##format(const void *rows, size_t row_byte_count, size_t row_count,   \
                                    const detent_digit_group *x, size_t count, float *out);

DETENT_DIGIT_DOTS(q8_0)
DETENT_DIGIT_DOTS(q4_0)

#endif
