/*
** durations.c - starts and finishes in a log -> the start of the run that ended at a given time.
**
** A record has the time of its finish, but not of its start; the log has both. In the log a run is a start and the
** first finish after it, before the next start: a start that is followed by another one was cut short (a crash, a power
** cut) and left no record. The order of the lines decides, not their times, so it does no harm if the clock is set back
** between two runs. `Executing (...)` right after `Starting execution ...` is the same start.
**
** A record belongs to the run whose finish, as the log has it, is nearest to its own time, and at most 5 seconds away:
** the scheduler writes the two one after the other, within milliseconds. So a record of another writer, or one whose
** log was deleted, belongs to no run. The result for a record does not depend on which other records are read. If a log
** has no finishes at all, the last start before the record is used.
**
** Messages come newest first, so if there are too many, the last MAX_RUNS runs are kept.
*/
#include "scheduler.h"

#include <stdlib.h>
#include <string.h>

#define DURATION_SLACK_US INT64_C(5000000)
#define MAX_RUNS (1 << 20) /* 16 MiB */

void tr_durations_begin(TrDurations *durations) {
  durations->count = durations->unfinished = 0;
  durations->finish_known = durations->executing = durations->finishes_told = false;
}

void tr_durations_free(TrDurations *durations) {
  sqlite3_free(durations->run);
  *durations = (TrDurations){0};
}

bool tr_durations_are_full(const TrDurations *durations) {
  return durations->count == MAX_RUNS;
}

static int add_run(TrDurations *durations, int64_t start_us) {
  TrTimedRun *run = tr_array_reserve(durations->run, &durations->room, durations->count + 1, sizeof *run);
  if (run == NULL) return SQLITE_NOMEM;
  durations->run = run;
  int64_t finish_us = durations->finish_known ? durations->finish_us : TR_UNFINISHED_US;
  durations->run[durations->count++] = (TrTimedRun){.start_us = start_us, .finish_us = finish_us};
  durations->finish_known = false;
  return SQLITE_OK;
}

static bool is_finish(TrEvent event) {
  return event == TR_EVENT_SUCCEEDED || event == TR_EVENT_FAILED || event == TR_EVENT_TIMED_OUT ||
         event == TR_EVENT_EXCEPTION;
}

int tr_durations_add(TrDurations *durations, TrEvent event, TrBytes words, int64_t time_us) {
  static const char executing[] = "Executing (";
  bool before_executing = durations->executing;
  durations->executing = false;
  if (is_finish(event)) {
    durations->finish_us = time_us;
    durations->finish_known = durations->finishes_told = true;
  }
  if (event != TR_EVENT_STARTED) return SQLITE_OK;
  durations->executing = words.length >= strlen(executing) && memcmp(words.text, executing, strlen(executing)) == 0;
  if (before_executing && !durations->executing) { /* the run just added began here */
    durations->run[durations->count - 1].start_us = time_us;
    return SQLITE_OK;
  }
  return add_run(durations, time_us);
}

static int compare_runs(const void *a, const void *b) {
  const TrTimedRun *x = a, *y = b;
  if (x->finish_us != y->finish_us) return x->finish_us < y->finish_us ? -1 : 1;
  return (x->start_us > y->start_us) - (x->start_us < y->start_us);
}

void tr_durations_end(TrDurations *durations) {
  size_t kept = 0;
  for (size_t i = 0; i < durations->count; i++) {
    TrTimedRun run = durations->run[i];
    if (!durations->finishes_told) run.finish_us = run.start_us;
    if (run.finish_us == TR_UNFINISHED_US) continue;
    durations->run[i] = durations->run[kept];
    durations->run[kept++] = run;
  }
  durations->unfinished = durations->count - kept;
  durations->count = kept;
  tr_array_sort(durations->run, kept, sizeof *durations->run, compare_runs);
}

/* The number of runs that were finished at that time or before. */
static size_t runs_until(const TrDurations *durations, int64_t time_us) {
  size_t low = 0, high = durations->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (durations->run[middle].finish_us <= time_us) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool tr_durations_find(const TrDurations *durations, int64_t time_us, size_t *which) {
  size_t until = runs_until(durations, time_us);
  const TrTimedRun *before = until > 0 ? &durations->run[until - 1] : NULL;
  const TrTimedRun *after = until < durations->count ? &durations->run[until] : NULL;
  if (!durations->finishes_told) {
    if (before) *which = until - 1;
    return before != NULL;
  }
  if (before && time_us - before->finish_us > DURATION_SLACK_US) before = NULL;
  if (after && after->finish_us - time_us > DURATION_SLACK_US) after = NULL;
  if (before == NULL && after == NULL) return false;
  bool take_before = after == NULL || (before && time_us - before->finish_us <= after->finish_us - time_us);
  *which = take_before ? until - 1 : until;
  return true;
}
