/*
** time.c - a time as people write it -> microseconds since the Unix epoch, UTC.
**
** Understood, in upper or lower case, with white space around it:
**
**   2026-02-14T09:30:00Z all forms of timestamp.c; without a zone of its own, it is in the given zone
**   2026-02-14 a whole day
**   today, yesterday        days, too
**   now
**   90s, "90 days" a length of time (timespan.c), ago; the word `ago` may follow
**
** Only the years 1 to 9999 are accepted. Days are days of the zone; where its clocks change, a day has 23 or 25 hours.
** If its clocks show a time twice, the result is the first and the last of both. If they skip a time, the result is the
** moment of the change.
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

/* Sets the day that begins at `local_us` by the zone's clocks. */
static bool set_day(TrTimePoint *point, const TrZone *zone, int64_t local_us) {
  int64_t unused, next_us;
  tr_zone_utc_us(zone, local_us, &point->first_us, &unused);
  tr_zone_utc_us(zone, local_us + DAY_US, &next_us, &unused);
  point->last_us = next_us - 1;
  return point->first_us >= EARLIEST_US && point->last_us <= LATEST_US;
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

/* Does the timestamp have a zone of its own: a Z, or a sign after the date? */
static bool names_zone(TrBytes text) {
  char last = text.text[text.length - 1];
  if (last == 'Z' || last == 'z') return true;
  for (size_t i = BARE_DAY_LENGTH; i < text.length; i++) {
    if (text.text[i] == '+' || text.text[i] == '-') return true;
  }
  return false;
}

static bool set_timestamp(TrTimePoint *point, const TrZone *zone, TrBytes text, int64_t us) {
  if (zone == NULL || names_zone(text)) return set_instant(point, us);
  tr_zone_utc_us(zone, us, &point->first_us, &point->last_us);
  return point->first_us >= EARLIEST_US && point->last_us <= LATEST_US;
}

/* "90 days ago" -> "90 days" */
static TrBytes without_ago(TrBytes text) {
  if (text.length < 4 || !tr_is_blank(text.text[text.length - 4])) return text;
  if (!is_word((TrBytes){text.text + text.length - 3, 3}, "ago")) return text;
  return (TrBytes){text.text, text.length - 4};
}

bool tr_time_parse(const char *bytes, size_t length, int64_t now_us, const TrZone *zone, TrTimePoint *point) {
  TrBytes text = trim_blanks((TrBytes){bytes, length});
  int64_t us, today_us = start_of_day(tr_zone_local_us(zone, now_us));
  if (is_word(text, "now")) return set_instant(point, now_us);
  if (is_word(text, "today")) return set_day(point, zone, today_us);
  if (is_word(text, "yesterday")) return set_day(point, zone, today_us - DAY_US);
  if (is_bare_day(text, &us)) return set_day(point, zone, us);
  if (tr_timestamp_parse(text.text, text.length, &us)) return set_timestamp(point, zone, text, us);
  text = without_ago(text);
  if (!tr_timespan_parse(text.text, text.length, false, &us)) return false;
  return !__builtin_sub_overflow(now_us, us, &us) && set_instant(point, us);
}
