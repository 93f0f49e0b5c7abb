/* The functions of palettes_body.h for each width of elements. */

#define BITS 8
#define INTEGER int8_t
#define UNSIGNED uint8_t
#define LARGEST INT8_MAX
#include "palettes_body.h"
#undef BITS
#undef INTEGER
#undef UNSIGNED
#undef LARGEST

#define BITS 16
#define INTEGER int16_t
#define UNSIGNED uint16_t
#define LARGEST INT16_MAX
#include "palettes_body.h"
#undef BITS
#undef INTEGER
#undef UNSIGNED
#undef LARGEST

#define BITS 32
#define INTEGER int32_t
#define UNSIGNED uint32_t
#define LARGEST INT32_MAX
#include "palettes_body.h"
#undef BITS
#undef INTEGER
#undef UNSIGNED
#undef LARGEST
