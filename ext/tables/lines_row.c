/*
** lines_row.c - the column `row` of task_lines: a record as `taskresults ship` sends it.
**
** A JSON object, of which the opening bracket is missing: ship puts it behind the columns that depend on what was sent
** before. All values of a record are read and written in one go; to do so in SQL takes three times as long.
**
** The texts are written as SQLite's json_quote writes them, so that ship's own SQL, which writes the rejects and the
** records that are not written here, has the same bytes for the same values.
*/
#include "tables.h"

#include <assert.h>
#include <string.h>

/* What is not the line's own takes less than this: the keys, numbers and punctuation. */
#define KEYS_SIZE 512

/* `room` is enough for any row, as row_room() says. */
typedef struct RowText {
  char *bytes;
  size_t length, room;
} RowText;

/* In JSON, a text that is a number or nested becomes at most twice as long, and a string of the line no longer. Each
** value is there once: only a mapping could give two columns the same string, so its records are not written here. */
static size_t row_room(const TrLine *line) {
  return KEYS_SIZE + 2 * line->length + (size_t)6 * TR_SIGNATURE_SIZE;
}

static void row_put(RowText *out, const char *text, size_t length) {
  assert(length <= out->room - out->length);
  memcpy(out->bytes + out->length, text, length);
  out->length += length;
}

static void row_put_all(RowText *out, const char *text) {
  row_put(out, text, strlen(text));
}

static void row_put_number(RowText *out, int64_t number) {
  char digits[24], *at = digits + sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do *--at = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) *--at = '-';
  row_put(out, at, (size_t)(digits + sizeof digits - at));
}

/* As json_quote escapes it. */
static void row_put_character(RowText *out, unsigned char c) {
  static const char letter[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  static const char hex[] = "0123456789abcdef";
  char escape[6] = {'\\', (char)c};
  if (c < 0x20 && letter[c] == '\0') {
    memcpy(escape + 1, "u00", 3);
    escape[4] = hex[c >> 4];
    escape[5] = hex[c & 15];
    row_put(out, escape, 6);
    return;
  }
  if (c < 0x20) escape[1] = letter[c];
  if (c < 0x20 || c == '"' || c == '\\')
    row_put(out, escape, 2);
  else
    row_put(out, escape + 1, 1);
}

static void row_put_quoted(RowText *out, TrBytes bytes) {
  row_put(out, "\"", 1);
  for (size_t i = 0; i < bytes.length; i++) row_put_character(out, (unsigned char)bytes.text[i]);
  row_put(out, "\"", 1);
}

/* The length of an escape \uXXXX, or of two that are one character. */
static size_t escape_length(const char *text, size_t room) {
  const unsigned char *first = (const unsigned char *)text;
  bool is_pair = tr_is_high_surrogate(tr_hex4(first + 2)) && room >= 12 && text[6] == '\\' && text[7] == 'u' &&
                 tr_is_low_surrogate(tr_hex4(first + 8));
  return is_pair ? 12 : 6;
}

/* A string of a record, whose escapes are valid. All but \u and \/ are as json_quote would write them. */
static void row_put_string(RowText *out, const char *text, size_t length) {
  const char *end = text + length, *done = text, *at = text;
  row_put(out, "\"", 1);
  while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
    if (at[1] != 'u' && at[1] != '/') {
      at += 2;
      continue;
    }
    unsigned char decoded[12];
    size_t escape = at[1] == '/' ? 2 : escape_length(at, (size_t)(end - at));
    size_t count = tr_decode_string((const unsigned char *)at, escape, decoded);
    row_put(out, done, (size_t)(at - done));
    for (size_t i = 0; i < count; i++) row_put_character(out, decoded[i]);
    done = at += escape;
  }
  row_put(out, done, (size_t)(end - done));
  row_put(out, "\"", 1);
}

static bool is_null_span(const TrSpan *span) {
  return span->kind == TR_ABSENT || span->kind == TR_NULL || span->kind == TR_NAN;
}

/* The value as a text. SQLITE_OK or SQLITE_NOMEM. */
static int row_put_as_text(RowText *out, TrScanCursor *cursor, const char *key, TrField field, const char *if_null) {
  const TrLine *line = tr_scan_line(&cursor->scan);
  const TrSpan *span = &tr_scan_record(&cursor->scan)->field[field];
  TrBytes text;
  row_put_all(out, key);
  if (is_null_span(span)) {
    row_put_all(out, if_null);
    return SQLITE_OK;
  }
  if (span->kind == TR_STRING) {
    row_put_string(out, (const char *)line->text + span->start, span->length);
    return SQLITE_OK;
  }
  int rc = tr_span_text(line, span, tr_table_connection(&cursor->cursor)->c_locale, &cursor->cursor.scratch, &text);
  if (rc == SQLITE_OK) row_put_quoted(out, text);
  return rc;
}

