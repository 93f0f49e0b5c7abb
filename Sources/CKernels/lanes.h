/* Numbers that are computed side by side. */

typedef float floats_4 __attribute__((vector_size(16)));
typedef float floats_8 __attribute__((vector_size(32)));
typedef float floats_16 __attribute__((vector_size(64)));
typedef float floats_32 __attribute__((vector_size(128)));

/* Wider vectors than an instruction set has registers are passed to functions that are inlined, and to no others. */
#pragma GCC diagnostic ignored "-Wpsabi"
