/*
** day_counts.c - the records of one job -> how many ran, and failed, on each day.
**
** A day is one of UTC, or of a time zone. It begins where taskresults_time() says that it does, also on days on which
** clocks change. If `has_as_of`, each day is cut where a number of whole days of 24 hours before `as_of_us` ends. So
** each part of a day (a cell) lies in one day of the calendar, and in one period of 24 hours. Cells are in the order of
** time; nearly always a record is of the same one as the record before it, or of a later one.
**
** Of records that a prune has removed, only their number on a day of UTC is known, and the first and the last time. If
** both are in one cell, they are all counted there. Otherwise they are counted as if they had followed each other at
** equal distances.
*/
#include "figures.h"

#include <string.h>

#define COUNTED_DAY_US (INT64_C(86400) * TR_US_PER_SECOND)

static int64_t divide_down(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

/* --- days of UTC -------------------------------------------------------------------------------------------------- */

#define FIRST_DAY INT64_C(-719528) /* 0000-01-01 */
#define LAST_DAY INT64_C(2932896)  /* 9999-12-31 */

bool tr_day_of_time(int64_t time_us, int64_t *day) {
  *day = divide_down(time_us, COUNTED_DAY_US);
  return *day >= FIRST_DAY && *day <= LAST_DAY;
}

void tr_day_text(int64_t day, char out[TR_DAY_TEXT_SIZE]) {
  int year, month, of_month;
  tr_civil_from_days(day, &year, &month, &of_month);
  sqlite3_snprintf(TR_DAY_TEXT_SIZE, out, "%04d-%02d-%02d", year, month, of_month);
}

/* --- cells -------------------------------------------------------------------------------------------------------- */

static int64_t day_start_us(const TrDayCounts *counts, int64_t day) {
  int64_t first_us, last_us;
  if (counts->zone == NULL) return day * COUNTED_DAY_US;
  tr_zone_utc_us(counts->zone, day * COUNTED_DAY_US, &first_us, &last_us);
  return first_us;
}

static void set_calendar_day(const TrDayCounts *counts, int64_t time_us, TrDayCell *cell) {
  int64_t day = divide_down(tr_zone_local_us(counts->zone, time_us), COUNTED_DAY_US);
  while (time_us < day_start_us(counts, day)) day--;
  while (time_us >= day_start_us(counts, day + 1)) day++;
  *cell = (TrDayCell){
      .day = day, .from_us = day_start_us(counts, day), .to_us = day_start_us(counts, day + 1), .is_timed = true};
}

/* The cell of that time, empty. */
static TrDayCell cell_at(const TrDayCounts *counts, int64_t time_us) {
  TrDayCell cell;
  set_calendar_day(counts, time_us, &cell);
  if (!counts->has_as_of) return cell;
  int64_t period = divide_down(time_us - counts->as_of_us, COUNTED_DAY_US);
  int64_t from_us = counts->as_of_us + period * COUNTED_DAY_US, to_us = from_us + COUNTED_DAY_US;
  cell.age = -period;
  cell.part = period - divide_down(cell.from_us - counts->as_of_us, COUNTED_DAY_US);
  if (from_us > cell.from_us) cell.from_us = from_us;
  if (to_us < cell.to_us) cell.to_us = to_us;
  return cell;
}

static bool holds(const TrDayCell *cell, int64_t time_us) {
  return cell->is_timed && cell->from_us <= time_us && time_us < cell->to_us;
}

/* The index of the first cell that does not end before that time. */
static size_t find_cell(const TrDayCounts *counts, int64_t time_us) {
  size_t from = 0, to = counts->count;
  if (to > 0 && counts->cell[to - 1].to_us <= time_us) return to;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (counts->cell[middle].to_us <= time_us)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

/* NULL: out of memory. */
static TrDayCell *take_cell(TrDayCounts *counts, int64_t time_us) {
  if (counts->has_as_of && time_us > counts->as_of_us) time_us = counts->as_of_us;
  if (counts->last < counts->count && holds(&counts->cell[counts->last], time_us)) return &counts->cell[counts->last];
  size_t at = counts->last = find_cell(counts, time_us);
  if (at < counts->count && holds(&counts->cell[at], time_us)) return &counts->cell[at];
  TrDayCell *grown = tr_array_reserve(counts->cell, &counts->room, counts->count + 1, sizeof *grown);
  if (grown == NULL) return NULL;
  counts->cell = grown;
  memmove(grown + at + 1, grown + at, (counts->count - at) * sizeof *grown);
  counts->count++;
  grown[at] = cell_at(counts, time_us);
  return &grown[at];
}

/* --- counting ----------------------------------------------------------------------------------------------------- */

/* A forged receipt may have any number. */
static void add_to_number(int64_t *number, int64_t more) {
  *number = *number > INT64_MAX - more ? INT64_MAX : *number + more;
}

static void add_runs(TrDayCell *cell, int64_t runs, int64_t failures, int64_t first_us, int64_t last_us) {
  if (cell->runs == 0 || first_us < cell->first_us) cell->first_us = first_us;
  if (cell->runs == 0 || last_us > cell->last_us) cell->last_us = last_us;
  add_to_number(&cell->runs, runs);
  add_to_number(&cell->failures, failures);
}

int tr_day_counts_add(TrDayCounts *counts, const TrParsed *lines, unsigned count) {
  for (const TrParsed *parsed = lines; parsed < lines + count; parsed++) {
    int64_t time_us = 0, unused;
    if (parsed->reason != TR_OK || tr_record_is_unknown(&parsed->record)) continue;
    TrDayCell *cell = &counts->untimed;
    bool is_timed = tr_span_time_us(&parsed->line, &parsed->record.field[TR_TIMESTAMP], &time_us);
    if (is_timed && tr_day_of_time(time_us, &unused)) cell = take_cell(counts, time_us);
    if (cell == NULL) return SQLITE_NOMEM;
    add_runs(cell, 1, !tr_record_is_ok(&parsed->line, &parsed->record), time_us, time_us);
  }
  return SQLITE_OK;
}

static void add_removed(TrDayCell *cell, const TrRemovedRuns *removed) {
  add_runs(cell, removed->runs, removed->failures, removed->first_us, removed->last_us);
  add_to_number(&cell->removed_runs, removed->runs);
  add_to_number(&cell->removed_failures, removed->failures);
}

/* When the one of that number ran, if all follow each other at equal distances. */
static int64_t time_of_run(const TrRemovedRuns *removed, int64_t number) {
  double part = (double)number / (double)(removed->runs - 1);
  return removed->first_us + (int64_t)(part * (double)(removed->last_us - removed->first_us));
}

static int64_t runs_before(const TrRemovedRuns *removed, int64_t time_us) {
  int64_t from = 0, to = removed->runs;
  while (from < to) {
    int64_t middle = from + (to - from) / 2;
    if (time_of_run(removed, middle) < time_us)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

/* Splits what is before that time, which lies behind the first and not behind the last one, from the rest, which stays
** in *removed. Of the failures, each part has the same share, as nearly as whole numbers allow. */
static TrRemovedRuns split_before(TrRemovedRuns *removed, int64_t time_us) {
  TrRemovedRuns part = *removed, all = *removed;
  part.runs = runs_before(removed, time_us);
  if (part.runs == 0 || part.runs == all.runs) part.runs = part.runs ? all.runs - 1 : 1; /* both ends are known */
  part.failures = (int64_t)((double)all.failures * ((double)part.runs / (double)all.runs) + 0.5);
  if (part.failures > part.runs) part.failures = part.runs;
  if (part.failures > all.failures) part.failures = all.failures;
  if (all.failures - part.failures > all.runs - part.runs) part.failures = all.failures - (all.runs - part.runs);
  part.last_us = time_of_run(&all, part.runs - 1);
  if (part.last_us >= time_us) part.last_us = time_us - 1;
  removed->runs -= part.runs;
  removed->failures -= part.failures;
  removed->first_us = time_of_run(&all, part.runs);
  if (removed->first_us < time_us) removed->first_us = time_us;
  return part;
}

int tr_day_counts_add_removed(TrDayCounts *counts, const TrRemovedRuns *removed) {
  TrRemovedRuns rest = *removed;
  for (;;) {
    TrDayCell *cell = take_cell(counts, rest.first_us);
    if (cell == NULL) return SQLITE_NOMEM;
    bool is_last = rest.runs < 2 || rest.last_us < cell->to_us ||
                   (counts->has_as_of && cell->to_us > counts->as_of_us); /* what is later belongs here, too */
    if (is_last) {
      add_removed(cell, &rest);
      return SQLITE_OK;
    }
    TrRemovedRuns part = split_before(&rest, cell->to_us);
    add_removed(cell, &part);
  }
}

void tr_day_counts_add_removed_untimed(TrDayCounts *counts, int64_t runs, int64_t failures) {
  TrRemovedRuns removed = {.runs = runs, .failures = failures};
  if (runs > 0) add_removed(&counts->untimed, &removed);
}

void tr_day_counts_free(TrDayCounts *counts) {
  sqlite3_free(counts->cell);
}
