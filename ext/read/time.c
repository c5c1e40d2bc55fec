/*
** time.c - a time as people write it -> microseconds since the Unix epoch, UTC.
**
** Understood, in upper or lower case, with white space around it:
**
**   2026-02-14T09:30:00Z    whatever timestamp.c takes
**   2026-02-14              a day, which is whole
**   today, yesterday        days, too
**   now
**   90s, "90 days"          a length of time (timespan.c): that long ago; `ago` may stand behind it
**
** Each is from the year 1 up to 9999, or it is no time. Where a zone comes in one day, days are the zone's.
*/
#include "read.h"

#include <string.h>

#define DAY_US (86400 * TR_US_PER_SECOND)
#define EARLIEST_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define LATEST_US INT64_C(253402300799999999)   /* 9999-12-31T23:59:59.999999Z */
#define BARE_DAY_LENGTH 10                      /* 2026-02-14 */

static TrBytes trim_blanks(TrBytes text) {
  while (text.length && tr_is_blank(text.text[0])) text.text++, text.length--;
  while (text.length && tr_is_blank(text.text[text.length - 1])) text.length--;
  return text;
}

static bool is_word(TrBytes text, const char *word) {
  return text.length == strlen(word) && strncasecmp(text.text, word, text.length) == 0;
}

static bool set_instant(TrTimePoint *point, int64_t us) {
  *point = (TrTimePoint){us, us};
  return us >= EARLIEST_US && us <= LATEST_US;
}

static bool set_day(TrTimePoint *point, int64_t first_us) {
  *point = (TrTimePoint){first_us, first_us + DAY_US - 1};
  return first_us >= EARLIEST_US && point->last_us <= LATEST_US;
}

static int64_t start_of_day(int64_t us) {
  int64_t since_midnight = us % DAY_US;
  return us - since_midnight - (since_midnight < 0 ? DAY_US : 0);
}

static bool is_bare_day(TrBytes text, int64_t *us) {
  char midnight[] = "YYYY-MM-DDT00:00";
  if (text.length != BARE_DAY_LENGTH) return false;
  memcpy(midnight, text.text, BARE_DAY_LENGTH);
  return tr_timestamp_parse(midnight, sizeof midnight - 1, us);
}

/* "90 days ago" -> "90 days" */
static TrBytes without_ago(TrBytes text) {
  if (text.length < 4 || !tr_is_blank(text.text[text.length - 4])) return text;
  if (!is_word((TrBytes){text.text + text.length - 3, 3}, "ago")) return text;
  return (TrBytes){text.text, text.length - 4};
}

bool tr_time_parse(const char *bytes, size_t length, int64_t now_us, TrTimePoint *point) {
  TrBytes text = trim_blanks((TrBytes){bytes, length});
  int64_t us;
  if (is_word(text, "now")) return set_instant(point, now_us);
  if (is_word(text, "today")) return set_day(point, start_of_day(now_us));
  if (is_word(text, "yesterday")) return set_day(point, start_of_day(now_us) - DAY_US);
  if (is_bare_day(text, &us)) return set_day(point, us);
  if (tr_timestamp_parse(text.text, text.length, &us)) return set_instant(point, us);
  text = without_ago(text);
  if (!tr_timespan_parse(text.text, text.length, false, &us)) return false;
  return !__builtin_sub_overflow(now_us, us, &us) && set_instant(point, us);
}
