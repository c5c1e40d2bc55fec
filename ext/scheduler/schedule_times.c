/*
** schedule_times.c - a schedule -> the times at which it is due, in order, each once.
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

void tr_schedule_times_begin(TrScheduleTimes *times, const TrSchedule *schedule, const TrZone *zone, int64_t after_us) {
  if (after_us < FIRST_US) after_us = FIRST_US - 1;
  *times = (TrScheduleTimes){.schedule = schedule, .zone = zone, .last_us = after_us};
  if (schedule->interval_us || after_us > LAST_US) return;
  if (!tr_cron_has_any_day(&schedule->cron)) times->last_us = INT64_MAX;
  /* A local time that is skipped is due later, but by less than a day. */
  times->day = floor_div(tr_zone_local_us(zone, after_us), 1440 * MINUTE_US) - 2;
  tr_zone_stretch(zone, (times->day - 2) * 86400, &times->stretch);
  tr_civil_from_days(times->day, &times->year, &times->month, &times->day_of_month);
}

static void turn_to_next_day(TrScheduleTimes *times) {
  times->day++;
  if (++times->day_of_month <= tr_days_in_month(times->year, times->month)) return;
  times->day_of_month = 1;
  if (++times->month <= 12) return;
  times->month = 1;
  times->year++;
}

/* The next matching minute in local time, as if it were UTC. */
static bool next_minute(TrScheduleTimes *times, int64_t *local_s) {
  const TrCron *cron = &times->schedule->cron;
  if (times->minutes == 0) {
    times->hours &= times->hours - 1;
    if (times->hours == 0) {
      int days = 0;
      do {
        turn_to_next_day(times);
        if (++days > MOST_DAYS_APART || times->year > 9999) return false;
      } while (!tr_cron_has_day(cron, times->day, times->year, times->month, times->day_of_month));
      times->hours = cron->hours;
    }
    times->minutes = cron->minutes;
  }
  int hour = __builtin_ctz(times->hours), minute = __builtin_ctzll(times->minutes);
  times->minutes &= times->minutes - 1;
  *local_s = times->day * 86400 + hour * 3600 + minute * 60;
  return true;
}

/* The UTC time of that local minute; the stretches only go forward, like the minutes. */
static int64_t instant_of(TrScheduleTimes *times, int64_t local_s) {
  TrStretch *stretch = &times->stretch;
  while (local_s - stretch->offset_s >= stretch->to_s) tr_zone_stretch(times->zone, stretch->to_s, stretch);
  int64_t utc_s = local_s - stretch->offset_s;
  if (utc_s >= stretch->from_s) return utc_s * TR_US_PER_SECOND;
  return -floor_div(-stretch->from_s, 60) * MINUTE_US;
}

bool tr_schedule_times_next(TrScheduleTimes *times, int64_t *due_us) {
  if (times->last_us > LAST_US) return false;
  if (times->schedule->interval_us) {
    if (__builtin_add_overflow(times->last_us, times->schedule->interval_us, due_us) || *due_us > LAST_US) return false;
    times->last_us = *due_us;
    return true;
  }
  int64_t local_s, found_us;
  do {
    if (!next_minute(times, &local_s)) return false;
    found_us = instant_of(times, local_s);
  } while (found_us <= times->last_us);
  *due_us = times->last_us = found_us;
  return found_us <= LAST_US;
}
