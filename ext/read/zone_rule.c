/*
** zone_rule.c - the rule by which a zone's clocks change after its last recorded change.
**
** It is the last line of a TZif file, in the words of POSIX's TZ variable with the extensions of RFC 9636:
**
**   CET-1CEST,M3.5.0,M10.5.0/3     name, offset west of UTC, name of summer time, [its offset,] from when, until when
**   <+0330>-3:30                   no summer time
**
** A day is Mm.w.d (weekday d of week w of month m; week 5 is the last), Jn (1 to 365, without 29 February) or n (0 to
** 365); a time of day is from -167 up to 167 hours.
*/
#include "read.h"

#define HOUR_S 3600

typedef struct RuleText {
  const char *at, *end;
} RuleText;

static bool take_mark(RuleText *text, char mark) {
  if (text->at == text->end || *text->at != mark) return false;
  text->at++;
  return true;
}

/* One digit or more, up to `limit`. */
static bool take_rule_count(RuleText *text, int limit, int *count) {
  const char *start = text->at;
  for (*count = 0; text->at < text->end && tr_is_digit(*text->at); text->at++) {
    *count = *count * 10 + (*text->at - '0');
    if (*count > limit) return false;
  }
  return text->at > start;
}

/* Three letters or more; between < and >, digits and signs, too. */
static bool take_zone_letters(RuleText *text) {
  bool quoted = take_mark(text, '<');
  const char *start = text->at;
  while (text->at < text->end) {
    char c = *text->at;
    if (!tr_is_letter(c) && !(quoted && (tr_is_digit(c) || c == '+' || c == '-'))) break;
    text->at++;
  }
  return text->at - start >= 3 && (!quoted || take_mark(text, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_signed_time(RuleText *text, int most_hours, int32_t *seconds) {
  int hours, minutes = 0, rest = 0;
  bool negative = take_mark(text, '-');
  if (!negative) (void)take_mark(text, '+');
  if (!take_rule_count(text, most_hours, &hours)) return false;
  if (take_mark(text, ':')) {
    if (!take_rule_count(text, 59, &minutes)) return false;
    if (take_mark(text, ':') && !take_rule_count(text, 59, &rest)) return false;
  }
  *seconds = (hours * HOUR_S + minutes * 60 + rest) * (negative ? -1 : 1);
  return true;
}

static bool take_weekday_of_month(RuleText *text, TrRuleDay *day) {
  day->form = 'M';
  return take_rule_count(text, 12, &day->month) && take_mark(text, '.') && take_rule_count(text, 5, &day->week) &&
         take_mark(text, '.') && take_rule_count(text, 6, &day->weekday) && day->month > 0 && day->week > 0;
}

static bool take_rule_day(RuleText *text, TrRuleDay *day) {
  bool is_read;
  *day = (TrRuleDay){.time_s = 2 * HOUR_S};
  if (!take_mark(text, ',')) return false;
  if (take_mark(text, 'M')) {
    is_read = take_weekday_of_month(text, day);
  } else {
    day->form = take_mark(text, 'J') ? 'J' : 'D';
    is_read = take_rule_count(text, 365, &day->day) && (day->form == 'D' || day->day > 0);
  }
  if (is_read && take_mark(text, '/')) is_read = take_signed_time(text, 167, &day->time_s);
  return is_read;
}

bool tr_zone_rule_parse(const char *bytes, size_t length, TrZoneRule *rule) {
  RuleText text = {bytes, bytes + length};
  int32_t west_s;
  *rule = (TrZoneRule){0};
  if (!take_zone_letters(&text) || !take_signed_time(&text, 24, &west_s)) return false;
  rule->standard_s = -west_s;
  if (text.at == text.end) return true;
  rule->has_summer = true;
  if (!take_zone_letters(&text)) return false;
  rule->summer_s = rule->standard_s + HOUR_S;
  if (text.at < text.end && *text.at != ',') {
    if (!take_signed_time(&text, 24, &west_s)) return false;
    rule->summer_s = -west_s;
  }
  return take_rule_day(&text, &rule->begins) && take_rule_day(&text, &rule->ends) && text.at == text.end;
}

static int64_t day_of_rule(const TrRuleDay *day, int year) {
  if (day->form == 'M') {
    int64_t first = tr_days_from_civil(year, day->month, 1);
    int64_t found = first + (day->weekday - tr_weekday_of(first) + 7) % 7 + (day->week - 1) * 7;
    return found < first + tr_days_in_month(year, day->month) ? found : found - 7;
  }
  int64_t new_year = tr_days_from_civil(year, 1, 1);
  if (day->form == 'D') return new_year + day->day;
  bool counts_leap_day = day->day > 59 && tr_days_in_month(year, 2) == 29;
  return new_year + day->day - 1 + counts_leap_day;
}

int64_t tr_zone_rule_change(const TrZoneRule *rule, int year, bool begins) {
  const TrRuleDay *day = begins ? &rule->begins : &rule->ends;
  return day_of_rule(day, year) * 86400 + day->time_s - (begins ? rule->standard_s : rule->summer_s);
}
