/*
** mapping.c - fuzz target: the input is a mapping, up to the first NUL, and lines. A mapping is read, or refused with a
** message. By it (or by one that is built in), the fast lanes and the slow lane read the lines, one after another:
** where a fast lane says "a record", the slow lane says so too, with the same spans. What the record is made of lies
** within the line; and a parser that has read the lines before makes the same of it as a new one.
**
** Aimed at ext/mapping/mapping.c, ext/mapping/syntax.c, ext/mapping/keys.c, ext/read/mapped.c, ext/read/epoch.c,
** ext/read/fast_mapped.inc and ext/read/verdict.c.
*/
#include "tr.h"

#include "fuzz.h"

#define MOST_LANES 4

static bool same_span(const TrSpan *a, const TrSpan *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == TR_ABSENT) return true;
  return a->start == b->start && a->length == b->length && (a->kind != TR_STRING || a->escaped == b->escaped);
}

static TrMapping *mapping_of(const char *text) {
  char *message = NULL;
  TrMapping *mapping = NULL;
  int code = tr_mapping_parse("mapping", text, &mapping, &message);
  MUST((code == SQLITE_OK) == (mapping != NULL) && (code == SQLITE_OK) == (message == NULL));
  MUST(message == NULL || (strncmp(message, "mapping: ", 9) == 0 && message[9]));
  sqlite3_free(message);
  if (mapping) return mapping;
  const char *builtin = tr_mapping_builtin(tr_mapping_names[strlen(text) % 5]);
  MUST(tr_mapping_parse("mapping", builtin, &mapping, &message) == SQLITE_OK);
  return mapping;
}

static void check_mapped_lane(TrMappedLane lane, TrMappedLayouts *layouts, const TrKeys *keys,
                              const unsigned char *line, size_t length, TrReason reason, const TrSpan *expected) {
  TrSpan slot[TR_MAX_KEYS + 1];
  static TrMappedLayouts none;
  memset(&none, 0, sizeof none);
  bool takes = lane(line, &none, keys, slot, NULL) == line + length;
  MUST((lane(line, layouts, keys, slot, NULL) == line + length) == takes);
  if (!takes) return;
  MUST(reason == TR_OK);
  for (unsigned i = 0; i < keys->count; i++) MUST(same_span(&slot[i], &expected[i]));
}

static void same_records(const TrParsed *a, const TrParsed *b) {
  MUST(a->reason == b->reason && a->line.length == b->line.length);
  if (a->reason != TR_OK) return;
  for (int i = 0; i < TR_FIELD_COUNT; i++) {
    const TrSpan *x = &a->record.field[i], *y = &b->record.field[i];
    MUST(i == TR_SUCCESS ? x->kind == y->kind : same_span(x, y));
  }
  MUST(same_span(&a->record.job, &b->record.job) && same_span(&a->record.started, &b->record.started));
  MUST(same_span(&a->record.duration, &b->record.duration));
  MUST(a->record.duration.kind == TR_ABSENT || a->record.duration_in_seconds == b->record.duration_in_seconds);
}

/* `kept`: a parser that remembers the lines before. */
static void check_record(const TrMapping *mapping, TrParser *kept, unsigned char *line, size_t length,
                         TrReason reason) {
  TrParser parser;
  static TrMappedParser mapped;
  TrParsed other;
  TrLines lines = {.fd = -1, .buffer = line, .length = length, .end = (int64_t)length, .max_line = SIZE_MAX / 2};
  TrParsed parsed;
  int64_t us, start_us;
  lines.seen_size = (int64_t)length;
  tr_parser_init(&parser);
  tr_parser_map(&parser, &mapped, mapping);
  if (line[length] != '\n') return;
  lines.length = length + 1;
  lines.end = lines.seen_size = (int64_t)length + 1;
  TrLines again = lines;
  MUST(tr_parse_next(&parser, &lines, &parsed) == SQLITE_ROW && parsed.line.length == length);
  MUST(tr_parse_next(kept, &again, &other) == SQLITE_ROW);
  same_records(&parsed, &other);
  MUST(parsed.reason == reason || (reason == TR_OK && parsed.reason == TR_OTHER));
  if (parsed.reason != TR_OK) return;
  const TrSpan *time = &parsed.record.field[TR_TIMESTAMP];
  if (time->kind != TR_ABSENT) MUST((size_t)time->start + time->length <= length);
  if (time->kind == TR_EPOCH) MUST(tr_span_time_us(&parsed.line, time, &us));
  static locale_t c_locale;
  if (c_locale == 0) c_locale = newlocale(LC_ALL_MASK, "C", 0);
  if (tr_record_duration_us(&parsed.line, &parsed.record, c_locale, &us)) MUST(us >= 0);
  (void)!tr_record_start_us(&parsed.line, &parsed.record, c_locale, &start_us);
  uint8_t ok = parsed.record.field[TR_SUCCESS].kind;
  MUST(mapping->has_truth || ok == TR_TRUE || ok == TR_FALSE || ok == TR_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static TrMappedLayouts layouts[MOST_LANES];
  const uint8_t *end = memchr(data, '\0', size);
  size_t mapping_length = end ? (size_t)(end - data) : 0;
  char *text = malloc(mapping_length + 1);
  memcpy(text, data, mapping_length);
  text[mapping_length] = '\0';
  TrMapping *mapping = mapping_of(text);
  free(text);
  memset(layouts, 0, sizeof layouts);
  TrParser kept;
  static TrMappedParser kept_mapped;
  tr_parser_init(&kept);
  tr_parser_map(&kept, &kept_mapped, mapping);
  data += end ? mapping_length + 1 : 0;
  size -= end ? mapping_length + 1 : 0;
  while (size > 0) {
    const uint8_t *newline = memchr(data, '\n', size);
    size_t length = newline ? (size_t)(newline - data) : size;
    unsigned char *line = malloc(length + 1 + TR_PADDING);
    TrSpan expected[TR_MAX_KEYS + 1];
    memcpy(line, data, length);
    memset(line + length, 0, 1 + TR_PADDING);
    if (newline) line[length] = '\n';
    TrReason reason = tr_slow_mapped_lane(line, length, &mapping->keys, expected);
    const TrLane *lane;
    for (unsigned rank = 0; (lane = tr_fast_lane(rank)) != NULL; rank++) {
      MUST(rank < MOST_LANES);
      check_mapped_lane(lane->mapped, &layouts[rank], &mapping->keys, line, length, reason, expected);
    }
    check_record(mapping, &kept, line, length, reason);
    free(line);
    size_t taken = length + (newline != NULL);
    data += taken;
    size -= taken;
  }
  tr_mapping_free(mapping);
  return 0;
}
