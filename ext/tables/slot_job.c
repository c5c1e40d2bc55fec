/*
** slot_job.c - a job's runs, from its records, its log and its checkpoint, for task_slots.
**
** The checkpoint is read first, then the records, then the log, which is written before the record. So a run that ends
** meanwhile is seen as running, or as ended by the log, but never as cut short.
**
** Of the records only those since the horizon are kept, and a few before it: the last one, and those that tell whether
** that was by hand. They are read from the first to the last, since clocks are set back now and then.
*/
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_LAG_US INT64_C(60000000) /* the start in the log is a little earlier than that in the checkpoint */
#define MOST_SLOT_RUNS (1 << 21)            /* 80 MiB */

void tr_slot_source_init(TrSlotSource *source, TrConnection *connection, TrPoll *poll, TrSettings *results,
                         TrSettings *logs) {
  *source = (TrSlotSource){.poll = poll, .results = results, .logs = logs};
  tr_scan_init(&source->records, connection, poll, TR_WANT_RECORDS);
  tr_log_scan_init(&source->messages, connection, poll);
}

void tr_slot_source_end(TrSlotSource *source) {
  tr_scan_end(&source->records);
  tr_log_scan_end(&source->messages);
  tr_job_log_free(&source->log);
  sqlite3_free(source->run);
  sqlite3_free(source->is_used);
  source->run = NULL;
  source->is_used = NULL;
}

