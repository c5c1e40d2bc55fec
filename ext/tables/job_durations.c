/*
** job_durations.c - the records of a job and its log -> the durations of its runs, for task_stats.
**
** While the file of records is read, the times of the records are kept. The log is read when the query needs a
** duration, so the log of a job whose row is not wanted stays closed. With a long history, the log is read as soon as
** enough times have been kept; from then on only known durations are kept. Under a mapping, a record may say itself how
** long its run took; then the log is not asked.
*/
#include "tables.h"

#ifndef TR_TIMES_AT_ONCE /* the tests also build with a few */
#define TR_TIMES_AT_ONCE (64 * 1024)
#endif

void tr_job_durations_init(TrJobDurations *durations, TrLoggedTable *table) {
  *durations = (TrJobDurations){.is_wanted = false};
  tr_run_log_init(&durations->log, table);
  durations->log.is_optional = true;
}

void tr_job_durations_end(TrJobDurations *durations) {
  tr_run_log_end(&durations->log);
  sqlite3_free(durations->finish_us);
}

void tr_job_durations_begin(TrJobDurations *durations) {
  tr_run_log_forget(&durations->log);
  tr_quantiles_begin(durations->known_us);
  durations->count = 0;
}

/* Turns the kept times into durations, where the log has them. */
static int look_up_kept(TrJobDurations *durations, const TrScan *results) {
  if (durations->count == 0) return SQLITE_OK;
  int code = tr_run_log_load(&durations->log, results);
  for (size_t i = 0; i < durations->count && code == SQLITE_OK; i++) {
    int64_t duration_us;
    if (!tr_run_log_duration(&durations->log, durations->finish_us[i], &duration_us)) continue;
    code = tr_quantiles_add(durations->known_us, duration_us);
  }
  if (code == SQLITE_OK) durations->count = 0;
  return code;
}

static int add_finish(TrJobDurations *durations, int64_t finish_us) {
  int64_t *grown = tr_array_reserve(durations->finish_us, &durations->room, durations->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  durations->finish_us = grown;
  durations->finish_us[durations->count++] = finish_us;
  return SQLITE_OK;
}

static bool is_recorded(const TrJobDurations *durations, const TrParsed *parsed, int64_t *us) {
  locale_t c_locale = durations->log.table->table.connection->c_locale;
  return tr_record_duration_us(&parsed->line, &parsed->record, c_locale, us);
}

int tr_job_durations_add(TrJobDurations *durations, const TrScan *results, const TrParsed *lines, unsigned count) {
  int code = SQLITE_OK;
  for (const TrParsed *parsed = lines; parsed < lines + count && code == SQLITE_OK; parsed++) {
    int64_t finish_us, duration_us;
    if (parsed->reason != TR_OK) continue;
    if (results->mapping && is_recorded(durations, parsed, &duration_us)) {
      code = tr_quantiles_add(durations->known_us, duration_us);
      continue;
    }
    if (results->filter.jobs_in_records) continue; /* they have no logs */
    if (!tr_span_time_us(&parsed->line, &parsed->record.field[TR_TIMESTAMP], &finish_us)) continue;
    code = add_finish(durations, finish_us);
    if (code == SQLITE_OK && durations->count >= TR_TIMES_AT_ONCE) code = look_up_kept(durations, results);
  }
  return code;
}

int tr_job_durations_quantile(TrJobDurations *durations, const TrScan *results, unsigned percent, int64_t *us,
                              bool *is_known) {
  int code = look_up_kept(durations, results);
  *is_known = code == SQLITE_OK && tr_quantiles_find(durations->known_us, percent, us);
  return code;
}

int tr_job_durations_of_run(TrJobDurations *durations, const TrScan *results, int64_t finish_us, int64_t *us,
                            bool *is_known) {
  int code = tr_run_log_load(&durations->log, results);
  *is_known = code == SQLITE_OK && tr_run_log_duration(&durations->log, finish_us, us);
  return code;
}
