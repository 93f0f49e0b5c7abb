/* Which of a function's variants runs: the widest instruction set that the CPU has. */

#if defined(__x86_64__)

#define DISPATCH(name, ...)                                                      \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&  \
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") \
         ? name##_avx512(__VA_ARGS__)                                            \
     : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c")          \
         ? name##_avx2(__VA_ARGS__)                                              \
         : name##_plain(__VA_ARGS__))
#define TARGET_AVX2 __attribute__((target("avx2,f16c")))
#define TARGET_AVX512 \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,f16c,prefer-256-bit")))

#else

/* On 64-bit ARM the compiler vectorizes the plain loops with NEON, which every such CPU has. */
#define DISPATCH(name, ...) name##_plain(__VA_ARGS__)

#endif
