/* Includes BODY, a file of functions that are declared with FUNCTION(name) and TARGET, once for each instruction set
   that DISPATCH chooses from. */

#define FUNCTION(name) name##_plain
#define TARGET
#include BODY
#undef FUNCTION
#undef TARGET

#if defined(__x86_64__)

#define FUNCTION(name) name##_avx2
#define TARGET TARGET_AVX2
#include BODY
#undef FUNCTION
#undef TARGET

#define FUNCTION(name) name##_avx512
#define TARGET TARGET_AVX512
#include BODY
#undef FUNCTION
#undef TARGET

#endif