/* Is `success` a value that is not written here? */
static bool is_rare_number(const TrLine *line, const TrSpan *span) {
  const size_t surely_int64 = 18; /* so many digits */
  if (span->kind == TR_INTEGER) return span->length > surely_int64 || line->text[span->start] == '-';
  return span->kind == TR_REAL || span->kind == TR_PLUS_INFINITY || span->kind == TR_MINUS_INFINITY;
}

static void row_put_success(RowText *out, const TrLine *line, const TrSpan *span) {
  if (span->kind == TR_INTEGER)
    row_put(out, (const char *)line->text + span->start, span->length);
  else if (span->kind == TR_TRUE || span->kind == TR_FALSE)
    row_put_number(out, span->kind == TR_TRUE);
  else
    row_put_all(out, "null");
}

static int row_put_signature(RowText *out, TrScanCursor *cursor, bool ok) {
  const TrLine *line = tr_scan_line(&cursor->scan);
  const TrSpan *error = &tr_scan_record(&cursor->scan)->field[TR_ERROR];
  char signature[TR_SIGNATURE_SIZE];
  TrBytes text;
  if (ok || is_null_span(error)) {
    row_put_all(out, "null");
    return SQLITE_OK;
  }
  int rc = tr_span_text(line, error, tr_table_connection(&cursor->cursor)->c_locale, &cursor->cursor.scratch, &text);
  if (rc == SQLITE_OK) row_put_quoted(out, (TrBytes){signature, tr_signature_of(text, signature)});
  return rc;
}

static int row_put_members(RowText *out, TrScanCursor *cursor) {
  const TrLine *line = tr_scan_line(&cursor->scan);
  const TrRecord *record = tr_scan_record(&cursor->scan);
  bool ok = tr_record_is_ok(line, record);
  int64_t time_us;
  row_put_all(out, "\"time_us\":");
  if (tr_span_time_us(line, &record->field[TR_TIMESTAMP], &time_us))
    row_put_number(out, time_us);
  else
    row_put_all(out, "null");
  int rc = row_put_as_text(out, cursor, ",\"timestamp\":", TR_TIMESTAMP, "null");
  if (rc == SQLITE_OK) rc = row_put_as_text(out, cursor, ",\"job_name\":", TR_JOB_NAME, "null");
  row_put_all(out, ",\"success\":");
  row_put_success(out, line, &record->field[TR_SUCCESS]);
  row_put_all(out, ",\"ok\":");
  row_put_number(out, ok);
  if (rc == SQLITE_OK) rc = row_put_as_text(out, cursor, ",\"output\":", TR_OUTPUT, "\"\"");
  if (rc == SQLITE_OK) rc = row_put_as_text(out, cursor, ",\"error\":", TR_ERROR, "\"\"");
  row_put_all(out, ",\"missing\":");
  row_put_number(out, is_null_span(&record->field[TR_OUTPUT]) + 2 * is_null_span(&record->field[TR_ERROR]));
  row_put_all(out, ",\"signature\":");
  if (rc == SQLITE_OK) rc = row_put_signature(out, cursor, ok);
  row_put_all(out, ",\"offset\":");
  row_put_number(out, line->offset);
  row_put(out, "}", 1);
  return rc;
}

int tr_lines_result_row(sqlite3_context *context, TrScanCursor *cursor) {
  const TrLine *line = tr_scan_line(&cursor->scan);
  if (tr_scan_reason(&cursor->scan) != TR_OK || cursor->scan.mapping) return SQLITE_OK;
  if (is_rare_number(line, &tr_scan_record(&cursor->scan)->field[TR_SUCCESS])) return SQLITE_OK;
  RowText out = {.room = row_room(line)};
  out.bytes = sqlite3_malloc64(out.room);
  if (out.bytes == NULL) return SQLITE_NOMEM;
  int rc = row_put_members(&out, cursor);
  if (rc == SQLITE_OK)
    sqlite3_result_text64(context, out.bytes, out.length, sqlite3_free, SQLITE_UTF8);
  else
    sqlite3_free(out.bytes);
  return rc;
}

void tr_lines_result_hash(sqlite3_context *context, const TrLine *line) {
  char instead[48];
  const void *bytes = line->text;
  size_t length = line->length;
  if (bytes == NULL) {
    sqlite3_snprintf(sizeof instead, instead, "of %lld bytes", (long long)line->length);
    bytes = instead;
    length = strlen(instead);
  }
  sqlite3_result_int64(context, (int64_t)tr_hash_bytes(bytes, length));
}
