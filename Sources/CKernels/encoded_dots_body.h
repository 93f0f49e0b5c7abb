/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

#include "lanes_body.h"

TARGET static inline float FUNCTION(half)(const uint8_t *bytes) {
    half_bits bits;
    memcpy(&bits, bytes, sizeof bits);
    return HALF_TO_FLOAT(bits);
}

/* 32 weights from position i on, i a multiple of 32. */

TARGET static inline floats_32 FUNCTION(decode_f16)(const uint8_t *row, size_t i) {
    half_lanes halves;
    memcpy(&halves, row + 2 * i, sizeof halves);
    return HALVES_TO_LANES(halves);
}

TARGET static inline floats_32 FUNCTION(decode_bf16)(const uint8_t *row, size_t i) {
    short_lanes upper;
    memcpy(&upper, row + 2 * i, sizeof upper);
    return (floats_32)(__builtin_convertvector(upper, word_lanes) << 16);
}

TARGET static inline floats_32 FUNCTION(decode_q4_K)(const uint8_t *row, size_t i) {
    const uint8_t *block = row + i / 256 * 144, *fields = block + 4;
    size_t part = i % 256 / 32;
    int scale = fields[part] & 63, minimum = fields[part + 4] & 63;
    if (part > 3) {
        scale = (fields[part + 4] & 15) | (fields[part - 4] & 0xC0) >> 2;
        minimum = fields[part + 4] >> 4 | (fields[part] & 0xC0) >> 2;
    }
    byte_lanes codes;
    memcpy(&codes, block + 16 + part / 2 * 32, sizeof codes);
    codes = (part % 2 ? codes >> 4 : codes) & 15;
    return __builtin_convertvector(codes, floats_32) * (FUNCTION(half)(block) * (float)scale) -
           FUNCTION(half)(block + 2) * (float)minimum;
}

TARGET static inline floats_32 FUNCTION(decode_q6_K)(const uint8_t *row, size_t i) {
    const uint8_t *block = row + i / 256 * 210;
    size_t part = i % 256 / 32, half = part / 4;
    byte_lanes low, high;
    memcpy(&low, block + half * 64 + part % 2 * 32, sizeof low);
    memcpy(&high, block + 128 + half * 32, sizeof high);
    low = (part % 4 < 2 ? low : low >> 4) & 15;
    high = (high >> (char)(part % 4 * 2)) & 3;
    float unit = FUNCTION(half)(block + 208);
    floats_32 scale = {0}, later = {0};
    scale += unit * (float)(int8_t)block[192 + 2 * part];
    later += unit * (float)(int8_t)block[193 + 2 * part];
    scale = __builtin_shufflevector(
        scale, later, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 48, 49, 50, 51, 52, 53, 54,
        55, 56, 57, 58, 59, 60, 61, 62, 63);
    return scale * __builtin_convertvector((low | high << 4) - 32, floats_32);
}

/* One row after the other, so that memory is read in the order in which it lies, as prefetching wants it.
   `rest` elements behind the last 32, decoded to floats, go to the first lanes. */
#define DOT_ROWS(format)                                                                           \
    TARGET static void FUNCTION(dot_rows_##format)(                                                \
        const void *rows, size_t row_byte_count, size_t row_count, const float *x, size_t count,   \
        float *out) {                                                                              \
        size_t whole = count / LANES * LANES, rest = count - whole;                                \
        for (size_t r = 0; r < row_count; r++) {                                                   \
            const uint8_t *row = (const uint8_t *)rows + r * row_byte_count;                       \
            floats_32 sums = {0}, part = {0};                                                      \
            for (size_t i = 0; i < whole; i += LANES) {                                            \
                memcpy(&part, x + i, sizeof part);                                                 \
                sums += FUNCTION(decode_##format)(row, i) * part;                                  \
            }                                                                                      \
            if (rest > 0) {                                                                        \
                uint8_t end[2 * LANES] = {0};                                                      \
                memset(&part, 0, sizeof part);                                                     \
                memcpy(end, row + 2 * whole, 2 * rest);                                            \
                memcpy(&part, x + whole, rest * sizeof(float));                                    \
                sums += FUNCTION(decode_##format)(end, 0) * part;                                  \
            }                                                                                      \
            out[r] = FUNCTION(total_of_32)(sums);                                                  \
        }                                                                                          \
    }

DOT_ROWS(f16)
DOT_ROWS(bf16)
DOT_ROWS(q4_K)
DOT_ROWS(q6_K)

#undef DOT_ROWS
