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

TARGET static void FUNCTION(add_scaled)(float *out, const float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] += factor * x[i];
}
