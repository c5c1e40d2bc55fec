/*
** schedule.c - a schedule as text -> what it means. The forms, in upper or lower case, with white space around:
**
**   every 5 minutes, every hour      N seconds, minutes, hours, days or weeks after the last run has ended. `sec`,
**                                    `min` and `hr` are as good, with or without an s
**   in 10 minutes                    the same; once, unless the job is recurring
**   every day at 9, 09:30, 9:30 pm   each day at that time
**   0 9 * * 1-5                      cron: see cron.c
**   @hourly @daily @midnight @weekly @monthly @yearly @annually
**
** Anything that the scheduler would not understand is refused.
*/
#include "scheduler.h"

#include <string.h>

typedef struct Words {
  const char *at, *end;
} Words;

static void skip_spaces(Words *words) {
  while (words->at < words->end && tr_is_blank(*words->at)) words->at++;
}

/* Takes the word, if it stands there as a whole, and the white space after it. */
static bool take_schedule_word(Words *words, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(words->end - words->at) < length || sqlite3_strnicmp(words->at, word, (int)length) != 0) return false;
  const char *behind = words->at + length;
  if (behind < words->end && !tr_is_blank(*behind)) return false;
  words->at = behind;
  skip_spaces(words);
  return true;
}

/* Takes digits, and the white space after them. */
static bool take_amount(Words *words, int64_t limit, int64_t *amount) {
  const char *start = words->at;
  *amount = 0;
  for (; words->at < words->end && tr_is_digit(*words->at); words->at++) {
    *amount = *amount * 10 + (*words->at - '0');
    if (*amount > limit) return false;
  }
  return words->at > start;
}

/* --- every N unit ------------------------------------------------------------------------------------------------- */

/* 0: there is no such unit. */
static int64_t unit_seconds(const Words *words, bool may_be_weeks) {
  static const struct {
    const char *name, *other;
    int64_t seconds;
  } interval_units[] = {{"second", "sec", 1}, {"minute", "min", 60}, {"hour", "hr", 3600}, {"day", "day", 86400}};
  size_t length = (size_t)(words->end - words->at);
  while (length > 0 && (words->at[length - 1] | 0x20) == 's') length--;
  for (size_t i = 0; i < sizeof interval_units / sizeof *interval_units; i++) {
    bool is_name = length == strlen(interval_units[i].name) &&
                   sqlite3_strnicmp(words->at, interval_units[i].name, (int)length) == 0;
    bool is_other = length == strlen(interval_units[i].other) &&
                    sqlite3_strnicmp(words->at, interval_units[i].other, (int)length) == 0;
    if (is_name || is_other) return interval_units[i].seconds;
  }
  return may_be_weeks && length == 4 && sqlite3_strnicmp(words->at, "week", 4) == 0 ? 7 * 86400 : 0;
}

#define LONGEST_INTERVAL_S (INT64_C(9999) * 366 * 86400)

static int parse_interval(Words words, bool is_every, TrSchedule *schedule, char **cause) {
  int64_t amount = 1;
  bool counted = words.at < words.end && tr_is_digit(*words.at);
  if (counted && !take_amount(&words, LONGEST_INTERVAL_S, &amount))
    return tr_error(cause, SQLITE_MISMATCH, "that is too long");
  bool is_apart = words.at < words.end && tr_is_blank(*words.at);
  skip_spaces(&words);
  if (words.at == words.end || (counted && !is_apart) || (!counted && !is_every)) {
    return tr_error(cause, SQLITE_MISMATCH, "a number and a unit are missing");
  }
  int64_t unit = unit_seconds(&words, is_every);
  if (unit == 0) {
    return tr_error(cause, SQLITE_MISMATCH, "'%.*s' is no unit of time",
                    tr_utf8_cut(words.at, (size_t)(words.end - words.at), 100), words.at);
  }
  if (amount == 0) return tr_error(cause, SQLITE_MISMATCH, "0 is no interval");
  if (amount > LONGEST_INTERVAL_S / unit) return tr_error(cause, SQLITE_MISMATCH, "that is too long");
  schedule->interval_us = amount * unit * TR_US_PER_SECOND;
  schedule->is_single = !is_every;
  return SQLITE_OK;
}

