/* Included once for each instruction set, with FUNCTION(name) and TARGET defined.

   What sums in 16 or 32 lanes are together: the upper half is added to the lower one until one is left. */

TARGET static inline float FUNCTION(total_of_16)(floats_16 sums) {
    floats_8 eight = __builtin_shufflevector(sums, sums, 0, 1, 2, 3, 4, 5, 6, 7) +
                     __builtin_shufflevector(sums, sums, 8, 9, 10, 11, 12, 13, 14, 15);
    floats_4 four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
                    __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    four += __builtin_shufflevector(four, four, 2, 3, 2, 3);
    return four[0] + four[1];
}

TARGET static inline float FUNCTION(total_of_32)(floats_32 sums) {
    return FUNCTION(total_of_16)(
        __builtin_shufflevector(sums, sums, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) +
        __builtin_shufflevector(sums, sums, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                30, 31));
}
