#include <string.h>

#include "palettes.h"

#define LANES DETENT_PALETTE_LANES
#define SIZE DETENT_PALETTE_SIZE

static void elements_plain(const uint8_t *tables, size_t plane, const uint8_t *codes, size_t count,
                           size_t width, size_t groups, uint8_t *target, size_t stride) {
    for (size_t group = 0; group < groups; group++, target += stride) {
        uint32_t value = 0;
        uint8_t values[SIZE][4];
        for (size_t i = 0; i < SIZE; i++) {
            for (size_t byte = 0; byte < width; byte++)
                value += (uint32_t)tables[(i * width + byte) * plane + group] << 8 * byte;
            for (size_t byte = 0; byte < 4; byte++) values[i][byte] = (uint8_t)(value >> 8 * byte);
        }
        for (size_t j = 0; j < count; j += 2) {
            uint8_t pair = *codes++;
            for (size_t byte = 0; byte < width; byte++) {
                target[j * width + byte] = values[pair & 15][byte];
                target[(j + 1) * width + byte] = values[pair >> 4][byte];
            }
        }
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("ssse3")))
#define INLINE static inline __attribute__((always_inline))
/* Sixteen bytes: of as many groups, or of a table. */
typedef __m128i bytes16;

TARGET INLINE void transpose(bytes16 rows[16]) {
    bytes16 other[16];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 8; i++) {
            other[2 * i] = _mm_unpacklo_epi8(rows[i], rows[i + 8]);
            other[2 * i + 1] = _mm_unpackhi_epi8(rows[i], rows[i + 8]);
        }
        memcpy(rows, other, sizeof other);
    }
}

/* tables[byte][group]: the bytes of a group's sixteen values that differences add up to. */
TARGET INLINE void add_up(const uint8_t *planes, size_t plane, const size_t width,
                                 bytes16 tables[4][LANES]) {
    const bytes16 zero = _mm_setzero_si128();
    bytes16 sums[4] = {zero, zero, zero, zero};
    for (size_t i = 0; i < SIZE; i++) {
        bytes16 carry = zero; /* -1 in lanes that carry one over from the byte before */
        for (size_t byte = 0; byte < width; byte++, planes += plane) {
            bytes16 difference = _mm_loadu_si128((const bytes16 *)planes);
            bytes16 sum = _mm_add_epi8(sums[byte], difference);
            bytes16 limited = _mm_adds_epu8(sums[byte], difference);
            bytes16 with_carry = _mm_sub_epi8(sum, carry);
            carry = _mm_or_si128(
                _mm_andnot_si128(_mm_cmpeq_epi8(sum, limited), _mm_set1_epi8(-1)),
                _mm_and_si128(carry, _mm_cmpeq_epi8(with_carry, zero)));
            tables[byte][i] = sums[byte] = with_carry;
        }
    }
    for (size_t byte = 0; byte < width; byte++) transpose(tables[byte]);
}

/* Looks sixteen codes up in a group's tables. */
TARGET INLINE void look_up(bytes16 tables[4][LANES], size_t group, bytes16 codes,
                                  const size_t width, uint8_t *target) {
    bytes16 found[4];
    bytes16 *out = (bytes16 *)target;
    for (size_t byte = 0; byte < width; byte++)
        found[byte] = _mm_shuffle_epi8(tables[byte][group], codes);
    if (width == 1) {
        _mm_storeu_si128(out, found[0]);
        return;
    }
    bytes16 low[2] = {_mm_unpacklo_epi8(found[0], found[1]), _mm_unpackhi_epi8(found[0], found[1])};
    if (width == 2) {
        for (int half = 0; half < 2; half++) _mm_storeu_si128(out + half, low[half]);
        return;
    }
    bytes16 high[2] = {_mm_unpacklo_epi8(found[2], found[3]), _mm_unpackhi_epi8(found[2], found[3])};
    for (int half = 0; half < 2; half++) {
        _mm_storeu_si128(out + 2 * half, _mm_unpacklo_epi16(low[half], high[half]));
        _mm_storeu_si128(out + 2 * half + 1, _mm_unpackhi_epi16(low[half], high[half]));
    }
}

TARGET INLINE void elements_shuffled(const uint8_t *planes, size_t plane, const uint8_t *codes,
                                            size_t count, const size_t width, size_t groups,
                                            uint8_t *target, size_t stride) {
    bytes16 tables[4][LANES];
    const bytes16 fifteen = _mm_set1_epi8(15);
    for (size_t group = 0; group < groups; group++, target += stride) {
        if (group % LANES == 0) add_up(planes + group, plane, width, tables);
        for (size_t j = 0; j < count; j += 32, codes += 16) {
            bytes16 pairs = _mm_loadu_si128((const bytes16 *)codes);
            bytes16 first = _mm_and_si128(pairs, fifteen);
            bytes16 second = _mm_and_si128(_mm_srli_epi16(pairs, 4), fifteen);
            uint8_t *place = target + j * width;
            look_up(tables, group % LANES, _mm_unpacklo_epi8(first, second), width, place);
            look_up(tables, group % LANES, _mm_unpackhi_epi8(first, second), width,
                    place + 16 * width);
        }
    }
}

/* One for each width, so that loops over bytes are unrolled. */
TARGET static void elements_ssse3(const uint8_t *tables, size_t plane, const uint8_t *codes,
                                  size_t count, size_t width, size_t groups, uint8_t *target,
                                  size_t stride) {
    if (width == 1) elements_shuffled(tables, plane, codes, count, 1, groups, target, stride);
    else if (width == 2) elements_shuffled(tables, plane, codes, count, 2, groups, target, stride);
    else elements_shuffled(tables, plane, codes, count, 4, groups, target, stride);
}

#endif

void detent_palette_elements(const uint8_t *tables, size_t plane, const uint8_t *codes, size_t count,
                             size_t width, size_t groups, uint8_t *target, size_t stride) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("ssse3")) {
        elements_ssse3(tables, plane, codes, count, width, groups, target, stride);
        return;
    }
#endif
    elements_plain(tables, plane, codes, count, width, groups, target, stride);
}
