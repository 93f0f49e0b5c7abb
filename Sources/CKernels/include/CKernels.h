#ifndef DETENT_CKERNELS_H
#define DETENT_CKERNELS_H

/* Inner loops that Swift measurably cannot do. Every function has a definition in Swift beside its
   caller, and a test that holds the two together. The instruction set is chosen at run time. */

#include "codebooks.h"
#include "digit_dots.h"
#include "dot_products.h"
#include "encoded_dots.h"
#include "float_conversion.h"
#include "level_fits.h"
#include "palettes.h"
#include "processor.h"
#include "row_functions.h"
#include "transposition.h"

#endif
