/* Included once for each instruction set, with FUNCTION(name) and TARGET defined. */

TARGET static inline __attribute__((always_inline)) void FUNCTION(round_to_levels)(
    const float *x, const float *minimums, const float *inverse_scales,
    const detent_levels *levels, float *out) {
    float lowest = levels->lowest, highest = levels->highest;
    if (levels->step_count == 0) {
        for (int j = 0; j < LANES; j++) {
            float steps = (x[j] - minimums[j]) * inverse_scales[j];
            float above = steps > lowest ? steps : lowest;
            float inside = above < highest ? above : highest;
            out[j] = (inside + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: its last place is 1 */
        }
        return;
    }
    float steps[LANES], level[LANES];
    for (int j = 0; j < LANES; j++) {
        steps[j] = (x[j] - minimums[j]) * inverse_scales[j];
        level[j] = lowest;
    }
    for (size_t s = 0; s < levels->step_count; s++) {
        float midpoint = levels->midpoints[s], height = levels->heights[s];
        for (int j = 0; j < LANES; j++) level[j] += steps[j] > midpoint ? height : 0.0f;
    }
    for (int j = 0; j < LANES; j++) out[j] = level[j];
}

TARGET static void FUNCTION(level_sums)(const float *x, const float *weights, size_t columns,
                                        size_t lanes, const float *minimums,
                                        const float *inverse_scales, const detent_levels *levels,
                                        float *sums) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float minimum[LANES], inverse[LANES], l[LANES] = {0}, ll[LANES] = {0}, lx[LANES] = {0};
        for (int j = 0; j < LANES; j++) {
            minimum[j] = minimums[lane + j];
            inverse[j] = inverse_scales[lane + j];
        }
        for (size_t column = 0; column < columns; column++) {
            const float *value = x + column * lanes + lane;
            const float *weight = weights + column * lanes + lane;
            float level[LANES];
            FUNCTION(round_to_levels)(value, minimum, inverse, levels, level);
            for (int j = 0; j < LANES; j++) {
                float weighted = weight[j] * level[j];
                l[j] += weighted;
                ll[j] += weighted * level[j];
                lx[j] += weighted * value[j];
            }
        }
        for (int j = 0; j < LANES; j++) {
            sums[lane + j] = l[j];
            sums[lanes + lane + j] = ll[j];
            sums[2 * lanes + lane + j] = lx[j];
        }
    }
}

TARGET static void FUNCTION(level_errors)(const float *x, const float *weights, size_t columns,
                                          size_t lanes, const float *scales,
                                          const float *minimums, const float *inverse_scales,
                                          const detent_levels *levels, float *errors) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float scale[LANES], minimum[LANES], inverse[LANES], sum[LANES];
        for (int j = 0; j < LANES; j++) {
            scale[j] = scales[lane + j];
            minimum[j] = minimums[lane + j];
            inverse[j] = inverse_scales[lane + j];
            sum[j] = 0.0f;
        }
        for (size_t column = 0; column < columns; column++) {
            const float *value = x + column * lanes + lane;
            const float *weight = weights + column * lanes + lane;
            float level[LANES];
            FUNCTION(round_to_levels)(value, minimum, inverse, levels, level);
            for (int j = 0; j < LANES; j++) {
                float error = scale[j] * level[j] + minimum[j] - value[j];
                sum[j] += weight[j] * error * error;
            }
        }
        for (int j = 0; j < LANES; j++) errors[lane + j] += sum[j];
    }
}

TARGET static void FUNCTION(level_feedback)(const float *x, const float *factor,
                                            const float *rates, size_t columns, size_t lanes,
                                            const float *scales, const float *minimums,
                                            const float *inverse_scales,
                                            const detent_levels *levels, float *out,
                                            float *errors) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float scale[LANES], minimum[LANES], inverse[LANES], sum[LANES], error[LANES];
        for (int j = 0; j < LANES; j++) {
            scale[j] = scales[lane + j];
            minimum[j] = minimums[lane + j];
            inverse[j] = inverse_scales[lane + j];
            sum[j] = 0.0f;
        }
        for (size_t column = 0; column < columns; column++) {
            const float *value = x + column * lanes + lane;
            float *work = out + column * lanes + lane;
            for (int j = 0; j < LANES; j++) work[j] = value[j];
        }
        for (size_t column = 0; column < columns; column++) {
            float *work = out + column * lanes + lane, rate = rates[column], level[LANES];
            FUNCTION(round_to_levels)(work, minimum, inverse, levels, level);
            for (int j = 0; j < LANES; j++) {
                error[j] = (work[j] - (scale[j] * level[j] + minimum[j])) * rate;
                sum[j] += error[j] * error[j];
                work[j] = level[j];
            }
            for (size_t later = column + 1; later < columns; later++) {
                float share = factor[column * columns + later], *rest = out + later * lanes + lane;
                for (int j = 0; j < LANES; j++) rest[j] -= share * error[j];
            }
        }
        for (int j = 0; j < LANES; j++) errors[lane + j] = sum[j];
    }
}
