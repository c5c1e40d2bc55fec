/*
** timestamp.c - text <-> microseconds since the Unix epoch, UTC.
**
** It reads ISO 8601 as programs write it:
**
**   YYYY-MM-DD  T  HH:MM[:SS[.f...]]  [zone]
**
** where T may be `t` or a blank, the point a comma, and the zone Z, z, +HH:MM, +HHMM or +HH (or - for +). No zone means
** UTC. A fraction of any length is cut to microseconds. Second 60, a leap second, counts as the first second of the
** next minute; it is accepted in any minute. Anything else, such as 30 February, is not a time. Years 0000 to 9999 of
** the proleptic Gregorian calendar.
*/
#include "read.h"

#include <stdio.h>

#define MINUTE_LENGTH 16 /* of YYYY-MM-DDTHH:MM */

/* False: there are no two digits. */
static inline bool take_two_digits(const char **p, const char *end, int *value) {
  if (end - *p < 2) return false;
  unsigned tens = (unsigned)(*p)[0] - '0', ones = (unsigned)(*p)[1] - '0';
  if (tens > 9 || ones > 9) return false;
  *value = (int)(tens * 10 + ones);
  *p += 2;
  return true;
}

static bool take_char(const char **p, const char *end, char wanted) {
  if (*p == end || **p != wanted) return false;
  (*p)++;
  return true;
}

int32_t tr_days_in_month(int year, int month) {
  static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, counting years from March so that the leap day comes last. */
int64_t tr_days_from_civil(int year, int month, int day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void tr_civil_from_days(int64_t days, int *year, int *month, int *day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153; /* months from March */
  *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
  *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
  *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

int32_t tr_weekday_of(int64_t days) {
  return (int32_t)((days % 7 + 11) % 7);
}

/* Two digits at a fixed place. Others set *bad: one test at the end is quicker than one a digit. */
static inline int two_digits(const char *at, unsigned *bad) {
  unsigned tens = (unsigned)at[0] - '0', ones = (unsigned)at[1] - '0';
  *bad |= (unsigned)(tens > 9) | (unsigned)(ones > 9);
  return (int)(tens * 10 + ones);
}

/* YYYY-MM-DD T HH:MM, which is in all of them, and always at the same places. */
static bool take_minute(const char **p, const char *end, int64_t *days, int *minute_of_day) {
  const char *at = *p;
  unsigned bad = 0;
  if (end - at < MINUTE_LENGTH) return false;
  int year = two_digits(at, &bad) * 100 + two_digits(at + 2, &bad), month = two_digits(at + 5, &bad);
  int day = two_digits(at + 8, &bad), hour = two_digits(at + 11, &bad), minute = two_digits(at + 14, &bad);
  if (bad || at[4] != '-' || at[7] != '-' || at[13] != ':') return false;
  if (at[10] != 'T' && at[10] != ' ' && at[10] != 't') return false;
  if (month < 1 || month > 12 || day < 1 || (day > 28 && day > tr_days_in_month(year, month))) return false;
  if (hour > 23 || minute > 59) return false;
  *days = tr_days_from_civil(year, month, day);
  *minute_of_day = hour * 60 + minute;
  *p += MINUTE_LENGTH;
  return true;
}

/* The digits after the decimal point, at least one. */
static bool take_fraction_us(const char **p, const char *end, int *us) {
  const char *at = *p, *start = at;
  int value = 0;
  for (int weight = 100000; at < end && tr_is_digit(*at); at++, weight /= 10) value += (*at - '0') * weight;
  *us = value;
  *p = at;
  return at > start;
}

/* [:SS[.f...]] */
static bool take_second_us(const char **p, const char *end, int64_t *us) {
  int second = 0, fraction = 0;
  if (take_char(p, end, ':')) {
    if (!take_two_digits(p, end, &second) || second > 60) return false;
    bool has_fraction = take_char(p, end, '.') || take_char(p, end, ',');
    if (has_fraction && !take_fraction_us(p, end, &fraction)) return false;
  }
  *us = second * TR_US_PER_SECOND + fraction;
  return true;
}

static bool take_zone(const char **p, const char *end, int64_t *offset_s) {
  *offset_s = 0;
  if (*p == end || take_char(p, end, 'Z') || take_char(p, end, 'z')) return true;
  bool west = **p == '-';
  if (!west && **p != '+') return false;
  (*p)++;
  int hours, minutes = 0;
  if (!take_two_digits(p, end, &hours)) return false;
  bool has_minutes = take_char(p, end, ':') || *p < end;
  if (has_minutes && !take_two_digits(p, end, &minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  *offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
  return true;
}

bool tr_timestamp_parse(const char *text, size_t length, int64_t *time_us) {
  const char *p = text, *end = text + length;
  int64_t days, second_us, offset_s;
  int minute_of_day;
  if (!take_minute(&p, end, &days, &minute_of_day) || !take_second_us(&p, end, &second_us)) return false;
  if (!take_zone(&p, end, &offset_s) || p != end) return false;
  *time_us = (days * 86400 + minute_of_day * 60 - offset_s) * TR_US_PER_SECOND + second_us;
  return true;
}

/* It needs no text: the time is where the text of another span would begin, and how long that would be. */
void tr_span_set_time(TrSpan *span, int64_t time_us) {
  *span = (TrSpan){.start = (uint32_t)time_us, .length = (uint32_t)((uint64_t)time_us >> 32), .kind = TR_TIME};
}

static bool known_time(const TrSpan *span, int64_t *time_us) {
  if (span->kind == TR_TIME) *time_us = (int64_t)((uint64_t)span->length << 32 | span->start);
  return span->kind == TR_TIME;
}

bool tr_span_time_us(const TrLine *line, const TrSpan *span, int64_t *time_us) {
  if (span->kind != TR_STRING && span->kind != TR_EPOCH) return known_time(span, time_us);
  const unsigned char *text = line->text + span->start;
  if (span->kind == TR_EPOCH) return tr_epoch_parse((const char *)text, span->length, time_us);
  if (!span->escaped) return tr_timestamp_parse((const char *)text, span->length, time_us);
  /* Only a timestamp with escapes has to fit in here; a longer one counts as unreadable. We allocate nothing, because
  ** the caller could not tell a failed allocation from an unreadable timestamp. */
  unsigned char decoded[512];
  if (span->length > sizeof decoded) return false;
  return tr_timestamp_parse((char *)decoded, tr_decode_string(text, span->length, decoded), time_us);
}

void tr_timestamp_format(int64_t time_us, char out[TR_TIMESTAMP_SIZE]) {
  int64_t seconds = time_us / TR_US_PER_SECOND, us = time_us % TR_US_PER_SECOND;
  if (us < 0) us += TR_US_PER_SECOND, seconds--;
  int64_t days = seconds / 86400, second = seconds % 86400;
  if (second < 0) second += 86400, days--;
  int year, month, day;
  tr_civil_from_days(days, &year, &month, &day);
  int n = snprintf(out, TR_TIMESTAMP_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, (int)(second / 3600),
                   (int)(second / 60 % 60), (int)(second % 60));
  if (us) n += snprintf(out + n, (size_t)(TR_TIMESTAMP_SIZE - n), ".%06d", (int)us); /* isoformat() drops a zero one */
  snprintf(out + n, (size_t)(TR_TIMESTAMP_SIZE - n), "Z");
}
