/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

/* Eight numbers of eight rows. x - x is zero for finite numbers only, and what is not zero stays in a sum. */
TARGET static inline floats_8 FUNCTION(transpose_block)(const float *source, size_t source_stride,
                                                        float *target, size_t target_stride) {
    floats_8 rows[8], pairs[8], quads[8], strangeness = {0};
    for (int r = 0; r < 8; r++) {
        memcpy(&rows[r], source + r * source_stride, sizeof rows[r]);
        strangeness += rows[r] - rows[r];
    }
    for (int r = 0; r < 8; r += 2) {
        pairs[r] = __builtin_shufflevector(rows[r], rows[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[r + 1] = __builtin_shufflevector(rows[r], rows[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int r = 0; r < 8; r += 4)
        for (int i = 0; i < 2; i++) {
            floats_8 a = pairs[r + i], b = pairs[r + i + 2];
            quads[r + 2 * i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
            quads[r + 2 * i + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        floats_8 a = quads[i], b = quads[i + 4];
        floats_8 low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        floats_8 high = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
        memcpy(target + i * target_stride, &low, sizeof low);
        memcpy(target + (i + 4) * target_stride, &high, sizeof high);
    }
    return strangeness;
}

TARGET static float FUNCTION(transpose)(const float *source, size_t source_stride, size_t rows,
                                        size_t columns, float *target, size_t target_stride) {
    floats_8 strangeness = {0};
    size_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
    for (size_t column = 0; column < whole_columns; column += 8)
        for (size_t row = 0; row < whole_rows; row += 8)
            strangeness += FUNCTION(transpose_block)(source + row * source_stride + column,
                                                     source_stride,
                                                     target + column * target_stride + row,
                                                     target_stride);
    float sum = 0;
    for (int i = 0; i < 8; i++) sum += strangeness[i];
    for (size_t row = 0; row < rows; row++)
        for (size_t column = row < whole_rows ? whole_columns : 0; column < columns; column++) {
            float x = source[row * source_stride + column];
            target[column * target_stride + row] = x;
            sum += x - x;
        }
    return sum;
}
