/* Included once for each width and instruction set, with FUNCTION, TARGET, INTEGER, UNSIGNED and LARGEST
   defined.
   Loops over lanes have no branches, so that the compiler turns them into vector instructions. */

TARGET static inline void FUNCTION(exchange)(INTEGER *restrict low, INTEGER *restrict high) {
    for (int lane = 0; lane < LANES; lane++) {
        INTEGER a = low[lane], b = high[lane];
        low[lane] = a < b ? a : b;
        high[lane] = a < b ? b : a;
    }
}

/* Sorts each lane by itself: merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2 M), which
   compares the same places whatever stands there. */
TARGET static void FUNCTION(sort)(INTEGER *rows, size_t count) {
    size_t top = 1;
    while (top * 2 < count) top *= 2;
    for (size_t p = top; p > 0; p /= 2) {
        size_t q = top, r = 0, d = p;
        for (;;) {
            for (size_t i = 0; i + d < count; i++)
                if ((i & p) == r) FUNCTION(exchange)(rows + i * LANES, rows + (i + d) * LANES);
            if (q == p) break;
            d = q - p;
            q /= 2;
            r = p;
        }
    }
}

TARGET static void FUNCTION(palettes)(const void *elements, size_t stride, size_t count, void *scratch,
                                      uint32_t *restrict distinct, uint8_t *restrict tables,
                                      uint8_t *restrict codes) {
    INTEGER *restrict rows = scratch;
    for (size_t lane = 0; lane < LANES; lane++) {
        const uint8_t *group = (const uint8_t *)elements + lane * stride;
        for (size_t i = 0; i < count; i++)
            memcpy(&rows[i * LANES + lane], group + i * sizeof(INTEGER), sizeof(INTEGER));
    }
    FUNCTION(sort)(rows, count);

    /* All but the first of equal values become the largest integer, and move behind the others. */
    INTEGER counts[LANES], last[LANES], largest[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        counts[lane] = 1;
        last[lane] = rows[lane];
        largest[lane] = rows[(count - 1) * LANES + lane];
    }
    for (size_t i = 1; i < count; i++) {
        INTEGER *row = rows + i * LANES;
        for (int lane = 0; lane < LANES; lane++) {
            INTEGER value = row[lane];
            row[lane] = value == last[lane] ? LARGEST : value;
            /* Stays below 18, so that it fits. */
            counts[lane] += (value != last[lane]) & (counts[lane] <= SIZE);
            last[lane] = value;
        }
    }
    FUNCTION(sort)(rows, count);
    for (int lane = 0; lane < LANES; lane++) last[lane] = 0;
    for (int i = 0; i < SIZE; i++) {
        INTEGER *restrict row = rows + i * LANES;
        const INTEGER number = (INTEGER)i;
        UNSIGNED differences[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            INTEGER value = row[lane];
            row[lane] = counts[lane] > number ? value : largest[lane];
        }
        for (int lane = 0; lane < LANES; lane++) {
            differences[lane] = (UNSIGNED)((UNSIGNED)row[lane] - (UNSIGNED)last[lane]);
            last[lane] = row[lane];
        }
        for (size_t byte = 0; byte < sizeof(INTEGER); byte++, tables += LANES)
            for (int lane = 0; lane < LANES; lane++)
                tables[lane] = (uint8_t)(differences[lane] >> 8 * byte);
    }

    for (size_t lane = 0; lane < LANES; lane++) {
        const uint8_t *group = (const uint8_t *)elements + lane * stride;
        distinct[lane] = (uint32_t)counts[lane];
        /* An element's number is that of the values below it. */
        for (size_t start = 0; start < count; start += MULTIPLE, codes += MULTIPLE / 2) {
            INTEGER some[MULTIPLE], numbers[MULTIPLE] = {0};
            memcpy(some, group + start * sizeof(INTEGER), sizeof some);
            for (int i = 0; i < SIZE; i++) {
                INTEGER value = rows[i * LANES + lane];
                for (int j = 0; j < MULTIPLE; j++) numbers[j] += value < some[j];
            }
            uint8_t bytes[MULTIPLE];
            uint16_t pairs[MULTIPLE / 2];
            for (int j = 0; j < MULTIPLE; j++) bytes[j] = (uint8_t)numbers[j];
            memcpy(pairs, bytes, sizeof pairs);
            for (int j = 0; j < MULTIPLE / 2; j++) codes[j] = (uint8_t)(pairs[j] | pairs[j] >> 4);
        }
    }
}
