/*
** epoch.c - a number, as digits -> microseconds since the Unix epoch: how some programs write a time.
**
** The unit is told by the size, without the sign: less than 1e11 are seconds, less than 1e14 milliseconds, and else
** they are microseconds. A fraction is cut to microseconds. No exponent, and no time outside the years 0000 to 9999.
*/
#include "read.h"

#define EPOCH_FIRST_US (INT64_C(-62167219200) * TR_US_PER_SECOND) /* the year 0000 */
#define EPOCH_END_US (INT64_C(253402300800) * TR_US_PER_SECOND)   /* the year 10000 */
#define EPOCH_DIGITS 18                                           /* EPOCH_END_US has so many */

/* [.digits], as so many digits after the point as `unit_us` leaves. False: there is something else. */
static bool take_epoch_fraction(const char *p, const char *end, int64_t unit_us, int64_t *us) {
  *us = 0;
  if (p == end) return true;
  if (*p++ != '.' || p == end) return false;
  for (; p < end; p++) {
    if (!tr_is_digit(*p)) return false;
    unit_us /= 10;
    *us += unit_us * (*p - '0');
  }
  return true;
}

bool tr_epoch_parse(const char *text, size_t length, int64_t *time_us) {
  const char *p = text, *end = text + length;
  bool is_negative = p < end && *p == '-';
  int64_t whole = 0, fraction_us;
  p += is_negative;
  const char *digits = p;
  for (; p < end && tr_is_digit(*p) && p - digits <= EPOCH_DIGITS; p++) whole = whole * 10 + (*p - '0');
  if (p == digits || p - digits > EPOCH_DIGITS) return false;
  int64_t unit_us = whole < INT64_C(100000000000) ? TR_US_PER_SECOND : whole < INT64_C(100000000000000) ? 1000 : 1;
  if (!take_epoch_fraction(p, end, unit_us, &fraction_us)) return false;
  int64_t us = whole * unit_us + fraction_us;
  *time_us = is_negative ? -us : us;
  return *time_us >= EPOCH_FIRST_US && *time_us < EPOCH_END_US;
}
