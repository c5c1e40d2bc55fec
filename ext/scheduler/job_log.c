/*
** job_log.c - the messages of a job's log -> its runs, and the events that affect its schedule: pauses, updates, skips,
** runs by hand.
**
** Messages come newest first, and only those since a horizon are needed. Before it, reading goes on until two runs have
** begun, at least one of them surely not by hand: so we know the last run before the horizon, and whether the job was
** enabled then. `Updated: [...]` has a list of names as Python prints it; 'enabled' in it does not tell the new value.
*/
#include "scheduler.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TURNS (1 << 18)
#define MOST_WORDS_BYTES 200 /* of a skip's reason */

void tr_job_log_begin(TrJobLog *log, int64_t horizon_us) {
  tr_durations_begin(&log->durations);
  log->count = log->words_count = log->older_runs = 0;
  log->is_empty = true;
  log->knows_enabled = log->asked_by_hand = false;
  log->first_us = INT64_MAX;
  log->horizon_us = horizon_us;
}

void tr_job_log_free(TrJobLog *log) {
  tr_durations_free(&log->durations);
  sqlite3_free(log->turn);
  sqlite3_free(log->words);
  *log = (TrJobLog){0};
}

static int add_turn(TrJobLog *log, TrTurnKind kind, int64_t time_us) {
  if (log->count == MOST_TURNS) return SQLITE_TOOBIG;
  TrTurn *grown = tr_array_reserve(log->turn, &log->room, log->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  log->turn = grown;
  log->turn[log->count++] = (TrTurn){.time_us = time_us, .kind = (uint8_t)kind};
  return SQLITE_OK;
}

/* Keeps the first line, up to MOST_WORDS_BYTES. */
static int keep_words(TrJobLog *log, TrBytes words) {
  const char *newline = memchr(words.text, '\n', words.length);
  size_t length = newline ? (size_t)(newline - words.text) : words.length;
  if (length > MOST_WORDS_BYTES) length = MOST_WORDS_BYTES;
  char *grown = tr_array_reserve(log->words, &log->words_room, log->words_count + 3 * length + 1, 1);
  if (grown == NULL) return SQLITE_NOMEM;
  log->words = grown;
  char *kept = log->words + log->words_count;
  size_t used = tr_utf8_repair((const unsigned char *)words.text, length, (unsigned char *)kept);
  kept[used] = '\0';
  log->turn[log->count - 1].words = (uint32_t)log->words_count;
  log->words_count += used + 1;
  return SQLITE_OK;
}

/* Is the name in the list, in Python's quotes? */
static bool lists_name(TrBytes words, const char *name) {
  size_t length = strlen(name);
  const char *end = words.text + words.length;
  for (const char *at = words.text; (at = memmem(at, (size_t)(end - at), name, length)) != NULL; at++) {
    char before = at > words.text ? at[-1] : 0, after = at + length < end ? at[length] : 0;
    if ((before == '\'' || before == '"') && after == before) return true;
  }
  return false;
}

static int add_update(TrJobLog *log, TrBytes words, int64_t time_us) {
  int code = SQLITE_OK;
  if (lists_name(words, "schedule") || lists_name(words, "cron")) code = add_turn(log, TR_TURN_CHANGED, time_us);
  if (code == SQLITE_OK && lists_name(words, "enabled")) code = add_turn(log, TR_TURN_ENABLED, time_us);
  return code;
}

static int add_sign(TrJobLog *log, TrTurnKind kind, int64_t time_us) {
  if (time_us < log->horizon_us) log->knows_enabled = true;
  return add_turn(log, kind, time_us);
}

/* Called when a run was added. If the newer run before it was by hand, the request was read in between. */
static void count_older_run(TrJobLog *log, int64_t time_us) {
  if (log->older_runs > 0 && !log->asked_by_hand) log->knows_enabled = true;
  if (time_us < log->horizon_us) log->older_runs++;
  log->asked_by_hand = false;
}

int tr_job_log_add(TrJobLog *log, TrBytes words, int64_t time_us) {
  static const char recalculated[] = "Next run recalculated";
  size_t runs = log->durations.count;
  TrEvent event = tr_event_of(words.text, words.length);
  int code = tr_durations_add(&log->durations, event, words, time_us);
  if (code != SQLITE_OK) return code;
  if (log->durations.count > runs) count_older_run(log, time_us);
  log->is_empty = false;
  if (time_us < log->first_us) log->first_us = time_us;
  switch (event) {
  case TR_EVENT_PAUSED: return add_sign(log, TR_TURN_PAUSED, time_us);
  case TR_EVENT_RESUMED: return add_sign(log, TR_TURN_RESUMED, time_us);
  case TR_EVENT_SCHEDULED:
    if (memmem(words.text, words.length, recalculated, strlen(recalculated)) == words.text) return SQLITE_OK;
    return add_sign(log, TR_TURN_SCHEDULED, time_us);
  case TR_EVENT_UPDATED: return add_update(log, words, time_us);
  case TR_EVENT_MANUAL_RUN: log->asked_by_hand = true; return add_turn(log, TR_TURN_BY_HAND, time_us);
  case TR_EVENT_SKIPPED:
    code = add_turn(log, TR_TURN_SKIPPED, time_us);
    return code == SQLITE_OK ? keep_words(log, words) : code;
  default: return SQLITE_OK;
  }
}

bool tr_job_log_is_enough(const TrJobLog *log) {
  if (tr_durations_are_full(&log->durations)) return true;
  return log->first_us < log->horizon_us && log->older_runs >= 2 && log->knows_enabled;
}

static int compare_turns(const void *a, const void *b) {
  const TrTurn *x = a, *y = b;
  return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

void tr_job_log_end(TrJobLog *log) {
  tr_durations_end(&log->durations);
  if (log->count > 1) qsort(log->turn, log->count, sizeof *log->turn, compare_turns);
}
