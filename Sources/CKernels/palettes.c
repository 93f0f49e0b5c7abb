#include "palettes.h"

#include <string.h>

#include "dispatch.h"

#define LANES DETENT_PALETTE_LANES
#define SIZE DETENT_PALETTE_SIZE
#define MULTIPLE DETENT_PALETTE_MULTIPLE

/* Every function for integers of one, two and four bytes. */
#define CONCATENATE(a, b, c) a##b##_##c
#define CONCATENATED(a, b, c) CONCATENATE(a, b, c)
#define FUNCTION(name) CONCATENATED(name, BITS, VARIANT)

#define VARIANT plain
#define TARGET
#include "palettes_widths.h"
#undef VARIANT
#undef TARGET

#if defined(__x86_64__)

#define VARIANT avx2
#define TARGET TARGET_AVX2
#include "palettes_widths.h"
#undef VARIANT
#undef TARGET

#define VARIANT avx512
#define TARGET TARGET_AVX512
#include "palettes_widths.h"
#undef VARIANT
#undef TARGET

#endif

void detent_palettes(const void *elements, size_t stride, size_t count, size_t width, void *scratch,
                     uint32_t *distinct, uint8_t *tables, uint8_t *codes) {
    if (width == 1) {
        DISPATCH(palettes8, elements, stride, count, scratch, distinct, tables, codes);
    } else if (width == 2) {
        DISPATCH(palettes16, elements, stride, count, scratch, distinct, tables, codes);
    } else {
        DISPATCH(palettes32, elements, stride, count, scratch, distinct, tables, codes);
    }
}