static int add_slot_run(TrSlotSource *source, TrSlotRun run) {
  if (source->count == MOST_SLOT_RUNS) return SQLITE_TOOBIG;
  TrSlotRun *grown = tr_array_reserve(source->run, &source->room, source->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  source->run = grown;
  source->run[source->count++] = run;
  return SQLITE_OK;
}

static int too_many(const char *job_id, int code, char **message) {
  if (code != SQLITE_TOOBIG) return code;
  return tr_error(message, SQLITE_ERROR,
                  "task_slots: job '%s': more runs, or more in its log, than can be held; ask for a later `since`",
                  job_id);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

/* The last ones of the file before the horizon. */
#define RUNS_BEFORE 32
#define MOST_LOG_LOOKS 5 /* at a log */
typedef struct BeforeHorizon {
  TrSlotRun run[RUNS_BEFORE]; /* a ring */
  size_t count;               /* that there have been */
} BeforeHorizon;

static int add_record(TrSlotSource *source, int64_t horizon_us, BeforeHorizon *before) {
  const TrLine *line = tr_scan_line(&source->records);
  const TrRecord *record = tr_scan_record(&source->records);
  TrSlotRun run = {.kind = TR_RUN_OF_RECORD, .offset = line->offset};
  if (!tr_span_time_us(line, &record->field[TR_TIMESTAMP], &run.finish_us)) return SQLITE_OK;
  run.start_us = run.finish_us;
  run.ok = tr_record_is_ok(line, record);
  run.is_unknown = tr_record_is_unknown(record);
  if (run.finish_us < source->earliest_us) source->earliest_us = run.finish_us;
  if (run.finish_us >= horizon_us) return add_slot_run(source, run);
  before->run[before->count++ % RUNS_BEFORE] = run;
  return SQLITE_OK;
}

/* Of the job, and of the host, if there are several. */
static int filter_for(TrFilter *filter, const char *host, const char *job_id, TrOrder order) {
  int code = tr_filter_for_job(filter, job_id, strlen(job_id), order);
  if (code != SQLITE_OK || host == NULL) return code;
  code = tr_filter_add_host(filter, (TrBytes){host, strlen(host)});
  if (code != SQLITE_OK) tr_filter_free(filter);
  return code;
}

static int read_records(TrSlotSource *source, const char *host, const char *job_id, int64_t horizon_us,
                        char **message) {
  TrFilter filter;
  BeforeHorizon before = {.count = 0};
  int code = filter_for(&filter, host, job_id, TR_ORDER_ANY);
  if (code == SQLITE_OK) code = tr_settings_segments(source->results, &filter.all_segments, message);
  if (code == SQLITE_OK) code = tr_scan_begin(&source->records, source->results, &filter, message);
  while (code == SQLITE_OK && (code = tr_scan_next(&source->records, message)) == SQLITE_ROW)
    code = add_record(source, horizon_us, &before);
  if (code != SQLITE_DONE) return code;
  code = SQLITE_OK;
  for (size_t i = 0; i < before.count && i < RUNS_BEFORE && code == SQLITE_OK; i++)
    code = add_slot_run(source, before.run[i]);
  return code;
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static int read_messages_once(TrSlotSource *source, const char *host, const char *job_id, int64_t horizon_us,
                              char **message) {
  TrFilter filter;
  tr_job_log_begin(&source->log, horizon_us);
  int code = filter_for(&filter, host, job_id, TR_ORDER_ROWID_DESC);
  if (code == SQLITE_OK) code = tr_log_scan_begin(&source->messages, source->logs, &filter, message);
  while (code == SQLITE_OK && !tr_job_log_is_enough(&source->log)) {
    int64_t time_us;
    code = tr_log_scan_next(&source->messages, message);
    if (code != SQLITE_ROW) break;
    code = SQLITE_OK;
    if (tr_log_scan_entry_reason(&source->messages)) continue; /* not a log: task_logs shows it */
    const TrMessage *told = tr_log_scan_message(&source->messages);
    if (!tr_span_time_us(&told->line, &told->timestamp, &time_us)) continue;
    code = tr_job_log_add(&source->log, told->words, time_us);
  }
  tr_job_log_end(&source->log);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* A log may be emptied in place, by whoever rotates it. Half of it would show runs as missed. */
static int read_messages(TrSlotSource *source, const char *host, const char *job_id, int64_t horizon_us,
                         char **message) {
  for (int looks = 0; looks < MOST_LOG_LOOKS; looks++) {
    int code = read_messages_once(source, host, job_id, horizon_us, message);
    if (code != SQLITE_OK || !source->messages.lines.has_shrunk) return code;
  }
  return tr_error(message, SQLITE_BUSY, "job '%s': its log becomes shorter again and again while it is read", job_id);
}

/* Sets the starts of the records, if the log has any ends of runs. */
static int match_records(TrSlotSource *source) {
  const TrDurations *durations = &source->log.durations;
  size_t runs = durations->count;
  bool *grown = tr_array_reserve(source->is_used, &source->used_room, runs + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  source->is_used = grown;
  memset(source->is_used, 0, runs * sizeof *source->is_used);
  for (size_t i = 0; i < source->count && durations->finishes_told; i++) {
    size_t which;
    TrSlotRun *run = &source->run[i];
    if (!tr_durations_find(durations, run->finish_us, &which)) continue;
    run->start_us = durations->run[which].start_us;
    run->is_logged = true;
    source->is_used[which] = true;
  }
  return SQLITE_OK;
}

/* Adds runs that have ended but have no record. */
static int add_ended_runs(TrSlotSource *source) {
  const TrDurations *durations = &source->log.durations;
  int code = SQLITE_OK;
  for (size_t i = 0; i < durations->count && durations->finishes_told && code == SQLITE_OK; i++) {
    TrSlotRun run = {.kind = TR_RUN_OF_LOG, .is_logged = true};
    run.start_us = durations->run[i].start_us;
    run.finish_us = durations->run[i].finish_us;
    if (!source->is_used[i]) code = add_slot_run(source, run);
  }
  return code;
}

/* Adds runs without an end that began up to that time. */
static int add_open_runs(TrSlotSource *source, int64_t until_us) {
  const TrDurations *durations = &source->log.durations;
  size_t from = durations->finishes_told ? durations->count : 0, end = durations->count + durations->unfinished;
  int code = SQLITE_OK;
  for (size_t i = from; i < end && code == SQLITE_OK; i++) {
    TrSlotRun run = {.kind = TR_RUN_CUT_SHORT, .start_us = durations->run[i].start_us, .is_logged = true};
    if (run.start_us <= until_us) code = add_slot_run(source, run);
  }
  return code;
}

/* Has the run of the checkpoint ended, according to the log or a record? */
static bool is_over(const TrSlotSource *source, int64_t started_us) {
  for (size_t i = 0; i < source->count; i++) {
    if (source->run[i].finish_us >= started_us) return true;
  }
  return false;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static int compare_slot_runs(const void *a, const void *b) {
  const TrSlotRun *x = a, *y = b;
  if (x->start_us != y->start_us) return x->start_us < y->start_us ? -1 : 1;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

/* `started_us`: the start of the current run, if there is one. The log may have it, too. */
static int combine_runs(TrSlotSource *source, int64_t started_us) {
  int64_t until_us = INT64_MAX;
  int code = match_records(source);
  if (code == SQLITE_OK) code = add_ended_runs(source);
  if (code == SQLITE_OK && started_us != TR_UNKNOWN_US && !is_over(source, started_us)) {
    code = add_slot_run(source, (TrSlotRun){.kind = TR_RUN_GOING_ON, .start_us = started_us, .is_logged = true});
    if (__builtin_sub_overflow(started_us, CHECKPOINT_LAG_US, &until_us)) until_us = INT64_MIN;
  }
  return code == SQLITE_OK ? add_open_runs(source, until_us) : code;
}

int tr_slot_source_load(TrSlotSource *source, const TrHostJobs *of, const char *job_id, int64_t horizon_us,
                        TrSlotJob *job, char **message) {
  TrRun state;
  int64_t started_us;
  source->count = 0;
  source->earliest_us = INT64_MAX;
  int code = tr_checkpoint_look(of->jobs.state_fd, job_id, source->poll, &state, &started_us, message);
  if (code == SQLITE_OK) code = read_records(source, of->host, job_id, horizon_us, message);
  if (code == SQLITE_OK) code = read_messages(source, of->host, job_id, horizon_us, message);
  if (code == SQLITE_OK) code = combine_runs(source, state == TR_RUN_ALIVE ? started_us : TR_UNKNOWN_US);
  if (code != SQLITE_OK) return too_many(job_id, code, message);
  tr_array_sort(source->run, source->count, sizeof *source->run, compare_slot_runs);
  job->run = source->run;
  job->run_count = source->count;
  job->log = &source->log;
  job->earliest_us = source->earliest_us;
  if (source->count > 0 && source->run[0].start_us < job->earliest_us) job->earliest_us = source->run[0].start_us;
  return SQLITE_OK;
}
