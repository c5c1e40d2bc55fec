/*
** times.c - times and lengths of time, as people write them, for SQL:
**
**   taskresults_time(TEXT)           microseconds since 1970: taskresults_time('7d'), taskresults_time('2026-02-14')
**   taskresults_time(TEXT, 'until')  the same, but of a whole day ('2026-02-14', 'today') the last microsecond
**   taskresults_time(TEXT, ZONE)     as with one argument, but days, and times without a zone of their own, are those
**                                    of that zone: 'Europe/Berlin', 'UTC', 'local'
**   taskresults_time(TEXT, 'until', ZONE)
**   taskresults_span(TEXT)           microseconds: taskresults_span('90 days')
**   taskresults_span(TEXT, 'seconds') the same, but a number alone is seconds, and may have a fraction
**
**   taskresults_local(US, ZONE)      what the clocks of a zone show at that time, to the second, and how far they are
**                                    ahead of UTC: '2026-10-25T02:30:00+02:00'; in UTC '2026-10-25T00:30:00Z'. Without
**                                    ZONE it is UTC. NULL before the year 0 and after 9999
**
**   taskresults_untimed() how many records conditions on time skipped so far on this connection because their time
**                                    cannot be read. They are in no range of times, so nothing else shows them
**
** The forms are those of read/time.c and base/timespan.c. NULL gives NULL, and an integer, which is microseconds
** already, itself. A text that cannot be read is an error, never NULL: a condition with NULL would select nothing, or,
** in a prune, everything.
**
** If the clocks of the zone show a time twice, the result is the first, and with 'until' the last.
*/
#include "functions.h"

#include <string.h>

/* True: the argument is NULL or an integer, and the result is set. */
static bool passes_as_it_is(sqlite3_context *context, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type != SQLITE_NULL && type != SQLITE_INTEGER) return false;
  sqlite3_result_value(context, value);
  return true;
}

static void result_error(sqlite3_context *context, const char *format, const char *text) {
  char *message = sqlite3_mprintf(format, text);
  if (message)
    sqlite3_result_error(context, message, -1);
  else
    sqlite3_result_error_nomem(context);
  sqlite3_free(message);
}

/* False: not a text, and the error is set. The type is checked first, because reading a value as text converts it. */
static bool read_text_argument(sqlite3_context *context, sqlite3_value *value, const char *error, TrBytes *text) {
  int type = sqlite3_value_type(value);
  text->text = (const char *)sqlite3_value_text(value);
  text->length = (size_t)sqlite3_value_bytes(value);
  if (type == SQLITE_TEXT && text->text) return true;
  if (type == SQLITE_TEXT)
    sqlite3_result_error_nomem(context);
  else
    result_error(context, error, type == SQLITE_BLOB ? "(a BLOB)" : text->text);
  return false;
}

/* Sets whether the second argument is there, and is `word`. False: it is another word, and the error is set. */
static bool read_word(sqlite3_context *context, int argc, sqlite3_value **argv, const char *word, const char *error,
                      bool *is_set) {
  const char *text = argc > 1 ? (const char *)sqlite3_value_text(argv[1]) : NULL;
  *is_set = text && strcmp(text, word) == 0;
  if (argc < 2 || *is_set) return true;
  result_error(context, error, text ? text : "NULL");
  return false;
}

/* Why there is no such zone. Frees the message. */
static void result_zone_error(sqlite3_context *context, int code, const char *format, char *message) {
  if (code == SQLITE_NOMEM || message == NULL)
    sqlite3_result_error_nomem(context);
  else
    result_error(context, format, message);
  sqlite3_free(message);
}

/* The zone that the last argument names, after `until` or `since` or in place of them. False: the error is set. */
static bool read_time_words(sqlite3_context *context, int argc, sqlite3_value **argv, bool *is_until, TrZone **zone) {
  static const char bad_word[] = "taskresults_time: the second argument is 'since' or 'until', not '%!.100s'";
  char *message = NULL;
  *zone = NULL;
  const char *word = argc > 1 ? (const char *)sqlite3_value_text(argv[1]) : "since";
  *is_until = word && strcmp(word, "until") == 0;
  bool is_word = *is_until || (word && strcmp(word, "since") == 0);
  if (argc < 3 && is_word) return true;
  if (argc == 3 && !is_word) {
    result_error(context, bad_word, word ? word : "NULL");
    return false;
  }
  const char *name = (const char *)sqlite3_value_text(argv[argc - 1]);
  int code = tr_zone_load(name ? name : "", zone, &message);
  if (code == SQLITE_OK) return true;
  result_zone_error(
      context, code,
      argc < 3 ? "taskresults_time: neither 'since' nor 'until', and no zone: %s" : "taskresults_time: %s", message);
  return false;
}

static void time_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  static const char no_time[] = "taskresults_time: '%!.100s' is no time; write " TR_TIME_FORMS;
  bool is_until;
  TrTimePoint point;
  TrBytes text;
  TrZone *zone;
  if (!read_time_words(context, argc, argv, &is_until, &zone)) return;
  if (!passes_as_it_is(context, argv[0]) && read_text_argument(context, argv[0], no_time, &text)) {
    if (tr_time_parse(text.text, text.length, tr_clock_us(), zone, &point))
      sqlite3_result_int64(context, is_until ? point.last_us : point.first_us);
    else
      result_error(context, no_time, text.text);
  }
  tr_zone_free(zone);
}

