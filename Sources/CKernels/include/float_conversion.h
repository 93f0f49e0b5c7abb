#ifndef DETENT_FLOAT_CONVERSION_H
#define DETENT_FLOAT_CONVERSION_H

#include <stddef.h>
#include <stdint.h>

/* IEEE 754 binary16 to binary32, exact. */
void detent_f16_to_f32(const uint16_t *half, float *single, size_t count);
/* IEEE 754 binary32 to binary16, to nearest, ties to even. */
void detent_f32_to_f16(const float *single, uint16_t *half, size_t count);
/* binary32 to its upper half, bfloat16, to nearest, ties to even. */
void detent_f32_to_bf16(const float *single, uint16_t *upper, size_t count);

#endif
