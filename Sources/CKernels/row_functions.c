#include "row_functions.h"

#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

#define LANES 16

#define BODY "row_functions_body.h"
#include "variants.h"

float detent_maximum(const float *x, size_t count) { return DISPATCH(maximum, x, count); }

float detent_exponentials(float *x, float shift, size_t count) {
    return DISPATCH(exponentials, x, shift, count);
}

double detent_exponential_sum(const float *x, float shift, size_t count) {
    return DISPATCH(exponential_sum, x, shift, count);
}

double detent_divergence(const float *reference, float a, const float *model, float b,
                         size_t count) {
    return DISPATCH(divergence, reference, a, model, b, count);
}

void detent_silu(float *x, size_t count) { DISPATCH(silu, x, count); }

void detent_gelu(float *x, size_t count) { DISPATCH(gelu, x, count); }

void detent_gelu_tanh(float *x, size_t count) { DISPATCH(gelu_tanh, x, count); }

void detent_gelu_sigmoid(float *x, size_t count) { DISPATCH(gelu_sigmoid, x, count); }

void detent_softcap(float *x, float cap, size_t count) { DISPATCH(softcap, x, cap, count); }
