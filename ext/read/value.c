/*
** value.c - span -> SQL value: exactly what json_extract() would return, and only for columns that the query reads; or
** span -> text, for our own C code.
*/
#include "read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#define HIDDEN_BACKSLASH '\xFF'

static bool scratch_reserve(TrScratch *scratch, size_t room) {
  if (room <= scratch->room) return true;
  unsigned char *bytes = tr_array_grow(scratch->bytes, &scratch->room, room, 1);
  if (bytes) scratch->bytes = bytes;
  return bytes != NULL;
}

/* With length -1, SQLite finds the text's end itself and copies the text with its NUL into memory that its register
** already has. With an explicit length it would allocate anew to add a NUL later. Only a text that contains a NUL
** itself needs its length. */
static void result_string(sqlite3_context *context, const unsigned char *text, const TrSpan *span, TrScratch *scratch) {
  if (!scratch_reserve(scratch, (size_t)span->length + 1)) {
    sqlite3_result_error_nomem(context);
    return;
  }
  char *bytes = (char *)scratch->bytes;
  size_t length = span->length;
  if (span->escaped)
    length = tr_decode_string(text, length, scratch->bytes);
  else
    memcpy(bytes, text, length);
  bytes[length] = '\0';
  if (span->escaped && strlen(bytes) < length)
    sqlite3_result_text64(context, bytes, length, SQLITE_TRANSIENT, SQLITE_UTF8);
  else
    sqlite3_result_text(context, bytes, -1, SQLITE_TRANSIENT);
}

/* strtod() is correctly rounded, as Python's float is, but follows the host's locale: hence the locale argument. It
** stops at the span's end, because no character of a number follows there. */
static double span_to_double(const unsigned char *text, locale_t c_locale) {
  return strtod_l((const char *)text, NULL, c_locale);
}

static bool is_int64(const unsigned char *text, const TrSpan *span, int64_t *value) {
  char digits[24];
  if (span->length > 20) return false;
  memcpy(digits, text, span->length);
  digits[span->length] = '\0';
  errno = 0;
  *value = strtoll(digits, NULL, 10);
  return errno == 0;
}

/* INTEGER if it fits into int64_t, else REAL. */
static void result_integer(sqlite3_context *context, const unsigned char *text, const TrSpan *span, locale_t c_locale) {
  int64_t value;
  if (is_int64(text, span, &value)) {
    sqlite3_result_int64(context, value);
  } else {
    sqlite3_result_double(context, span_to_double(text, c_locale));
  }
}

/* Replaces every pair of equal bytes `from` by a pair of `to`. */
static void replace_pairs(char *text, size_t length, char from, char to) {
  for (size_t i = 0; i + 1 < length; i++) {
    if (text[i] != from || text[i + 1] != from) continue;
    text[i] = text[i + 1] = to;
    i++;
  }
}

/* The source text without the white space between its tokens. cJSON_Minify() works on the text itself and changes
** nothing else, so that numbers keep every digit and NaN stays NaN; printing a parsed tree would not. But it mistakes
** the end of "\\" for an escaped quote and reads past the end of the string; so we hide escaped backslashes from it,
** replacing them by a byte that never occurs in UTF-8. */
static size_t minify(const unsigned char *text, const TrSpan *span, char *out) {
  memcpy(out, text, span->length);
  out[span->length] = '\0';
  replace_pairs(out, span->length, '\\', HIDDEN_BACKSLASH);
  cJSON_Minify(out);
  size_t length = strlen(out);
  replace_pairs(out, length, HIDDEN_BACKSLASH, '\\');
  return length;
}

/* In the form of our scheduler's timestamps. */
static size_t format_epoch(const unsigned char *text, const TrSpan *span, char out[TR_TIMESTAMP_SIZE]) {
  int64_t time_us = 0;
  tr_epoch_parse((const char *)text, span->length, &time_us); /* else it would not be TR_EPOCH */
  tr_timestamp_format(time_us, out);
  return strlen(out);
}

static void result_epoch(sqlite3_context *context, const unsigned char *text, const TrSpan *span) {
  char out[TR_TIMESTAMP_SIZE];
  format_epoch(text, span, out);
  sqlite3_result_text(context, out, -1, SQLITE_TRANSIENT);
}

