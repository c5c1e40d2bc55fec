/*
** tail.c - the last bytes of a command's output, both streams in the order in which they came.
*/
#include "runner.h"

#include <string.h>

void tail_add(Tail *tail, const unsigned char *bytes, size_t length) {
  if (length > sizeof tail->bytes - tail->length) {
    memmove(tail->bytes, tail->bytes + tail->length - TAIL_BYTES, TAIL_BYTES);
    tail->length = TAIL_BYTES;
  }
  memcpy(tail->bytes + tail->length, bytes, length);
  tail->length += length;
}

/* A character that is cut at the beginning is left out. */
const unsigned char *tail_text(const Tail *tail, size_t *length) {
  size_t from = tail->length > TAIL_BYTES ? tail->length - TAIL_BYTES : 0;
  for (int i = 0; from > 0 && i < 3 && from < tail->length && (tail->bytes[from] & 0xc0) == 0x80; i++) from++;
  *length = tail->length - from;
  return tail->bytes + from;
}
