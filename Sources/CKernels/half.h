#include <stdint.h>
#include <string.h>

/* IEEE 754 binary16 to binary32, where there is no instruction for it. */
static inline float half_to_single(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t rest = half & 0x7FFF;
    uint32_t bits;
    float value;
    if (rest >= 0x7C00) { /* infinity and NaN: a NaN becomes quiet, as the instructions make it */
        bits = sign | 0x7F800000 | (rest & 0x3FF) << 13 | (rest > 0x7C00 ? 0x00400000u : 0);
    } else if (rest >= 0x0400) {
        bits = sign | ((rest << 13) + 0x38000000);
    } else { /* a subnormal half is an ordinary single: rest * 2^-24 */
        float magnitude = (float)rest * 0x1p-24f;
        memcpy(&bits, &magnitude, 4);
        bits |= sign;
    }
    memcpy(&value, &bits, 4);
    return value;
}
