#include <oneapi/dnnl/dnnl.h>

/* dnnl_sgemm for operands in bfloat16, given as their bits. The library exports it for its own tests and
   declares it in none of its headers. */
dnnl_status_t dnnl_gemm_bf16bf16f32(
    char transa, char transb, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha,
    const unsigned short *a, dnnl_dim_t lda, const unsigned short *b, dnnl_dim_t ldb, float beta,
    float *c, dnnl_dim_t ldc);

/* oneDNN runs on OpenMP. Called from a thread of ours, it must not start a team of its own. */
void omp_set_num_threads(int count);
