#ifndef DETENT_ROW_FUNCTIONS_H
#define DETENT_ROW_FUNCTIONS_H

#include <stddef.h>

/* Exponentials over rows. All instruction sets give the same bits: no product is fused with an
   addition, and sums run in sixteen lanes that are added in a fixed order. Swift definitions:
   Sources/Kernels/RowFunctions.swift and its extensions. */

/* The largest element of x; -infinity for none, NaN where one is. */
float detent_maximum(const float *x, size_t count);
/* x[i] = exp(x[i] - shift); returns the sum. */
float detent_exponentials(float *x, float shift, size_t count);
/* Sum of exp(x[i] - shift), leaving x alone. */
double detent_exponential_sum(const float *x, float shift, size_t count);
/* Sum of p (log p - log q), log p = reference[i] - a, log q = model[i] - b. */
double detent_divergence(const float *reference, float a, const float *model, float b, size_t count);
/* x[i] = x[i] / (1 + exp(-x[i])). */
void detent_silu(float *x, size_t count);
/* x[i] = x[i] P(x[i]), P the standard normal distribution. */
void detent_gelu(float *x, size_t count);
/* x[i] = x[i] / (1 + exp(-2 u)), u = sqrt(2 / pi) (x[i] + 0.044715 x[i]^3). */
void detent_gelu_tanh(float *x, size_t count);
/* x[i] = x[i] / (1 + exp(-1.702 x[i])). */
void detent_gelu_sigmoid(float *x, size_t count);
/* x[i] = cap tanh(x[i] / cap). */
void detent_softcap(float *x, float cap, size_t count);

#endif
