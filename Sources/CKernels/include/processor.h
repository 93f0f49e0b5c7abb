#ifndef DETENT_PROCESSOR_H
#define DETENT_PROCESSOR_H

/* Tells the processor that a loop only waits for another thread. */
static inline void detent_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
