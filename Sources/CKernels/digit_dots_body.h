/* Included once for each instruction set, with FUNCTION(name), TARGET and ADD_PRODUCTS defined. */

#include "lanes_body.h"

TARGET static void FUNCTION(digits)(const float *x, size_t count, detent_digit_group *groups) {
    for (size_t block = 0; block < count / 32; block++, x += 32) {
        detent_digit_group *group = groups + block / 4;
        size_t place = block % 4 * 16;
        floats_16 numbers[2];
        memcpy(numbers, x, sizeof numbers);
        integers magnitudes = __builtin_elementwise_max((integers)numbers[0] & 0x7FFFFFFF,
                                                        (integers)numbers[1] & 0x7FFFFFFF);
        int32_t exponent = __builtin_reduce_max(magnitudes) >> 23;
        if (exponent < 27) exponent = 27; /* a unit of 2^-119 */
        float unit = NAN, inverse = 0;
        if (exponent < 255) {
            int32_t unit_bits = (exponent - 19) << 23, inverse_bits = (273 - exponent) << 23;
            memcpy(&unit, &unit_bits, sizeof unit);
            memcpy(&inverse, &inverse_bits, sizeof inverse);
        } else {
            memset(numbers, 0, sizeof numbers);
        }
        integers sums = {0};
        for (int half = 0; half < 2; half++) {
            /* Adding 1.5 * 2^23 rounds to the nearest integer, ties to even. */
            integers whole = (integers)(numbers[half] * inverse + 0x1.8p23f) - 0x4B400000;
            integers low = ((whole + 64) & 127) - 64, rest = (whole - low) >> 7;
            integers middle = ((rest + 64) & 127) - 64;
            sixteen_bytes digits[3] = {
                __builtin_convertvector((rest - middle) >> 7, sixteen_bytes),
                __builtin_convertvector(middle, sixteen_bytes),
                __builtin_convertvector(low, sixteen_bytes)};
            for (int digit = 0; digit < 3; digit++)
                memcpy(&group->digits[digit][half][place], &digits[digit], sizeof digits[digit]);
            sums += whole;
        }
        sums += __builtin_shufflevector(sums, sums, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12,
                                        15, 14);
        sums += __builtin_shufflevector(sums, sums, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15,
                                        12, 13);
        for (int j = 0; j < 4; j++) {
            group->sums[place / 4 + j] = sums[4 * j];
            group->units[place / 4 + j] = unit;
        }
    }
}

/* 16 bytes of each of four blocks. */
TARGET static inline codes FUNCTION(gather)(const uint8_t *const blocks[4], size_t offset) {
    uint8_t each[64];
    for (int block = 0; block < 4; block++) memcpy(each + 16 * block, blocks[block] + offset, 16);
    codes all;
    memcpy(&all, each, sizeof all);
    return all;
}

TARGET static inline void FUNCTION(unpack_q8_0)(const uint8_t *const blocks[4], codes halves[2]) {
    halves[0] = FUNCTION(gather)(blocks, 2) ^ 128;
    halves[1] = FUNCTION(gather)(blocks, 18) ^ 128;
}

TARGET static inline void FUNCTION(unpack_q4_0)(const uint8_t *const blocks[4], codes halves[2]) {
    codes pairs = FUNCTION(gather)(blocks, 2);
    halves[0] = pairs & 15;
    halves[1] = pairs >> 4;
}

/* What four blocks, each a scale and codes, add to the sixteen sums of a row: a code is its level and 2^excess. */
TARGET static inline floats_16 FUNCTION(products)(
    const uint8_t *const blocks[4], const codes halves[2], int excess,
    const detent_digit_group *x) {
    integers sums = {0};
    for (int digit = 0; digit < 3; digit++) {
        sums = sums << 7;
        sums = ADD_PRODUCTS(sums, halves[0], x->digits[digit][0]);
        sums = ADD_PRODUCTS(sums, halves[1], x->digits[digit][1]);
    }
    integers of_x;
    memcpy(&of_x, x->sums, sizeof of_x);
    floats_16 units;
    memcpy(&units, x->units, sizeof units);
    four_halves bits;
    for (int block = 0; block < 4; block++) memcpy((char *)&bits + 2 * block, blocks[block], 2);
    floats_4 each = FOUR_HALVES(bits);
    floats_16 scales =
        __builtin_shufflevector(each, each, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return __builtin_convertvector(sums - (of_x << excess), floats_16) * (scales * units);
}

#define DIGIT_DOTS(format, size, excess)                                                         \
    TARGET static void FUNCTION(digit_dots_##format)(                                            \
        const void *rows, size_t row_byte_count, size_t row_count, const detent_digit_group *x,  \
        size_t count, float *out) {                                                              \
        size_t whole = count / 128, rest = count % 128 / 32;                                     \
        static const uint8_t nothing[size];                                                      \
        for (size_t r = 0; r < row_count; r++) {                                                 \
            const uint8_t *row = (const uint8_t *)rows + r * row_byte_count;                     \
            floats_16 sums = {0};                                                                    \
            codes halves[2];                                                                     \
            for (size_t g = 0; g < whole; g++, row += 4 * size) {                                \
                const uint8_t *blocks[4] = {row, row + size, row + 2 * size, row + 3 * size};    \
                FUNCTION(unpack_##format)(blocks, halves);                                       \
                sums += FUNCTION(products)(blocks, halves, excess, x + g);                       \
            }                                                                                    \
            if (rest > 0) {                                                                      \
                const uint8_t *blocks[4] = {row, rest > 1 ? row + size : nothing,                \
                                            rest > 2 ? row + 2 * size : nothing, nothing};       \
                FUNCTION(unpack_##format)(blocks, halves);                                       \
                sums += FUNCTION(products)(blocks, halves, excess, x + whole);                   \
            }                                                                                    \
            out[r] = FUNCTION(total_of_16)(sums);                                                        \
        }                                                                                        \
    }

DIGIT_DOTS(q8_0, 34, 7)
DIGIT_DOTS(q4_0, 18, 3)

#undef DIGIT_DOTS