static void span_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  static const char bad_word[] = "taskresults_span: the second argument can be 'seconds' only, not '%!.100s'";
  static const char no_span[] = "taskresults_span: '%!.100s' is no length of time; write " TR_TIMESPAN_FORMS;
  bool plain_seconds;
  int64_t us;
  TrBytes text;
  if (!read_word(context, argc, argv, "seconds", bad_word, &plain_seconds)) return;
  if (passes_as_it_is(context, argv[0])) return;
  if (!read_text_argument(context, argv[0], no_span, &text)) return;
  if (tr_timespan_parse(text.text, text.length, plain_seconds, &us))
    sqlite3_result_int64(context, us);
  else
    result_error(context, no_span, text.text);
}

/* The zone that argument 1 names: read once for a statement, not for each row. False: the error is set. */
static bool read_zone_once(sqlite3_context *context, int argc, sqlite3_value **argv, TrZone **zone, bool *is_owned) {
  char *message = NULL;
  *zone = argc > 1 ? sqlite3_get_auxdata(context, 1) : NULL;
  *is_owned = false;
  if (argc < 2 || *zone != NULL) return true;
  const char *name = (const char *)sqlite3_value_text(argv[1]);
  int code = tr_zone_load(name ? name : "", zone, &message);
  *is_owned = code == SQLITE_OK;
  if (*is_owned) return true;
  result_zone_error(context, code, "taskresults_local: %s", message);
  return false;
}

/* "+02:00"; where clocks once went by the sun, "+00:53:28". */
static void write_offset(int32_t offset_s, char *text, int size) {
  int32_t ahead_s = offset_s < 0 ? -offset_s : offset_s;
  sqlite3_snprintf(size, text, "%c%02d:%02d", offset_s < 0 ? '-' : '+', ahead_s / 3600, ahead_s / 60 % 60);
  size_t length = strlen(text);
  if (ahead_s % 60 != 0) sqlite3_snprintf(size - (int)length, text + length, ":%02d", ahead_s % 60);
}

static int64_t floor_by(int64_t number, int64_t divisor) {
  return number / divisor - (number % divisor < 0);
}

static void result_local(sqlite3_context *context, int64_t utc_us, const TrZone *zone) {
  int64_t from = tr_days_from_civil(0, 1, 1), to = tr_days_from_civil(9999, 12, 31);
  int64_t utc_days = floor_by(utc_us, 86400 * TR_US_PER_SECOND);
  if (utc_days < from - 2 || utc_days > to + 2) return; /* near the ends of integers nothing can be added */
  int64_t local_us = tr_zone_local_us(zone, utc_us), local_s = floor_by(local_us, TR_US_PER_SECOND);
  int64_t days = floor_by(local_s, 86400);
  int32_t day_s = (int32_t)(local_s - days * 86400);
  int year, month, day;
  char offset[16] = "Z", text[64];
  if (days < from || days > to) return;
  tr_civil_from_days(days, &year, &month, &day);
  if (zone != NULL) write_offset((int32_t)((local_us - utc_us) / TR_US_PER_SECOND), offset, sizeof offset);
  sqlite3_snprintf(sizeof text, text, "%04d-%02d-%02dT%02d:%02d:%02d%s", year, month, day, day_s / 3600,
                   day_s / 60 % 60, day_s % 60, offset);
  sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void free_zone(void *zone) {
  tr_zone_free(zone);
}

static void local_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  TrZone *zone;
  bool is_owned;
  if (!read_zone_once(context, argc, argv, &zone, &is_owned)) return;
  int type = sqlite3_value_type(argv[0]);
  if (type == SQLITE_INTEGER)
    result_local(context, sqlite3_value_int64(argv[0]), zone);
  else if (type != SQLITE_NULL)
    sqlite3_result_error(context, "taskresults_local: the first argument is a time in microseconds, as in time_us", -1);
  if (is_owned && zone != NULL) sqlite3_set_auxdata(context, 1, zone, free_zone); /* which may free it at once */
}

static void untimed_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  const TrConnection *connection = sqlite3_user_data(context);
  sqlite3_result_int64(context, (sqlite3_int64)connection->untimed);
}

int tr_time_functions_register(TrConnection *connection) {
  sqlite3 *db = connection->db;
  int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS, code = SQLITE_OK;
  for (int argc = 1; argc <= 3 && code == SQLITE_OK; argc++) { /* not deterministic: now goes on */
    code = sqlite3_create_function_v2(db, "taskresults_time", argc, flags, NULL, time_function, NULL, NULL, NULL);
  }
  for (int argc = 1; argc <= 2 && code == SQLITE_OK; argc++) {
    code = sqlite3_create_function_v2(db, "taskresults_span", argc, flags | SQLITE_DETERMINISTIC, NULL, span_function,
                                      NULL, NULL, NULL);
  }
  for (int argc = 1; argc <= 2 && code == SQLITE_OK; argc++) { /* not deterministic: zones are files */
    code = sqlite3_create_function_v2(db, "taskresults_local", argc, flags, NULL, local_function, NULL, NULL, NULL);
  }
  if (code != SQLITE_OK) return code;
  connection->references++;
  return sqlite3_create_function_v2(db, "taskresults_untimed", 0, flags, connection, untimed_function, NULL, NULL,
                                    tr_connection_unref);
}
