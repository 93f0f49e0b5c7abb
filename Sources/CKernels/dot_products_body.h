/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

#include "lanes_body.h"

TARGET static float FUNCTION(dot)(const float *a, const float *b, size_t count) {
    floats_32 sums = {0}, of_a, of_b;
    size_t whole = count / 32 * 32, rest = count - whole;
    for (size_t i = 0; i < whole; i += 32) {
        memcpy(&of_a, a + i, sizeof of_a);
        memcpy(&of_b, b + i, sizeof of_b);
        sums += of_a * of_b;
    }
    for (size_t i = 0; i < rest; i++) sums[i] += a[whole + i] * b[whole + i];
    return FUNCTION(total_of_32)(sums);
}

TARGET static void FUNCTION(dot_rows)(const float *rows, size_t stride, size_t row_count,
                                      const float *x, size_t count, float scale, float *out) {
    for (size_t r = 0; r < row_count; r++)
        out[r] = scale * FUNCTION(dot)(rows + r * stride, x, count);
}

TARGET static void FUNCTION(add_scaled_rows)(const float *rows, size_t stride, size_t row_count,
                                             const float *factors, float scale, size_t count,
                                             float *out) {
    size_t whole = count / 32 * 32;
    for (size_t i = 0; i < whole; i += 32) { /* sums stay in registers for all rows */
        floats_32 sums, row;
        memcpy(&sums, out + i, sizeof sums);
        for (size_t r = 0; r < row_count; r++) {
            memcpy(&row, rows + r * stride + i, sizeof row);
            sums += (scale * factors[r]) * row;
        }
        memcpy(out + i, &sums, sizeof sums);
    }
    for (size_t i = whole; i < count; i++) {
        for (size_t r = 0; r < row_count; r++) out[i] += scale * factors[r] * rows[r * stride + i];
    }
}
