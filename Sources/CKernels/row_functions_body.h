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

/* A NaN stays, whichever of the two it is. */
TARGET static inline float FUNCTION(larger)(float a, float b) {
    return ((b > a) | (b != b)) ? b : a;
}

TARGET static float FUNCTION(maximum)(const float *x, size_t count) {
    float lanes[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = -__builtin_inff();
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            lanes[j] = FUNCTION(larger)(lanes[j], x[i + j]);
    for (size_t i = whole; i < count; i++) lanes[0] = FUNCTION(larger)(lanes[0], x[i]);
    float result = -__builtin_inff();
    for (int j = 0; j < LANES; j++) result = FUNCTION(larger)(result, lanes[j]);
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

TARGET static void FUNCTION(silu)(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] / (1.0f + FUNCTION(exponential)(-x[i]));
}

TARGET static void FUNCTION(gelu_sigmoid)(float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] / (1.0f + FUNCTION(exponential)(-1.702f * x[i]));
}

TARGET static void FUNCTION(gelu_tanh)(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)), which does not cancel; 1.59... = 2 sqrt(2 / pi) */
        float u = 1.59576912f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        x[i] = x[i] / (1.0f + FUNCTION(exponential)(-u));
    }
}

TARGET static void FUNCTION(gelu)(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float a = x[i] < 0.0f ? -x[i] : x[i];
        /* The normal distribution's tail beyond a is exp(-a a / 2) g(a). A polynomial in
           t = 1 / (1 + 0.21 a) has g with a relative error below 1.4e-8 for all a up to 13. */
        float t = 1.0f / (1.0f + 0.21f * a);
        float g = -7.203385416e-2f;
        g = g * t + 2.854528100e-1f;
        g = g * t + -3.341884751e-1f;
        g = g * t + 3.540323322e-1f;
        g = g * t + -9.724481667e-2f;
        g = g * t + 1.263547708e-1f;
        g = g * t + 6.879013656e-2f;
        g = g * t + 8.512939444e-2f;
        g = g * t + 8.370770374e-2f;
        float tail = g * t * FUNCTION(exponential)(-0.5f * a * a);
        x[i] = x[i] * (x[i] < 0.0f ? tail : 1.0f - tail);
    }
}

TARGET static void FUNCTION(softcap)(float *x, float cap, size_t count) {
    float inverse = 1.0f / cap;
    for (size_t i = 0; i < count; i++) {
        float r = x[i] * inverse;
        float a = r < 0.0f ? -r : r;
        float z = r * r;
        /* tanh by a polynomial where the exponentials would cancel, error below 5e-9 */
        float p = -5.666873025e-3f;
        p = p * z + 2.060608696e-2f;
        p = p * z + -5.372998084e-2f;
        p = p * z + 1.333133070e-1f;
        p = p * z + -3.333327805e-1f;
        float near = r + r * z * p;
        float far = 1.0f - 2.0f / (FUNCTION(exponential)(2.0f * a) + 1.0f);
        x[i] = cap * (a < 0.625f ? near : r < 0.0f ? -far : far);
    }
}
