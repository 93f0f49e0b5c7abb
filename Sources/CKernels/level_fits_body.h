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

/* The weighted sums of levels, their squares and their products with the weights, in one run of lanes. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(add_level_sums)(
    const float *x, const float *weights, size_t columns, size_t lanes, const float *minimums,
    const float *inverse_scales, const detent_levels *levels, float *l, float *ll, float *lx) {
    for (size_t column = 0; column < columns; column++) {
        const float *value = x + column * lanes, *weight = weights + column * lanes;
        float level[LANES];
        FUNCTION(round_to_levels)(value, minimums, inverse_scales, levels, level);
        for (int j = 0; j < LANES; j++) {
            float weighted = weight[j] * level[j];
            l[j] += weighted;
            ll[j] += weighted * level[j];
            lx[j] += weighted * value[j];
        }
    }
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
        FUNCTION(add_level_sums)(x + lane, weights + lane, columns, lanes, minimum, inverse, levels, l,
                                 ll, lx);
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

/* The value of largest magnitude and the weighted sum of squares of each lane, both 0 before. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(add_extremes)(
    const float *x, const float *weights, size_t columns, size_t lanes, float *extreme, float *xx) {
    for (size_t column = 0; column < columns; column++) {
        const float *value = x + column * lanes, *weight = weights + column * lanes;
        for (int j = 0; j < LANES; j++) {
            extreme[j] = fabsf(value[j]) > fabsf(extreme[j]) ? value[j] : extreme[j];
            xx[j] += weight[j] * value[j] * value[j];
        }
    }
}

TARGET static void FUNCTION(level_scales)(const float *x, const float *weights, size_t columns,
                                          size_t lanes, const float *targets, size_t target_count,
                                          const detent_levels *levels, float *scales) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float minimum[LANES] = {0}, extreme[LANES] = {0}, xx[LANES] = {0};
        float lowest[LANES], best[LANES] = {0};
        FUNCTION(add_extremes)(x + lane, weights + lane, columns, lanes, extreme, xx);
        for (int j = 0; j < LANES; j++) {
            lowest[j] = INFINITY;
            extreme[j] = fabsf(extreme[j]) < FLT_MIN ? 0.0f : 1.0f / extreme[j];
        }
        for (size_t target = 0; target < target_count; target++) {
            float inverse[LANES], l[LANES] = {0}, ll[LANES] = {0}, lx[LANES] = {0};
            for (int j = 0; j < LANES; j++) inverse[j] = targets[target] * extreme[j];
            FUNCTION(add_level_sums)(x + lane, weights + lane, columns, lanes, minimum, inverse, levels,
                                     l, ll, lx);
            for (int j = 0; j < LANES; j++) {
                float scale = lx[j] / (ll[j] > 0.0f ? ll[j] : 1.0f);
                float error = xx[j] - scale * lx[j];
                best[j] = error < lowest[j] ? scale : best[j];
                lowest[j] = error < lowest[j] ? error : lowest[j];
            }
        }
        for (int j = 0; j < LANES; j++) scales[lane + j] = best[j];
    }
}

/* Rounds to the nearest finite halves, ties to even, and NaN to 0. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(round_to_halves)(float *values) {
    for (int j = 0; j < LANES; j++) {
        float value = values[j], limit = 65504.0f;
        float above = value > -limit ? value : -limit;
        float inside = value == value ? (above < limit ? above : limit) : 0.0f;
        uint32_t bits, half, rounded;
        memcpy(&bits, &inside, 4);
        uint32_t rest = bits & 0x7FFFFFFF;
        float magnitude;
        memcpy(&magnitude, &rest, 4);
        float subnormal = (magnitude + 0.5f) - 0.5f; /* ulp(0.5) is 2^-24 */
        memcpy(&half, &subnormal, 4);
        rounded = (rest + 0xFFF + (rest >> 13 & 1)) & ~0x1FFFu;
        half = (rest < 0x38800000 ? half : rounded) | (bits & 0x80000000);
        memcpy(&values[j], &half, 4);
    }
}

