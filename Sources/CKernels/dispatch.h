/* Which of a function's variants runs: the widest instruction set that the CPU has. */

#if defined(__x86_64__)

/* `variant` is for CPUs that have `feature` beside what all variants for AVX-512 need. */
#define DISPATCH_TO(variant, feature, name, ...)                                      \
    (__builtin_cpu_supports(feature) && __builtin_cpu_supports("avx512vl") &&         \
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") \
         ? name##_##variant(__VA_ARGS__)                                              \
     : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c")               \
         ? name##_avx2(__VA_ARGS__)                                                   \
         : name##_plain(__VA_ARGS__))
#define DISPATCH(name, ...) DISPATCH_TO(avx512, "avx512f", name, __VA_ARGS__)
#define TARGET_AVX2 __attribute__((target("avx2,f16c")))
#define TARGET_AVX512 \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,f16c,prefer-256-bit")))

#else

/* On 64-bit ARM the compiler vectorizes the plain loops with NEON, which every such CPU has. */
#define DISPATCH_TO(variant, feature, name, ...) name##_plain(__VA_ARGS__)
#define DISPATCH(name, ...) name##_plain(__VA_ARGS__)

#endif
