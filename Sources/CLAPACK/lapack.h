#include <lapacke.h>

/* The factorizations run inside worker threads of ours, one thread each. */
void openblas_set_num_threads(int count);
