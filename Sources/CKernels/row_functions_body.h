/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

TARGET static inline float FUNCTION(exponential)(float x) {
    /* exp(x) = 2^n exp(r), |r| <= ln(2) / 2: reduction by Cody and Waite, then a polynomial. */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's last bits are n */
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float e = p * (r * r) + r + 1.0f;
    int bits;
    __builtin_memcpy(&bits, &e, 4);
    bits += (int)n << 23;
    __builtin_memcpy(&e, &bits, 4);
    return e;
}

TARGET static inline float FUNCTION(sum)(const float *lanes) {
    float eight[8], four[4];
    for (int i = 0; i < 8; i++) eight[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; i++) four[i] = eight[i] + eight[i + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

TARGET static float FUNCTION(maximum)(const float *x, size_t count) {
    float lanes[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = -__builtin_inff();
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++) lanes[j] = x[i + j] <= lanes[j] ? lanes[j] : x[i + j];
    for (size_t i = whole; i < count; i++) lanes[0] = x[i] <= lanes[0] ? lanes[0] : x[i];
    float result = -__builtin_inff();
    for (int j = 0; j < LANES; j++) result = lanes[j] <= result ? result : lanes[j];
    return result;
}

TARGET static float FUNCTION(exponentials)(float *x, float shift, size_t count) {
    float lanes[LANES] = {0};
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float e = FUNCTION(exponential)(x[i + j] - shift);
            x[i + j] = e;
            lanes[j] += e;
        }
    for (size_t i = whole; i < count; i++) {
        x[i] = FUNCTION(exponential)(x[i] - shift);
        lanes[i - whole] += x[i];
    }
    return FUNCTION(sum)(lanes);
}

TARGET static double FUNCTION(exponential_sum)(const float *x, float shift, size_t count) {
    double total = 0;
    for (size_t start = 0; start < count; start += 1024) { /* floats drift over a vocabulary */
        size_t end = start + 1024 < count ? start + 1024 : count;
        float lanes[LANES] = {0};
        size_t i = start;
        for (; i + LANES <= end; i += LANES)
            for (int j = 0; j < LANES; j++)
                lanes[j] += FUNCTION(exponential)(x[i + j] - shift);
        for (size_t j = 0; i < end; i++, j++) lanes[j] += FUNCTION(exponential)(x[i] - shift);
        total += FUNCTION(sum)(lanes);
    }
    return total;
}

TARGET static double FUNCTION(divergence)(const float *reference, float a, const float *model,
                                          float b, size_t count) {
    double total = 0;
    for (size_t start = 0; start < count; start += 1024) {
        size_t end = start + 1024 < count ? start + 1024 : count;
        float lanes[LANES] = {0};
        size_t i = start;
        for (; i + LANES <= end; i += LANES)
            for (int j = 0; j < LANES; j++) {
                float p = reference[i + j] - a, q = model[i + j] - b;
                lanes[j] += FUNCTION(exponential)(p) * (p - q);
            }
        for (size_t j = 0; i < end; i++, j++) {
            float p = reference[i] - a, q = model[i] - b;
            lanes[j] += FUNCTION(exponential)(p) * (p - q);
        }
        total += FUNCTION(sum)(lanes);
    }
    return total;
}

TARGET static void FUNCTION(silu_product)(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++)
        gate[i] = gate[i] / (1.0f + FUNCTION(exponential)(-gate[i])) * up[i];
}
