/*
** packed.c - records <-> bytes.
**
** For each record a number, (bytes from the previous record << 3) | (success << 1) | has no time, and if it has a time
** the microseconds from that of the previous one with a time, so that a small negative number is short, too (zigzag).
** Numbers are written in groups of 7 bits, the lowest first (LEB128). The first record of a block counts from the start
** of the block, and from the time 0. So each block is read by itself, and a record takes 6 or 7 bytes.
*/
#include "index.h"

#define LONGEST_NUMBER 10

static unsigned char *put_varint(unsigned char *at, uint64_t number) {
  for (; number >= 0x80; number >>= 7) *at++ = (unsigned char)(number | 0x80);
  *at++ = (unsigned char)number;
  return at;
}

/* False: there is no whole number. */
static inline bool take_varint(TrIndexWalk *walk, uint64_t *number) {
  *number = 0;
  for (unsigned shift = 0; walk->at < walk->stop && shift < 64; shift += 7) {
    unsigned char byte = *walk->at++;
    *number |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

_Static_assert(TR_PACKED_MOST_BYTES == 2 * LONGEST_NUMBER, "two numbers");

size_t tr_packed_put(unsigned char out[TR_PACKED_MOST_BYTES], TrIndexed *last, const TrIndexed *record) {
  uint64_t step = (uint64_t)(record->offset - last->offset);
  unsigned char *at = put_varint(out, step << 3 | (uint64_t)record->success << 1 | !record->has_time);
  if (record->has_time) {
    uint64_t delta = (uint64_t)record->time_us - (uint64_t)last->time_us;
    at = put_varint(at, delta << 1 ^ (0 - (delta >> 63)));
    last->time_us = record->time_us;
  }
  last->offset = record->offset;
  return (size_t)(at - out);
}

void tr_index_walk_begin(TrIndexWalk *walk, const TrIndex *index, size_t block) {
  const TrIndexBlock *it = &index->block[block];
  *walk = (TrIndexWalk){.at = it->packed, .stop = it->packed + it->packed_bytes, .last.offset = it->from};
}

bool tr_index_walk_next(TrIndexWalk *walk, TrIndexed *record) {
  uint64_t number, delta = 0;
  if (!take_varint(walk, &number)) return false;
  bool has_time = !(number & 1);
  if (has_time && !take_varint(walk, &delta)) return false;
  walk->last.offset = (int64_t)((uint64_t)walk->last.offset + (number >> 3));
  if (has_time) walk->last.time_us = (int64_t)((uint64_t)walk->last.time_us + (delta >> 1 ^ (0 - (delta & 1))));
  *record = (TrIndexed){.offset = walk->last.offset,
                        .time_us = has_time ? walk->last.time_us : 0,
                        .has_time = has_time,
                        .success = (uint8_t)(number >> 1 & 3)};
  return true;
}