static void result_nested(sqlite3_context *context, const unsigned char *text, const TrSpan *span) {
  char *copy = sqlite3_malloc64((sqlite3_uint64)span->length + 1);
  if (copy == NULL) {
    sqlite3_result_error_nomem(context);
    return;
  }
  sqlite3_result_text64(context, copy, minify(text, span, copy), sqlite3_free, SQLITE_UTF8);
}

void tr_scratch_free(TrScratch *scratch) {
  sqlite3_free(scratch->bytes);
  *scratch = (TrScratch){0};
}

void tr_result_span(sqlite3_context *context, const TrLine *line, const TrSpan *span, locale_t c_locale,
                    TrScratch *scratch) {
  const unsigned char *text = line->text + span->start;
  switch ((TrKind)span->kind) {
  case TR_ABSENT:
  case TR_NULL:
  case TR_UNKNOWN:
  case TR_NAN: sqlite3_result_null(context); break;
  case TR_FALSE: sqlite3_result_int(context, 0); break;
  case TR_TRUE: sqlite3_result_int(context, 1); break;
  case TR_INTEGER: result_integer(context, text, span, c_locale); break;
  case TR_REAL: sqlite3_result_double(context, span_to_double(text, c_locale)); break;
  case TR_PLUS_INFINITY: sqlite3_result_double(context, HUGE_VAL); break;
  case TR_MINUS_INFINITY: sqlite3_result_double(context, -HUGE_VAL); break;
  case TR_STRING: result_string(context, text, span, scratch); break;
  case TR_NESTED: result_nested(context, text, span); break;
  case TR_EPOCH: result_epoch(context, text, span); break;
  case TR_UNREAD: /* the plan of the query did not name this column */
  case TR_TIME: sqlite3_result_error_code(context, SQLITE_INTERNAL); break;
  }
}

/* --- as text ------------------------------------------------------------------------------------------------------ */

#define NUMBER_SIZE 40 /* more than any number of SQLite's takes */

static size_t print_double(double value, char *out) {
  sqlite3_snprintf(NUMBER_SIZE, out, "%!.15g", value); /* as SQLite does when it casts */
  return strlen(out);
}

static size_t print_integer(const unsigned char *text, const TrSpan *span, locale_t c_locale, char *out) {
  int64_t value;
  if (!is_int64(text, span, &value)) return print_double(span_to_double(text, c_locale), out);
  sqlite3_snprintf(NUMBER_SIZE, out, "%lld", (long long)value);
  return strlen(out);
}

int tr_span_text(const TrLine *line, const TrSpan *span, locale_t c_locale, TrScratch *scratch, TrBytes *text) {
  bool is_there = span->kind != TR_ABSENT;
  const unsigned char *source = is_there ? line->text + span->start : NULL;
  if (!scratch_reserve(scratch, (is_there ? span->length : 0) + (size_t)NUMBER_SIZE)) return SQLITE_NOMEM;
  char *out = (char *)scratch->bytes;
  *text = (TrBytes){.text = out};
  switch ((TrKind)span->kind) {
  case TR_ABSENT:
  case TR_NULL:
  case TR_UNKNOWN:
  case TR_NAN: break;
  case TR_FALSE:
  case TR_TRUE: *text = (TrBytes){span->kind == TR_TRUE ? "1" : "0", 1}; break;
  case TR_INTEGER: text->length = print_integer(source, span, c_locale, out); break;
  case TR_REAL: text->length = print_double(span_to_double(source, c_locale), out); break;
  case TR_PLUS_INFINITY: text->length = print_double(HUGE_VAL, out); break;
  case TR_MINUS_INFINITY: text->length = print_double(-HUGE_VAL, out); break;
  case TR_STRING:
    if (span->escaped)
      text->length = tr_decode_string(source, span->length, scratch->bytes);
    else
      *text = (TrBytes){(const char *)source, span->length};
    break;
  case TR_NESTED: text->length = minify(source, span, out); break;
  case TR_EPOCH: text->length = format_epoch(source, span, out); break;
  case TR_UNREAD:
  case TR_TIME: return SQLITE_INTERNAL;
  }
  return SQLITE_OK;
}
