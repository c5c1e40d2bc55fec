/*
** success.c - is a record a success? The one rule that every table, command, alert and prune uses.
**
** The scheduler's own viewer asks `if record.get("success")`, so the rule is what Python's bool() says of the value:
** false are `false`, null, a missing key, every number that is 0, "", [] and {}; all else is true, the texts "0" and
** "[]" too. It is decided from the record, where a text and an array differ, not from the SQL value, where both are
** TEXT. If a key occurs twice, the last one counts, as everywhere.
*/
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

/* Is there anything between the brackets? */
static bool is_filled(const unsigned char *text, size_t length) {
  for (size_t i = 1; i + 1 < length; i++) {
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return true;
  }
  return false;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* Python's float rounds every number up to 2^-1075 to 0.0: that is half of the smallest double, a number of 752 digits,
** 2.47…e-324. */
#define LEAST_EXPONENT (-324)
#define DIGITS 800
#define TOO_FAR (INT64_C(1) << 50) /* more than any line's length */

typedef struct Number {
  size_t first;  /* offset in the text: the first digit that is not 0 */
  size_t end;    /* offset of the digits' end, where the exponent begins */
  int64_t power; /* of ten, of the digit at `first` */
} Number;

static int64_t read_exponent(const unsigned char *text, size_t length) {
  bool negative = length > 0 && text[0] == '-';
  int64_t exponent = 0;
  for (size_t i = 0; i < length && exponent < TOO_FAR; i++) {
    if (tr_is_digit(text[i])) exponent = 10 * exponent + (text[i] - '0');
  }
  return negative ? -exponent : exponent;
}

/* false: all of its digits are 0. */
static bool find_digits(const unsigned char *text, size_t length, Number *number) {
  size_t point = length;
  *number = (Number){.first = length};
  while (number->end < length && text[number->end] != 'e' && text[number->end] != 'E') {
    size_t at = number->end++;
    if (text[at] == '.') point = at;
    if (text[at] >= '1' && text[at] <= '9' && number->first == length) number->first = at;
  }
  if (number->first == length) return false;
  if (point == length) point = number->end;
  number->power = point > number->first ? (int64_t)(point - number->first) - 1 : -(int64_t)(number->first - point);
  if (number->end < length) number->power += read_exponent(text + number->end + 1, length - number->end - 1);
  return true;
}

/* The number is written again without its decimal point, because strtod() expects the point of the host's locale.
** Digits that are too many to matter are replaced by a single one. */
static bool rounds_to_more_than_0(const unsigned char *text, const Number *number) {
  char digits[DIGITS + 32];
  int count = 0;
  bool more = false;
  for (size_t i = number->first; i < number->end; i++) {
    if (!tr_is_digit(text[i])) continue;
    if (count < DIGITS) {
      digits[count++] = (char)text[i];
    } else {
      more |= text[i] != '0';
    }
  }
  if (more) digits[count++] = '1';
  snprintf(digits + count, sizeof digits - (size_t)count, "e%d", LEAST_EXPONENT + 1 - count);
  return strtod(digits, NULL) != 0;
}

static bool is_more_than_0(const unsigned char *text, size_t length) {
  Number number;
  if (!find_digits(text, length, &number)) return false;
  if (number.power == LEAST_EXPONENT) return rounds_to_more_than_0(text, &number);
  return number.power > LEAST_EXPONENT;
}

/* --- the rule ----------------------------------------------------------------------------------------------------- */

bool tr_record_is_ok(const TrLine *line, const TrRecord *record) {
  const TrSpan *success = &record->field[TR_SUCCESS];
  const unsigned char *text = line->text + success->start;
  switch ((TrKind)success->kind) {
  case TR_TRUE:
  case TR_NAN:
  case TR_PLUS_INFINITY:
  case TR_MINUS_INFINITY: return true;
  case TR_ABSENT:
  case TR_NULL:
  case TR_UNKNOWN:
  case TR_UNREAD: /* never of a success: such a line is read */
  case TR_TIME:
  case TR_FALSE: break;
  case TR_INTEGER:
  case TR_REAL: return is_more_than_0(text, success->length);
  case TR_EPOCH:
  case TR_STRING: return success->length > 0;
  case TR_NESTED: return is_filled(text, success->length);
  }
  return false;
}
