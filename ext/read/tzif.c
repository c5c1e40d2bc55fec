/*
** tzif.c - the bytes of a TZif file (RFC 9636), as /usr/share/zoneinfo has them -> a zone.
**
** Such a file has a block of 32-bit times. From version 2 on, a second block of 64-bit times follows, which we use
** instead, and then a rule for the time after the last change. The file is not trusted: every count is checked against
** the length before it is used, times must ascend, and offsets must be less than 26 hours. Leap seconds are ignored, as
** our times have none. A file that is cut short or damaged is an error.
*/
#include "read.h"

#include <string.h>

#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define MOST_OFFSET_S (26 * 3600)

typedef struct TzifBlock {
  const unsigned char *changes, *change_types, *types, *end;
  uint32_t change_count, type_count;
  size_t time_bytes; /* of each time: 4 or 8 */
} TzifBlock;

static uint32_t big_endian_32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big_endian_time(const unsigned char *p, size_t bytes) {
  if (bytes == 4) return (int32_t)big_endian_32(p);
  return (int64_t)((uint64_t)big_endian_32(p) << 32 | big_endian_32(p + 4));
}

/* False: the bytes do not hold such a block. The counts have 32 bits, so their sums fit into 64 bits. */
static bool find_block(const unsigned char *header, size_t length, size_t time_bytes, TzifBlock *block) {
  if (length < HEADER_BYTES || memcmp(header, "TZif", 4) != 0) return false;
  uint64_t ut_count = big_endian_32(header + 20), standard_count = big_endian_32(header + 24);
  uint64_t leap_count = big_endian_32(header + 28), letters = big_endian_32(header + 40);
  *block = (TzifBlock){
      .change_count = big_endian_32(header + 32), .type_count = big_endian_32(header + 36), .time_bytes = time_bytes};
  uint64_t changes = (uint64_t)block->change_count * time_bytes, types = (uint64_t)block->type_count * TYPE_BYTES;
  uint64_t bytes =
      changes + block->change_count + types + letters + leap_count * (time_bytes + 4) + standard_count + ut_count;
  if (bytes > length - HEADER_BYTES || block->type_count == 0) return false;
  block->changes = header + HEADER_BYTES;
  block->change_types = block->changes + changes;
  block->types = block->change_types + block->change_count;
  block->end = header + HEADER_BYTES + bytes;
  return true;
}

/* False: there is no such type, or its offset is out of range. */
static bool offset_of_type(const TzifBlock *block, uint32_t type, int32_t *offset_s) {
  if (type >= block->type_count) return false;
  *offset_s = (int32_t)big_endian_32(block->types + (size_t)type * TYPE_BYTES);
  return *offset_s > -MOST_OFFSET_S && *offset_s < MOST_OFFSET_S;
}

static int read_changes(const TzifBlock *block, TrZone *zone) {
  zone->change_s = sqlite3_malloc64(block->change_count * sizeof *zone->change_s + 1);
  zone->offset_s = sqlite3_malloc64(block->change_count * sizeof *zone->offset_s + 1);
  if (zone->change_s == NULL || zone->offset_s == NULL) return SQLITE_NOMEM;
  if (!offset_of_type(block, 0, &zone->earliest_s)) return SQLITE_CORRUPT;
  for (size_t i = 0; i < block->change_count; i++) {
    zone->change_s[i] = big_endian_time(block->changes + i * block->time_bytes, block->time_bytes);
    if (i > 0 && zone->change_s[i] <= zone->change_s[i - 1]) return SQLITE_CORRUPT;
    if (!offset_of_type(block, block->change_types[i], &zone->offset_s[i])) return SQLITE_CORRUPT;
    zone->count++;
  }
  return SQLITE_OK;
}

/* The rule stands between two newlines; it may be empty. */
static int read_rule(const unsigned char *footer, size_t length, TrZone *zone) {
  const unsigned char *close = length > 1 ? memchr(footer + 1, '\n', length - 1) : NULL;
  if (close == NULL || *footer != '\n') return SQLITE_CORRUPT;
  size_t rule_length = (size_t)(close - footer) - 1;
  if (rule_length == 0) return SQLITE_OK;
  zone->has_rule = tr_zone_rule_parse((const char *)footer + 1, rule_length, &zone->rule);
  return zone->has_rule ? SQLITE_OK : SQLITE_CORRUPT;
}

int tr_tzif_parse(const unsigned char *bytes, size_t length, TrZone *zone) {
  TzifBlock block;
  const unsigned char *end = bytes + length;
  *zone = (TrZone){0};
  if (!find_block(bytes, length, 4, &block)) return SQLITE_CORRUPT;
  bool has_second = bytes[4] != '\0';
  if (has_second && !find_block(block.end, (size_t)(end - block.end), 8, &block)) return SQLITE_CORRUPT;
  int code = read_changes(&block, zone);
  if (code == SQLITE_OK && has_second) code = read_rule(block.end, (size_t)(end - block.end), zone);
  if (code == SQLITE_OK) return code;
  sqlite3_free(zone->change_s);
  sqlite3_free(zone->offset_s);
  *zone = (TrZone){0};
  return code;
}