/* add_level_sums without minimums and without the sum of levels, for two scales at a time: one of them alone waits
   for its sums longer than it computes. Where no weight comes to lie beyond the levels, which are whole numbers
   then, nothing need be clamped. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(add_scale_sums)(
    const float *x, const float *weights, size_t columns, size_t lanes,
    const float (*inverse_scales)[LANES], const detent_levels *levels, int is_inside,
    float (*ll)[LANES], float (*lx)[LANES]) {
    const float zeros[LANES] = {0};
    for (size_t column = 0; column < columns; column++) {
        const float *value = x + column * lanes, *weight = weights + column * lanes;
        for (int scale = 0; scale < 2; scale++) {
            float level[LANES];
            if (is_inside) {
                for (int j = 0; j < LANES; j++)
                    level[j] = (value[j] * inverse_scales[scale][j] + 12582912.0f) - 12582912.0f;
            } else {
                FUNCTION(round_to_levels)(value, zeros, inverse_scales[scale], levels, level);
            }
            for (int j = 0; j < LANES; j++) {
                float weighted = weight[j] * level[j];
                ll[scale][j] += weighted * level[j];
                lx[scale][j] += weighted * value[j];
            }
        }
    }
}

TARGET static void FUNCTION(half_scales)(const float *x, const float *weights, size_t columns,
                                         size_t lanes, const float *targets, size_t target_count,
                                         size_t turns, const detent_levels *levels, float *scales) {
    const float zeros[LANES] = {0};
    float end = -levels->lowest < levels->highest ? -levels->lowest : levels->highest;
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float extreme[LANES] = {0}, xx[LANES] = {0}, lowest[LANES], best[LANES] = {0};
        float scale[LANES], inverse[LANES];
        int is_tame = levels->step_count == 0;
        FUNCTION(add_extremes)(x + lane, weights + lane, columns, lanes, extreme, xx);
        for (int j = 0; j < LANES; j++) {
            lowest[j] = INFINITY;
            /* Below, a target times the inverse may be infinite. */
            is_tame &= extreme[j] == 0.0f || fabsf(extreme[j]) > 1e-30f;
            extreme[j] = fabsf(extreme[j]) < FLT_MIN ? 0.0f : 1.0f / extreme[j];
        }
        for (size_t target = 0; target < target_count; target += 2) {
            /* The last of an odd number is tried twice. */
            float pair[2] = {targets[target], targets[target + 1 < target_count ? target + 1 : target]};
            float inverses[2][LANES], ll[2][LANES] = {{0}}, lx[2][LANES] = {{0}};
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < LANES; j++) inverses[i][j] = pair[i] * extreme[j];
            if (is_tame && fabsf(pair[0]) < end + 0.25f && fabsf(pair[1]) < end + 0.25f)
                FUNCTION(add_scale_sums)(x + lane, weights + lane, columns, lanes, inverses, levels, 1, ll, lx);
            else
                FUNCTION(add_scale_sums)(x + lane, weights + lane, columns, lanes, inverses, levels, 0, ll, lx);
            for (int i = 0; i < 2; i++) {
                for (int j = 0; j < LANES; j++)
                    scale[j] = ll[i][j] > 0.0f ? lx[i][j] / ll[i][j] : 0.0f;
                FUNCTION(round_to_halves)(scale);
                for (int j = 0; j < LANES; j++) {
                    float error =
                        scale[j] * scale[j] * ll[i][j] - 2.0f * scale[j] * lx[i][j] + xx[j];
                    best[j] = error < lowest[j] ? scale[j] : best[j];
                    lowest[j] = error < lowest[j] ? error : lowest[j];
                }
            }
        }
        for (int j = 0; j < LANES; j++) {
            scale[j] = best[j];
            lowest[j] = INFINITY;
        }
        for (size_t turn = 0; turn < turns; turn++) {
            float ll[LANES] = {0}, lx[LANES] = {0}, errors[LANES] = {0};
            for (int j = 0; j < LANES; j++)
                inverse[j] = fabsf(scale[j]) < FLT_MIN ? 0.0f : 1.0f / scale[j];
            for (size_t column = 0; column < columns; column++) {
                const float *value = x + column * lanes + lane;
                const float *weight = weights + column * lanes + lane;
                float level[LANES];
                FUNCTION(round_to_levels)(value, zeros, inverse, levels, level);
                for (int j = 0; j < LANES; j++) {
                    float error = scale[j] * level[j] - value[j], weighted = weight[j] * level[j];
                    errors[j] += weight[j] * error * error;
                    ll[j] += weighted * level[j];
                    lx[j] += weighted * value[j];
                }
            }
            for (int j = 0; j < LANES; j++) {
                best[j] = errors[j] < lowest[j] ? scale[j] : best[j];
                lowest[j] = errors[j] < lowest[j] ? errors[j] : lowest[j];
                scale[j] = ll[j] > 0.0f ? lx[j] / ll[j] : scale[j];
            }
            FUNCTION(round_to_halves)(scale);
        }
        for (int j = 0; j < LANES; j++) scales[lane + j] = best[j];
    }
}

TARGET static void FUNCTION(level_codes)(const float *x, const float *counts, size_t columns,
                                         size_t lanes, const float *scales, const float *minimums,
                                         const float *inverse_scales, const detent_levels *levels,
                                         int8_t *codes, float *squares, float *errors) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float scale[LANES], minimum[LANES], inverse[LANES], square[LANES], loss[LANES];
        for (int j = 0; j < LANES; j++) {
            scale[j] = scales[lane + j];
            minimum[j] = minimums[lane + j];
            inverse[j] = inverse_scales[lane + j];
            square[j] = squares[lane + j];
            loss[j] = errors[lane + j];
        }
        for (size_t column = 0; column < columns; column++) {
            const float *value = x + column * lanes + lane;
            int8_t *code = codes + column * lanes + lane;
            float count = counts[column], level[LANES];
            FUNCTION(round_to_levels)(value, minimum, inverse, levels, level);
            for (int j = 0; j < LANES; j++) {
                float error = value[j] - (scale[j] * level[j] + minimum[j]);
                square[j] += count * (value[j] * value[j]);
                loss[j] += count * (error * error);
                code[j] = (int8_t)(int32_t)level[j];
            }
        }
        for (int j = 0; j < LANES; j++) {
            squares[lane + j] = square[j];
            errors[lane + j] = loss[j];
        }
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

TARGET static void FUNCTION(add_lane_products)(float *y, const float *factors, size_t stride,
                                               float sign, const float *x, size_t rows,
                                               size_t lanes) {
    for (size_t lane = 0; lane < lanes; lane += LANES) {
        float value[LANES];
        for (int j = 0; j < LANES; j++) value[j] = x[lane + j];
        for (size_t row = 0; row < rows; row++) {
            float factor = sign * factors[row * stride], *sum = y + row * lanes + lane;
            for (int j = 0; j < LANES; j++) sum[j] += factor * value[j];
        }
    }
}
