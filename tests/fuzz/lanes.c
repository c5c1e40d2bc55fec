/*
** lanes.c - fuzz target: every fast lane and the slow lane over the lines of the input, one after the other, so that
** each meets the layout of the one before. Where a fast lane says "a record", the slow lane says so too, with the same
** spans; accepted lines can be decoded, and rejected ones repaired.
**
** Aimed at ext/read/fast.c, ext/read/fast_walk.inc, ext/read/verdict.c, ext/read/field.c and ext/base/text.c.
*/
#include "tr.h"

#include "fuzz.h"

#define MOST_LANES 4

static bool same_span(const TrSpan *a, const TrSpan *b) {
  if (a->kind != b->kind) return false;
  return a->kind == TR_ABSENT || (a->start == b->start && a->length == b->length && a->escaped == b->escaped);
}

static void check_text(const unsigned char *line, const TrSpan *span) {
  unsigned char *decoded = malloc(span->length + 1);
  size_t length = tr_decode_string(line + span->start, span->length, decoded);
  MUST(length <= span->length);
  MUST(tr_utf8_is_valid(decoded, length));
  free(decoded);
}

static void check_spans(const unsigned char *line, size_t length, const TrRecord *record) {
  for (int i = 0; i < TR_FIELD_COUNT; i++) {
    const TrSpan *span = &record->field[i];
    if (span->kind == TR_ABSENT) continue;
    MUST((size_t)span->start + span->length <= length);
    if (span->kind == TR_STRING) check_text(line, span);
  }
}

/* A refusal has its place; and what is not UTF-8 can be repaired, which changes nothing else. */
static void check_refusal(const unsigned char *line, size_t length, TrReason reason) {
  size_t at, repaired_length;
  MUST(tr_slow_lane_at(line, length, &at) == reason && at <= length);
  unsigned char *repaired = malloc(3 * length + 1);
  repaired_length = tr_utf8_repair(line, length, repaired);
  MUST(tr_utf8_is_valid(repaired, repaired_length));
  bool is_same = repaired_length == length && memcmp(repaired, line, length) == 0;
  MUST(is_same == tr_utf8_is_valid(line, length));
  free(repaired);
}

static void check_lane(TrFastLane lane, TrLayout *layout, const unsigned char *line, size_t length, TrReason reason,
                       const TrRecord *expected) {
  TrRecord record;
  TrLayout none = {0};
  bool takes = lane(line, &none, &record) == line + length;
  layout->varies = false; /* otherwise the lane would never again expect a name to repeat */
  MUST((lane(line, layout, &record) == line + length) == takes); /* whatever the line before was like */
  if (!takes) return;
  MUST(reason == TR_OK);
  for (int i = 0; i < TR_FIELD_COUNT; i++) MUST(same_span(&record.field[i], &expected->field[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  TrLayout layouts[MOST_LANES] = {0};
  while (size > 0) {
    const uint8_t *newline = memchr(data, '\n', size);
    size_t length = newline ? (size_t)(newline - data) : size;
    unsigned char *line = malloc(length + TR_PADDING); /* of its very size: a sanitizer sees any overread */
    memcpy(line, data, length);
    memset(line + length, 0, TR_PADDING);
    if (newline) line[length] = '\n';
    TrRecord expected;
    TrReason reason = tr_slow_lane(line, length, &expected);
    if (reason == TR_OK)
      check_spans(line, length, &expected);
    else
      check_refusal(line, length, reason);
    const TrLane *lane;
    for (unsigned rank = 0; (lane = tr_fast_lane(rank)) != NULL; rank++) {
      MUST(rank < MOST_LANES);
      check_lane(lane->native, &layouts[rank], line, length, reason, &expected);
    }
    free(line);
    size_t taken = length + (newline != NULL);
    data += taken;
    size -= taken;
  }
  return 0;
}
