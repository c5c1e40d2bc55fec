/*
** fuzz.h - what every fuzz target shares. A target is one function over arbitrary bytes; what must hold for all of them
** it says with MUST, which ends the process so that the fuzzer (or replay.c) has the input.
**
** Nothing here depends on a fuzzer: replay.c runs the same targets over the corpora that are kept.
*/
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                   \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte of what is left, or 0. */
static inline uint8_t fuzz_byte(const uint8_t **data, size_t *size) {
  if (*size == 0) return 0;
  (*size)--;
  return *(*data)++;
}

#endif /* FUZZ_H */
