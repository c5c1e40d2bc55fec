/*
** timestamp.c - fuzz target: a timestamp keeps its time when it is written and read again, and when its characters are
** written as escapes.
**
** Aimed at ext/read/timestamp.c.
*/
#include "tr.h"

#include "fuzz.h"

#define ESCAPED_LENGTH 6 /* \u0041 */
#define LONGEST_ESCAPED 80

static void check_escaped(const uint8_t *text, size_t length, bool has_time, int64_t time_us) {
  char line[LONGEST_ESCAPED * ESCAPED_LENGTH + TR_PADDING];
  int64_t read_us;
  if (length > LONGEST_ESCAPED) return;
  for (size_t i = 0; i < length; i++) {
    if (text[i] >= 0x80) return;
    snprintf(line + i * ESCAPED_LENGTH, ESCAPED_LENGTH + 1, "\\u%04x", text[i]);
  }
  TrLine spelled = {.text = (unsigned char *)line, .length = length * ESCAPED_LENGTH};
  TrSpan span = {.kind = TR_STRING, .length = (uint32_t)spelled.length, .escaped = true};
  MUST(tr_span_time_us(&spelled, &span, &read_us) == has_time);
  MUST(!has_time || read_us == time_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t time_us = 0, again_us;
  char *text = malloc(size + 1);
  memcpy(text, data, size);
  bool has_time = tr_timestamp_parse(text, size, &time_us);
  check_escaped(data, size, has_time, time_us);
  char written[TR_TIMESTAMP_SIZE];
  if (has_time) {
    tr_timestamp_format(time_us, written);
    /* A zone can lead out of the years 0000 to 9999, which have no spelling. */
    bool has_spelling = time_us >= INT64_C(-62167219200000000) && time_us <= INT64_C(253402300799999999);
    MUST(!has_spelling || (tr_timestamp_parse(written, strlen(written), &again_us) && again_us == time_us));
  }
  free(text);
  return 0;
}
