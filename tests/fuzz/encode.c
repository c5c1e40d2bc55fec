/*
** encode.c - fuzz target: any row of valid texts becomes one line that both lanes take, and that reads back as the row.
**
** Aimed at ext/write/encode.c and ext/base/text.c.
*/
#include "tr.h"

#include "fuzz.h"

/* The next text of the input: up to a byte FF, which no valid one holds. */
static TrBytes next_text(const uint8_t **data, size_t *size) {
  const uint8_t *start = *data, *end = memchr(start, 0xFF, *size);
  size_t length = end ? (size_t)(end - start) : *size;
  *data += length + (end != NULL);
  *size -= length + (end != NULL);
  if (!tr_utf8_is_valid(start, length)) length = 0;
  return (TrBytes){(const char *)start, length};
}

/* Repeated until it has more characters than are kept; in `room`, which the caller frees. */
static TrBytes repeated(TrBytes text, char **room) {
  size_t times = text.length ? 4 * TR_MAX_TEXT / text.length + 1 : 0;
  *room = malloc(times * text.length + 1);
  for (size_t i = 0; i < times; i++) memcpy(*room + i * text.length, text.text, text.length);
  return (TrBytes){*room, times * text.length};
}

static size_t count_characters(TrBytes text) {
  size_t count = 0;
  for (size_t i = 0; i < text.length; i++) count += ((unsigned char)text.text[i] & 0xC0) != 0x80;
  return count;
}

static TrBytes cut(TrBytes whole) {
  TrBytes text = tr_cut_text(whole);
  size_t count = count_characters(whole);
  MUST(text.text == whole.text && text.length <= whole.length && tr_utf8_is_valid(text.text, text.length));
  MUST(count_characters(text) == (count < TR_MAX_TEXT ? count : TR_MAX_TEXT));
  return text;
}

static void check_field(const unsigned char *line, const TrSpan *span, TrBytes expected) {
  unsigned char *decoded = malloc(span->length + 1);
  MUST(span->kind == TR_STRING);
  size_t length = tr_decode_string(line + span->start, span->length, decoded);
  MUST(length == expected.length && (length == 0 || memcmp(decoded, expected.text, length) == 0));
  free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t flags = fuzz_byte(&data, &size);
  TrRow row = {.success = flags & 1};
  char *room = NULL;
  row.timestamp = next_text(&data, &size);
  row.job_id = next_text(&data, &size);
  row.job_name = next_text(&data, &size);
  row.output = cut(next_text(&data, &size));
  row.error = next_text(&data, &size);
  if (flags & 2) row.error = repeated(row.error, &room);
  row.error = cut(row.error);

  size_t least = tr_encode_least(&row), bound = tr_encode_bound(&row);
  unsigned char *line = malloc(bound + TR_PADDING);
  size_t length = tr_encode(&row, (char *)line);
  MUST(least <= length && length <= bound);
  MUST(line[length - 1] == '\n' && memchr(line, '\n', length - 1) == NULL);
  memset(line + length, 0, TR_PADDING - 1);

  TrRecord record;
  TrLayout layout = {0};
  MUST(tr_slow_lane(line, length - 1, &record) == TR_OK);
  MUST(tr_fast_lane(0)->native(line, &layout, &record) == line + length - 1);
  MUST(record.field[TR_SUCCESS].kind == (row.success ? TR_TRUE : TR_FALSE));
  check_field(line, &record.field[TR_TIMESTAMP], row.timestamp);
  check_field(line, &record.field[TR_JOB_NAME], row.job_name);
  check_field(line, &record.field[TR_OUTPUT], row.output);
  check_field(line, &record.field[TR_ERROR], row.error);
  free(line);
  free(room);
  return 0;
}
