/*
** time.c - fuzz target: an accepted length of time is not negative, and means the same in capitals, with blanks around
** it, and as a time that long ago; an accepted time is within the years 1 to 9999.
**
** Aimed at ext/base/timespan.c and ext/read/time.c.
*/
#include "tr.h"

#include "fuzz.h"

#define EARLIEST_US INT64_C(-62135596800000000)
#define LATEST_US INT64_C(253402300799999999)
#define DAY_US INT64_C(86400000000)

/* The same with every letter in the other case, between blanks; but not m, since M alone is refused. The caller frees
** it. */
static char *other_spelling(const uint8_t *text, size_t size) {
  char *spelled = malloc(size + 2);
  spelled[0] = '\t';
  for (size_t i = 0; i < size; i++) {
    bool is_letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
    spelled[i + 1] = (char)(is_letter && (text[i] | 0x20) != 'm' ? text[i] ^ 0x20 : text[i]);
  }
  spelled[size + 1] = ' ';
  return spelled;
}

static void check_span(const char *text, const char *spelled, size_t size, int64_t now_us) {
  int64_t us = -1, again_us = -1, plain_us = -1;
  bool is_span = tr_timespan_parse(text, size, false, &us);
  bool is_plain = tr_timespan_parse(text, size, true, &plain_us);
  MUST(tr_timespan_parse(spelled, size + 2, false, &again_us) == is_span);
  MUST(!is_plain || plain_us >= 0);
  if (!is_span) return;
  MUST(us >= 0 && us == again_us && is_plain && us == plain_us);
  TrTimePoint point;
  bool is_time = tr_time_parse(text, size, now_us, NULL, &point);
  MUST(is_time == (us <= now_us - EARLIEST_US));
  MUST(!is_time || (point.first_us == now_us - us && point.last_us == now_us - us));
}

static void check_time(const char *text, const char *spelled, size_t size, int64_t now_us) {
  TrTimePoint point, again;
  bool is_time = tr_time_parse(text, size, now_us, NULL, &point);
  MUST(tr_time_parse(spelled, size + 2, now_us, NULL, &again) == is_time);
  if (!is_time) return;
  MUST(point.first_us == again.first_us && point.last_us == again.last_us);
  MUST(point.first_us >= EARLIEST_US && point.last_us <= LATEST_US);
  MUST(point.first_us == point.last_us ||
       (point.first_us % DAY_US == 0 && point.last_us - point.first_us == DAY_US - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t now_us = EARLIEST_US + (int64_t)fuzz_byte(&data, &size) * ((LATEST_US - EARLIEST_US) / 255);
  char *text = malloc(size + 1), *spelled = other_spelling(data, size);
  memcpy(text, data, size);
  check_span(text, spelled, size, now_us);
  check_time(text, spelled, size, now_us);
  free(text);
  free(spelled);
  return 0;
}
