#ifndef DETENT_PALETTES_H
#define DETENT_PALETTES_H

#include <stddef.h>
#include <stdint.h>

/* Groups that are worked on at a time. */
#define DETENT_PALETTE_LANES 16
/* Values of a palette. */
#define DETENT_PALETTE_SIZE 16
/* The elements of a group are a multiple of this. */
#define DETENT_PALETTE_MULTIPLE 32

/* Palettes of sixteen groups.

   elements    little-endian integers of `width` bytes: 1, 2 or 4; one group after the other, `stride`
               bytes apart
   count       elements of a group
   scratch     16 × count integers
   distinct    16: how many different values each group has; 17 stands for all numbers above 16
   tables      16 × width × 16 bytes: [(i × width + byte) × 16 + group] is a byte of the difference of the
               group's value i, in ascending order of integers with signs, from the one before it, or of
               the first value itself; 0 where there are no more values
   codes       16 × count / 2 bytes: of each group's elements the numbers of their values, two to a byte,
               the first in the low half

   Of groups with more than 16 values, tables and codes mean nothing. Swift definition:
   Sources/DTZFormat/Palettes+Writing.swift. */
void detent_palettes(const void *elements, size_t stride, size_t count, size_t width, void *scratch,
                     uint32_t *distinct, uint8_t *tables, uint8_t *codes);

/* The elements of groups that have palettes, the other way round.

   tables      [(i × width + byte) × plane + group], as above
   codes       as above
   count       elements of a group
   groups      how many; at least 1, and `plane` is no less
   target      receives one group after the other, `stride` bytes apart

   Up to 15 bytes behind a table's last plane are read and not used: codes must follow it. Swift
   definition: Sources/DTZFormat/Palettes+Reading.swift. */
void detent_palette_elements(const uint8_t *tables, size_t plane, const uint8_t *codes, size_t count,
                             size_t width, size_t groups, uint8_t *target, size_t stride);

#endif
