/*
** due.c - a schedule -> the times at which it is due, in order, each once.
**
** An interval counts from the start time. Times of cron are local times of the zone: a time that a clock change skips
** is due at the first minute after it, together with what is due then; a time that occurs twice is due the first time.
** The next day is searched for in the nine years ahead: 29 February, the rarest day, comes again after eight years at
** most, so what is not found there never comes.
*/
#include "scheduler.h"

#define MINUTE_US (60 * TR_US_PER_SECOND)
#define LAST_US INT64_C(253402300799999999)  /* 9999-12-31T23:59:59.999999Z */
#define FIRST_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define MOST_DAYS_APART (9 * 366)

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

void tr_due_begin(TrDue *due, const TrSchedule *schedule, const TrZone *zone, int64_t after_us) {
  if (after_us < FIRST_US) after_us = FIRST_US - 1;
  *due = (TrDue){.schedule = schedule, .zone = zone, .last_us = after_us};
  if (schedule->interval_us || after_us > LAST_US) return;
  if (!tr_cron_has_any_day(&schedule->cron)) due->last_us = INT64_MAX;
  /* A local time that is skipped is due later, but by less than a day. */
  due->day = floor_div(tr_zone_local_us(zone, after_us), 1440 * MINUTE_US) - 2;
  tr_zone_stretch(zone, (due->day - 2) * 86400, &due->stretch);
  tr_civil_from_days(due->day, &due->year, &due->month, &due->day_of_month);
}

static void turn_to_next_day(TrDue *due) {
  due->day++;
  if (++due->day_of_month <= tr_days_in_month(due->year, due->month)) return;
  due->day_of_month = 1;
  if (++due->month <= 12) return;
  due->month = 1;
  due->year++;
}

/* The next matching minute in local time, as if it were UTC. */
static bool next_minute(TrDue *due, int64_t *local_s) {
  const TrCron *cron = &due->schedule->cron;
  if (due->minutes == 0) {
    due->hours &= due->hours - 1;
    if (due->hours == 0) {
      int days = 0;
      do {
        turn_to_next_day(due);
        if (++days > MOST_DAYS_APART || due->year > 9999) return false;
      } while (!tr_cron_has_day(cron, due->day, due->year, due->month, due->day_of_month));
      due->hours = cron->hours;
    }
    due->minutes = cron->minutes;
  }
  int hour = __builtin_ctz(due->hours), minute = __builtin_ctzll(due->minutes);
  due->minutes &= due->minutes - 1;
  *local_s = due->day * 86400 + hour * 3600 + minute * 60;
  return true;
}

/* The UTC time of that local minute; the stretches only go forward, like the minutes. */
static int64_t instant_of(TrDue *due, int64_t local_s) {
  TrStretch *stretch = &due->stretch;
  while (local_s - stretch->offset_s >= stretch->to_s) tr_zone_stretch(due->zone, stretch->to_s, stretch);
  int64_t utc_s = local_s - stretch->offset_s;
  if (utc_s >= stretch->from_s) return utc_s * TR_US_PER_SECOND;
  return -floor_div(-stretch->from_s, 60) * MINUTE_US;
}

bool tr_due_next(TrDue *due, int64_t *due_us) {
  if (due->last_us > LAST_US) return false;
  if (due->schedule->interval_us) {
    if (__builtin_add_overflow(due->last_us, due->schedule->interval_us, due_us) || *due_us > LAST_US) return false;
    due->last_us = *due_us;
    return true;
  }
  int64_t local_s, found_us;
  do {
    if (!next_minute(due, &local_s)) return false;
    found_us = instant_of(due, local_s);
  } while (found_us <= due->last_us);
  *due_us = due->last_us = found_us;
  return found_us <= LAST_US;
}
