/* Two parameters that the stable part of the header does not name: how literals are coded, and that a
   frame's checksum is not computed again by a reader that has another. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
