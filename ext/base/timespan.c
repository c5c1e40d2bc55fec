/*
** timespan.c - a length of time as people write it -> microseconds.
**
** Understood: a whole number and a unit, or several of these, which add up: 90s, 12h, "90 days", "1d 12h". The units:
**
**   s sec secs second seconds          m min mins minute minutes          h hr hrs hour hours
**   d day days                         w week weeks
**   mo month months (30 days)          y yr yrs year years (365 days)
**
** in upper or lower case. M alone is refused: it could mean minutes or months. White space may stand around numbers and
** units. Negative numbers are not accepted.
*/
#include "base.h"

#include <string.h>

#define DAY_S INT64_C(86400)

typedef struct Unit {
  const char *names; /* each between blanks */
  int64_t seconds;
} Unit;

static const Unit units[] = {
    {" s sec secs second seconds ", 1},     {" m min mins minute minutes ", 60},
    {" h hr hrs hour hours ", 3600},        {" d day days ", DAY_S},
    {" w week weeks ", 7 * DAY_S},          {" mo month months ", 30 * DAY_S},
    {" y yr yrs year years ", 365 * DAY_S},
};
#define LONGEST_NAME 7

static void skip_blanks(const char **p, const char *end) {
  while (*p < end && (**p == ' ' || (**p >= '\t' && **p <= '\r'))) (*p)++;
}

/* One digit or more. False: none, or more than int64_t holds. */
static bool take_whole_number(const char **p, const char *end, int64_t *number) {
  const char *start = *p;
  *number = 0;
  for (; *p < end && tr_is_digit(**p); (*p)++) {
    if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, **p - '0', number)) return false;
  }
  return *p > start;
}

/* The digits after the decimal point, at least one, as millionths. */
static bool take_millionths(const char **p, const char *end, int64_t *millionths) {
  const char *start = *p;
  *millionths = 0;
  for (int weight = 100000; *p < end && tr_is_digit(**p); (*p)++, weight /= 10) *millionths += (**p - '0') * weight;
  return *p > start;
}

/* 0: there is no such unit. */
static int64_t take_unit(const char **p, const char *end) {
  char name[LONGEST_NAME + 3] = " "; /* between blanks, too */
  size_t length = 1;
  for (; *p < end && tr_is_letter(**p); (*p)++) {
    if (length > LONGEST_NAME) return 0;
    name[length++] = (char)(**p | 0x20); /* lower case */
  }
  bool is_ambiguous = length == 2 && (*p)[-1] == 'M';
  if (length == 1 || is_ambiguous) return 0;
  name[length] = ' ';
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strstr(units[i].names, name)) return units[i].seconds;
  }
  return 0;
}

/* A number with its unit. The first may lack a unit if `plain_seconds`. */
static bool take_part(const char **p, const char *end, bool plain_seconds, bool is_first, int64_t *us) {
  int64_t number = 0, millionths = 0;
  bool may_be_fraction = plain_seconds && *p < end && **p == '.'; /* .5 */
  if (!may_be_fraction && !take_whole_number(p, end, &number)) return false;
  if (plain_seconds && *p < end && **p == '.') {
    (*p)++;
    if (!take_millionths(p, end, &millionths)) return false;
  }
  skip_blanks(p, end);
  int64_t seconds = *p == end && is_first && plain_seconds ? 1 : take_unit(p, end);
  skip_blanks(p, end);
  return seconds && !__builtin_mul_overflow(number, seconds * TR_US_PER_SECOND, us) &&
         !__builtin_add_overflow(*us, millionths * seconds, us);
}

bool tr_timespan_parse(const char *text, size_t length, bool plain_seconds, int64_t *span_us) {
  const char *p = text, *end = text + length;
  int64_t total = 0, us;
  bool is_first = true;
  skip_blanks(&p, end);
  do {
    if (!take_part(&p, end, plain_seconds, is_first, &us) || __builtin_add_overflow(total, us, &total)) return false;
    is_first = false;
  } while (p < end);
  *span_us = total;
  return true;
}
