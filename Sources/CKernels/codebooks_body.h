/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

TARGET static inline __attribute__((always_inline)) void FUNCTION(squares)(
    const float *columns, size_t stride, size_t count, const size_t dimensions,
    const float *weights, float *squares) {
    for (size_t e = 0; e < count; e += LANES) {
        float square[LANES] = {0};
        for (size_t i = 0; i < dimensions; i++) {
            const float *v = columns + i * stride + e;
            for (size_t j = 0; j < LANES; j++) square[j] += weights[i] * (v[j] * v[j]);
        }
        for (size_t j = 0; j < LANES; j++) squares[e + j] = square[j];
    }
}

TARGET static void FUNCTION(codebook_squares)(const float *columns, size_t stride, size_t count,
                                              size_t dimensions, const float *weights,
                                              float *squares) {
    if (dimensions == 8) FUNCTION(squares)(columns, stride, count, 8, weights, squares);
    else FUNCTION(squares)(columns, stride, count, 4, weights, squares);
}

TARGET static inline __attribute__((always_inline)) void FUNCTION(products)(
    const float *columns, size_t stride, size_t count, const size_t dimensions,
    const float *targets, float *products) {
    for (size_t e = 0; e < count; e += LANES) {
        float product[LANES] = {0};
        for (size_t i = 0; i < dimensions; i++) {
            const float *v = columns + i * stride + e;
            for (size_t j = 0; j < LANES; j++) product[j] += targets[i] * v[j];
        }
        for (size_t j = 0; j < LANES; j++) products[e + j] = product[j];
    }
}

TARGET static inline __attribute__((always_inline)) void FUNCTION(flipped)(
    const float *columns, size_t stride, size_t count, const size_t dimensions,
    const float *targets, const float *products, float *flipped) {
    for (size_t e = 0; e < count; e += LANES) {
        float least[LANES];
        for (size_t j = 0; j < LANES; j++) least[j] = INFINITY;
        for (size_t i = 0; i < dimensions; i++) {
            const float *v = columns + i * stride + e;
            for (size_t j = 0; j < LANES; j++) {
                float term = targets[i] * v[j];
                least[j] = term < least[j] ? term : least[j];
            }
        }
        for (size_t j = 0; j < LANES; j++) flipped[e + j] = products[e + j] - 2 * least[j];
    }
}

TARGET static void FUNCTION(codebook_products)(const float *columns, size_t stride, size_t count,
                                               size_t dimensions, const float *targets,
                                               float *products, float *flipped) {
    if (dimensions == 8) {
        FUNCTION(products)(columns, stride, count, 8, targets, products);
        if (flipped) FUNCTION(flipped)(columns, stride, count, 8, targets, products, flipped);
    } else {
        FUNCTION(products)(columns, stride, count, 4, targets, products);
        if (flipped) FUNCTION(flipped)(columns, stride, count, 4, targets, products, flipped);
    }
}

/* The first of the lanes' least. */
TARGET static inline __attribute__((always_inline)) size_t FUNCTION(first_least)(
    const float *best, const int *place, float *cost) {
    size_t winner = 0;
    for (size_t j = 1; j < LANES; j++) {
        size_t entry = (size_t)place[j] + j, other = (size_t)place[winner] + winner;
        if (best[j] < best[winner] || (best[j] == best[winner] && entry < other)) winner = j;
    }
    *cost = best[winner];
    return best[winner] < INFINITY ? (size_t)place[winner] + winner : 0;
}

TARGET static size_t FUNCTION(codebook_nearest)(const float *squares, const float *products,
                                                size_t count, float scale, float *cost) {
    float best[LANES];
    int place[LANES] = {0};
    for (size_t j = 0; j < LANES; j++) best[j] = INFINITY;
    for (size_t e = 0; e < count; e += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            float value = scale * squares[e + j] - 2 * products[e + j];
            int closer = value < best[j];
            best[j] = closer ? value : best[j];
            place[j] = closer ? (int)e : place[j];
        }
    }
    return FUNCTION(first_least)(best, place, cost);
}

TARGET static inline __attribute__((always_inline)) size_t FUNCTION(least)(
    const float *columns, size_t stride, size_t count, const size_t dimensions, const float *form,
    const float *linear, float *cost) {
    float best[LANES];
    int place[LANES] = {0};
    for (size_t j = 0; j < LANES; j++) best[j] = INFINITY;
    for (size_t e = 0; e < count; e += LANES) {
        float value[LANES] = {0};
        for (size_t i = 0; i < dimensions; i++) {
            float slope[LANES];
            for (size_t j = 0; j < LANES; j++) slope[j] = -linear[i];
            for (size_t k = i; k < dimensions; k++) {
                const float *v = columns + k * stride + e;
                for (size_t j = 0; j < LANES; j++) slope[j] += form[i * dimensions + k] * v[j];
            }
            const float *v = columns + i * stride + e;
            for (size_t j = 0; j < LANES; j++) value[j] += slope[j] * v[j];
        }
        for (size_t j = 0; j < LANES; j++) {
            int closer = value[j] < best[j];
            best[j] = closer ? value[j] : best[j];
            place[j] = closer ? (int)e : place[j];
        }
    }
    return FUNCTION(first_least)(best, place, cost);
}

TARGET static size_t FUNCTION(codebook_least)(const float *columns, size_t stride, size_t count,
                                              size_t dimensions, const float *form,
                                              const float *linear, float *cost) {
    if (dimensions == 8) return FUNCTION(least)(columns, stride, count, 8, form, linear, cost);
    return FUNCTION(least)(columns, stride, count, 4, form, linear, cost);
}
