/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

TARGET static float FUNCTION(dot)(const float *a, const float *b, size_t count) {
    float lanes[LANES] = {0};
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++) lanes[j] += a[i + j] * b[i + j];
    for (size_t i = whole; i < count; i++) lanes[i - whole] += a[i] * b[i];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

TARGET static void FUNCTION(dot_rows)(const float *rows, size_t stride, size_t row_count,
                                      const float *x, size_t count, float scale, float *out) {
    for (size_t r = 0; r < row_count; r++)
        out[r] = scale * FUNCTION(dot)(rows + r * stride, x, count);
}

TARGET static void FUNCTION(add_scaled)(float *out, const float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] += factor * x[i];
}
