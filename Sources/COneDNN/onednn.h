#include <oneapi/dnnl/dnnl.h>

/* oneDNN runs on OpenMP. Called from a thread of ours, it must not start a team of its own. */
void omp_set_num_threads(int count);
