/*
** cron.c - the five fields of a cron expression -> the minutes, hours and days that it names.
**
**   field    = item { "," item }
**   item     = ( "*" | value | value "-" value ) [ "/" step ]          a value with a step goes up to the end
**   value    = number | jan to dec | sun to sat | L (the last day of a month)
**
** as the scheduler reads it with Python's croniter: 7 is a Sunday, so `fri-sun` is valid; if both the day of the month
** and the weekday are restricted, a day needs to match only one of them. Upper case is allowed. croniter's extensions
** beyond five fields (seconds, `#`, `L` of weekdays, hashes) are refused, like everything else.
**
** A field `*` restricts nothing. One that names all values in another way does count as a restriction, unless the other
** field has a `*`: croniter does so since 2.0 (before, such a field never counted), and so does cron itself for ranges.
*/
#include "scheduler.h"

#include <string.h>

typedef struct CronField {
  const char *name;
  int low, high;
  const char *names; /* in order, three letters each; NULL: no names */
  int first_name;    /* the value of the first name */
} CronField;

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const CronField cron_fields[FIELD_COUNT] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    {"weekday", 0, 7, "sunmontuewedthufrisat", 0},
};

typedef struct CronText {
  const char *at, *end;
} CronText;

#define LAST_DAY_VALUE (-1)

static bool take_cron_mark(CronText *text, char mark) {
  if (text->at == text->end || *text->at != mark) return false;
  text->at++;
  return true;
}

/* Digits only. False: too large for an int. */
static bool take_cron_number(CronText *text, int *number) {
  const char *start = text->at;
  *number = 0;
  for (; text->at < text->end && tr_is_digit(*text->at); text->at++) {
    if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, *text->at - '0', number))
      return false;
  }
  return text->at > start;
}

static bool take_cron_name(CronText *text, const CronField *field, int *value) {
  size_t count = field->names ? strlen(field->names) / 3 : 0;
  if (text->end - text->at < 3) return false;
  for (size_t i = 0; i < count; i++) {
    if (sqlite3_strnicmp(text->at, field->names + 3 * i, 3) != 0) continue;
    text->at += 3;
    *value = field->first_name + (int)i;
    return true;
  }
  return false;
}

static bool take_cron_value(CronText *text, const CronField *field, int *value) {
  if (field == &cron_fields[DAY] && text->at < text->end && (*text->at | 0x20) == 'l') {
    text->at++;
    *value = LAST_DAY_VALUE;
    return true;
  }
  if (text->at < text->end && tr_is_digit(*text->at)) {
    return take_cron_number(text, value) && *value >= field->low && *value <= field->high;
  }
  return take_cron_name(text, field, value);
}

/* An `L` alone is the last day of each month; after a dash it is 31. */
static bool end_range(CronText *text, const CronField *field, int low, int *high) {
  if (!take_cron_value(text, field, high)) return false;
  if (*high == LAST_DAY_VALUE) *high = field->high;
  if (field == &cron_fields[WEEKDAY] && *high == 0 && low > 0) *high = 7;
  return low != LAST_DAY_VALUE && low <= *high;
}

typedef struct CronValues {
  uint64_t values; /* bit n: n is named */
  bool has_star;   /* also with a step behind it, */
  bool is_star;    /* by itself */
} CronValues;

static bool take_cron_item(CronText *text, const CronField *field, CronValues *read) {
  int low = field->low, high = field->high, step = 1;
  bool is_star = take_cron_mark(text, '*'), is_one = false;
  if (!is_star) {
    if (!take_cron_value(text, field, &low)) return false;
    is_one = !take_cron_mark(text, '-');
    if (!is_one && !end_range(text, field, low, &high)) return false;
  }
  read->has_star |= is_star;
  if (take_cron_mark(text, '/')) {
    if (!take_cron_number(text, &step) || step == 0 || low == LAST_DAY_VALUE) return false;
  } else if (is_one) {
    high = low;
  } else {
    read->is_star |= is_star;
  }
  if (low == LAST_DAY_VALUE) {
    read->values |= TR_LAST_DAY;
    return true;
  }
  for (int64_t value = low; value <= high; value += step) read->values |= UINT64_C(1) << value;
  return true;
}

