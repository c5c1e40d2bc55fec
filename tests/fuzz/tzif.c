/*
** tzif.c - fuzz target: whatever is taken for a TZif file gives stretches that follow one another without a gap, and a
** local time is turned into one that the clocks show, or that stands behind a gap of theirs.
**
** Aimed at ext/read/tzif.c, ext/read/zone_rule.c and ext/read/zone.c.
*/
#include "tr.h"

#include "fuzz.h"

#define MOST_OFFSET_S (26 * 3600)
#define EARLIEST_S INT64_C(-62135596800)
#define LATEST_S INT64_C(253402300799)
#define STRETCHES 100

static void check_stretches(const TrZone *zone, int64_t utc_s) {
  TrStretch stretch, next;
  tr_zone_stretch(zone, utc_s, &stretch);
  for (int i = 0; i < STRETCHES; i++) {
    MUST(stretch.from_s <= utc_s && utc_s < stretch.to_s);
    MUST(stretch.offset_s > -MOST_OFFSET_S && stretch.offset_s < MOST_OFFSET_S);
    if (stretch.to_s > LATEST_S) return;
    utc_s = stretch.to_s;
    tr_zone_stretch(zone, utc_s, &next);
    MUST(next.from_s == utc_s || next.offset_s == stretch.offset_s);
    stretch = next;
  }
}

static void check_local(const TrZone *zone, int64_t utc_s) {
  int64_t utc_us = utc_s * TR_US_PER_SECOND, first_us, last_us;
  tr_zone_utc_us(zone, tr_zone_local_us(zone, utc_us), &first_us, &last_us);
  MUST(first_us <= last_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t utc_s = EARLIEST_S + (int64_t)fuzz_byte(&data, &size) * ((LATEST_S - EARLIEST_S) / 255);
  uint8_t *bytes = malloc(size + 1);
  TrZone zone;
  if (size > 0) memcpy(bytes, data, size);
  int code = tr_tzif_parse(bytes, size, &zone);
  free(bytes);
  MUST(code == SQLITE_OK || code == SQLITE_CORRUPT);
  if (code != SQLITE_OK) return 0;
  check_stretches(&zone, utc_s);
  check_local(&zone, utc_s);
  sqlite3_free(zone.change_s);
  sqlite3_free(zone.offset_s);
  return 0;
}
