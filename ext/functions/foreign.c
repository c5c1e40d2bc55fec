/*
** foreign.c - taskresults_epoch(value) and taskresults_text(value, most): what other programs keep in their databases,
** as a record can have it.
**
**   SELECT taskresults_epoch(1770000000123);           -- milliseconds: 1770000000123000
**   SELECT taskresults_text(x'6f6bff', 5000);          -- 'ok' and U+FFFD
**
** Neither ever fails, because one odd row must not keep a thousand good ones out: what cannot be a time is NULL.
*/
#include "functions.h"

#include <math.h>

#define EARLIEST_EPOCH_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define LATEST_EPOCH_US INT64_C(253402300799999999)   /* 9999-12-31T23:59:59.999999Z */
#define SECONDS_BELOW 1e11                            /* nobody's seconds are that large: the year 5138 */
#define MILLISECONDS_BELOW 1e14

/* --- times ------------------------------------------------------------------------------------------------------- */

/* Seconds, milliseconds or microseconds since 1970: the size tells. */
static bool epoch_of_real(double number, int64_t *time_us) {
  double unit = fabs(number) < SECONDS_BELOW ? 1e6 : fabs(number) < MILLISECONDS_BELOW ? 1e3 : 1;
  double rounded = round(number * unit);
  if (!(rounded >= (double)EARLIEST_EPOCH_US && rounded <= (double)LATEST_EPOCH_US)) return false;
  *time_us = (int64_t)rounded;
  return true;
}

/* Exact, where a REAL would round. */
static bool epoch_of_integer(int64_t number, int64_t *time_us) {
  int64_t unit = 1;
  if (number > -(int64_t)MILLISECONDS_BELOW && number < (int64_t)MILLISECONDS_BELOW) unit = 1000;
  if (number > -(int64_t)SECONDS_BELOW && number < (int64_t)SECONDS_BELOW) unit = 1000000;
  *time_us = number * unit;
  return *time_us >= EARLIEST_EPOCH_US && *time_us <= LATEST_EPOCH_US;
}

static bool epoch_of_value(sqlite3_value *value, const char *text, int64_t *time_us) {
  if (text && tr_timestamp_parse(text, (size_t)sqlite3_value_bytes(value), time_us)) return true;
  switch (sqlite3_value_numeric_type(value)) {
  case SQLITE_INTEGER: return epoch_of_integer(sqlite3_value_int64(value), time_us);
  case SQLITE_FLOAT: return epoch_of_real(sqlite3_value_double(value), time_us);
  default: return false;
  }
}

/* taskresults_epoch(value) -> INTEGER: microseconds since 1970; NULL for what is no time. */
static void epoch_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  int64_t time_us;
  bool is_text = sqlite3_value_type(argv[0]) == SQLITE_TEXT;
  const char *text = is_text ? (const char *)sqlite3_value_text(argv[0]) : NULL;
  (void)argc;
  if (is_text && text == NULL) {
    sqlite3_result_error_nomem(context);
  } else if (epoch_of_value(argv[0], text, &time_us)) {
    sqlite3_result_int64(context, time_us);
  }
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

/* The bytes of the first `most` code points of a valid text. */
static size_t bytes_of_points(const unsigned char *text, size_t length, size_t most) {
  size_t at = 0;
  while (at < length && most > 0) {
    at += text[at] < 0x80 ? 1 : tr_utf8_sequence(text + at, length - at);
    most--;
  }
  return at;
}

/* taskresults_text(value [, most]) -> TEXT in UTF-8, of at most so many code points; NULL for NULL. */
static void text_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  int type = sqlite3_value_type(argv[0]);
  if (type == SQLITE_NULL) return;
  const unsigned char *bytes = type == SQLITE_BLOB ? sqlite3_value_blob(argv[0]) : sqlite3_value_text(argv[0]);
  size_t length = (size_t)sqlite3_value_bytes(argv[0]), most = length;
  if (bytes == NULL && type != SQLITE_BLOB) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (argc == 2 && sqlite3_value_int64(argv[1]) < (int64_t)most) {
    most = sqlite3_value_int64(argv[1]) > 0 ? (size_t)sqlite3_value_int64(argv[1]) : 0;
  }
  if (length / 4 > most) length = 4 * most; /* no code point has more bytes, and what is cut off need not be copied */
  unsigned char *out = sqlite3_malloc64(3 * length + 1);
  if (out == NULL) {
    sqlite3_result_error_nomem(context);
    return;
  }
  size_t written = length ? tr_utf8_repair(bytes, length, out) : 0;
  written = bytes_of_points(out, written, most);
  sqlite3_result_text64(context, (char *)out, written, sqlite3_free, SQLITE_UTF8);
}

int tr_foreign_register(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int code = sqlite3_create_function_v2(db, "taskresults_epoch", 1, flags, NULL, epoch_function, NULL, NULL, NULL);
  for (int argc = 1; argc <= 2 && code == SQLITE_OK; argc++) {
    code = sqlite3_create_function_v2(db, "taskresults_text", argc, flags, NULL, text_function, NULL, NULL, NULL);
  }
  return code;
}