static bool read_cron_field(CronText text, const CronField *field, CronValues *read) {
  *read = (CronValues){0};
  do {
    if (!take_cron_item(&text, field, read)) return false;
  } while (take_cron_mark(&text, ','));
  return text.at == text.end;
}

static int not_a_field(const CronText *text, const CronField *field, char **cause) {
  return tr_error(cause, SQLITE_MISMATCH, "'%.*s' is no %s", tr_utf8_cut(text->at, (size_t)(text->end - text->at), 100),
                  text->at, field->name);
}

/* The next word; empty at the end. */
static CronText next_word(CronText *rest) {
  while (rest->at < rest->end && tr_is_blank(*rest->at)) rest->at++;
  CronText word = {rest->at, rest->at};
  while (word.end < rest->end && !tr_is_blank(*word.end)) word.end++;
  rest->at = word.end;
  return word;
}

static void set_cron(TrCron *cron, const CronValues field[FIELD_COUNT]) {
  const uint32_t all_days = UINT32_MAX - 1, all_weekdays = 0x7f;
  uint64_t weekdays = field[WEEKDAY].values;
  if (weekdays & UINT64_C(1) << 7) weekdays |= 1;
  *cron = (TrCron){.minutes = field[MINUTE].values,
                   .hours = (uint32_t)field[HOUR].values,
                   .days = (uint32_t)field[DAY].values,
                   .months = (uint32_t)field[MONTH].values,
                   .weekdays = (uint32_t)weekdays & all_weekdays};
  bool names_all_days = (cron->days & all_days) == all_days, names_all_weekdays = cron->weekdays == all_weekdays;
  cron->any_day = field[DAY].is_star || (names_all_days && field[WEEKDAY].has_star);
  cron->any_weekday = field[WEEKDAY].is_star || (names_all_weekdays && field[DAY].has_star);
}

int tr_cron_parse(const char *bytes, size_t length, TrCron *cron, char **cause) {
  CronText rest = {bytes, bytes + length}, word;
  CronValues field[FIELD_COUNT];
  int count = 0;
  for (CronText look = rest; word = next_word(&look), word.at < word.end;) count++;
  if (count != FIELD_COUNT) return tr_error(cause, SQLITE_MISMATCH, "cron has five fields, not %d", count);
  for (int i = 0; i < FIELD_COUNT; i++) {
    word = next_word(&rest);
    if (!read_cron_field(word, &cron_fields[i], &field[i])) return not_a_field(&word, &cron_fields[i], cause);
  }
  set_cron(cron, field);
  return SQLITE_OK;
}

/* A weekday comes in every month; a day of the month, in those that have it. */
bool tr_cron_has_any_day(const TrCron *cron) {
  if (cron->any_day || !cron->any_weekday || cron->days & TR_LAST_DAY) return true;
  int first = __builtin_ctz(cron->days);
  for (int month = 1; month <= 12; month++) {
    if (cron->months >> month & 1 && first <= tr_days_in_month(2000, month)) return true; /* a leap year */
  }
  return false;
}

bool tr_cron_has_day(const TrCron *cron, int64_t day, int year, int month, int day_of_month) {
  if (!(cron->months >> month & 1)) return false;
  bool by_weekday = cron->weekdays >> tr_weekday_of(day) & 1;
  bool by_day = cron->days >> day_of_month & 1;
  if (!by_day && cron->days & TR_LAST_DAY) by_day = day_of_month == tr_days_in_month(year, month);
  if (cron->any_day) return by_weekday;
  return cron->any_weekday ? by_day : by_day || by_weekday;
}