/* --- every day at ------------------------------------------------------------------------------------------------- */

/* Hours of one or two digits, minutes of two. */
static bool take_clock(Words *words, int64_t *hour, int64_t *minute) {
  const char *start = words->at;
  *minute = 0;
  if (!take_amount(words, 23, hour) || words->at - start > 2) return false;
  if (words->at < words->end && *words->at == ':') {
    words->at++;
    start = words->at;
    if (!take_amount(words, 59, minute) || words->at - start != 2) return false;
  }
  skip_spaces(words);
  return true;
}

static int parse_daily(Words words, TrSchedule *schedule, char **cause) {
  int64_t hour, minute;
  bool is_read = take_clock(&words, &hour, &minute), is_morning = false, is_evening = false;
  if (is_read) is_morning = take_schedule_word(&words, "am");
  if (is_read && !is_morning) is_evening = take_schedule_word(&words, "pm");
  if (is_morning || is_evening) {
    is_read = hour >= 1 && hour <= 12;
    hour = hour % 12 + (is_evening ? 12 : 0);
  }
  if (!is_read || words.at != words.end) {
    return tr_error(cause, SQLITE_MISMATCH, "after `every day at`, a time such as 09:30 or 9:30 am is missing");
  }
  schedule->cron = (TrCron){.minutes = UINT64_C(1) << minute,
                            .hours = 1u << hour,
                            .days = UINT32_MAX - 1,
                            .months = UINT32_MAX,
                            .weekdays = 0x7f,
                            .any_day = true,
                            .any_weekday = true};
  return SQLITE_OK;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int parse_nickname(Words words, TrSchedule *schedule, char **cause) {
  static const struct {
    const char *name, *fields;
  } names[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
               {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
               {"@annually", "0 0 1 1 *"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    Words rest = words;
    if (take_schedule_word(&rest, names[i].name) && rest.at == rest.end)
      return tr_cron_parse(names[i].fields, strlen(names[i].fields), &schedule->cron, cause);
  }
  return tr_error(cause, SQLITE_MISMATCH, "it is no time, as @daily is");
}

int tr_schedule_parse(const char *text, size_t length, TrSchedule *schedule, char **cause) {
  Words words = {text, text + length};
  *schedule = (TrSchedule){0};
  skip_spaces(&words);
  while (words.end > words.at && tr_is_blank(words.end[-1])) words.end--;
  if (words.at == words.end) return tr_error(cause, SQLITE_MISMATCH, "it is empty");
  if (*words.at == '@') return parse_nickname(words, schedule, cause);
  if (take_schedule_word(&words, "in")) return parse_interval(words, false, schedule, cause);
  if (take_schedule_word(&words, "every")) {
    Words rest = words;
    bool is_daily = take_schedule_word(&rest, "day") && take_schedule_word(&rest, "at");
    return is_daily ? parse_daily(rest, schedule, cause) : parse_interval(words, true, schedule, cause);
  }
  return tr_cron_parse(words.at, (size_t)(words.end - words.at), &schedule->cron, cause);
}

/* SQLITE_MISMATCH with NULL in *cause: out of memory. `cron` counts, unless the scheduler would refuse it. */
int tr_schedule_of_job(const TrJson *job, TrSchedule *schedule, char **cause) {
  const char *cron = tr_json_text(tr_json_member(job, "cron"));
  const char *text = tr_json_text(tr_json_member(job, "schedule"));
  bool has_cron = cron && *cron;
  int code = has_cron ? tr_schedule_parse(cron, strlen(cron), schedule, cause) : SQLITE_MISMATCH;
  if (code != SQLITE_MISMATCH) return code;
  if (text == NULL) return has_cron ? code : tr_error(cause, code, "it has no schedule");
  sqlite3_free(*cause);
  *cause = NULL;
  code = tr_schedule_parse(text, strlen(text), schedule, cause);
  if (code != SQLITE_MISMATCH || *cause == NULL) return code;
  char *why = *cause;
  *cause = NULL;
  code = tr_error(cause, code, "schedule '%!.100s' is not understood: %s", text, why);
  sqlite3_free(why);
  return code;
}
