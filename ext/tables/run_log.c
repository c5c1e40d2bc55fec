/*
** run_log.c - a job's log -> when its runs began: for task_runs, and for the durations of task_stats.
**
** The log of a job is read when a pass first needs a start. By then the file of records is open, so the log has the
** start of every record in it. Which start belongs to which record: see scheduler/durations.c.
*/
#include "tables.h"

#include <errno.h>
#include <string.h>

void tr_run_log_init(TrRunLog *log, TrLoggedTable *table) {
  *log = (TrRunLog){.table = table};
  tr_log_scan_init(&log->messages, table->table.connection, &table->table.poll);
}

void tr_run_log_forget(TrRunLog *log) {
  log->loaded = false;
}

void tr_run_log_end(TrRunLog *log) {
  tr_durations_free(&log->durations);
  tr_log_scan_end(&log->messages);
}

static int read_starts(TrRunLog *log, char **message) {
  int code = SQLITE_ROW;
  tr_durations_begin(&log->durations);
  while (code == SQLITE_ROW && !tr_durations_are_full(&log->durations)) {
    int64_t time_us;
    code = tr_log_scan_next(&log->messages, message);
    if (code != SQLITE_ROW || tr_log_scan_entry_reason(&log->messages)) continue; /* not a log: task_logs shows it */
    const TrMessage *told = tr_log_scan_message(&log->messages);
    if (!tr_span_time_us(&told->line, &told->timestamp, &time_us)) continue;
    TrEvent event = tr_event_of(told->words.text, told->words.length);
    int added = tr_durations_add(&log->durations, event, told->words, time_us);
    if (added != SQLITE_OK) return added;
  }
  tr_durations_end(&log->durations);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Is there a directory of logs? With several hosts, the logs must be theirs, too: else no start is known. If logs are
** optional for the query, the default directory may be missing. Under a mapping it is another program's, so it may be
** closed to us, too. */
static bool has_logs(const TrRunLog *log, const TrScan *results, TrBytes host) {
  const TrSettings *logs = &log->table->logs;
  struct stat unused;
  bool is_starred = strchr(tr_settings_dir(logs), '*') != NULL;
  if (is_starred || host.text) return is_starred && host.text;
  if (!log->is_optional || logs->dir || tr_environment(logs->store->variable)) return true;
  if (results->mapping) return access(logs->store->default_dir, R_OK | X_OK) == 0;
  return stat(logs->store->default_dir, &unused) == 0 || errno != ENOENT;
}

static int load_starts(TrRunLog *log, const TrScan *results) {
  char **message = &log->table->table.base.zErrMsg;
  TrBytes job = tr_scan_job_id(results);
  TrFilter filter;
  TrBytes host = tr_scan_host(results);
  if (results->filter.jobs_in_records || !has_logs(log, results, host)) {
    tr_durations_begin(&log->durations);
    return SQLITE_OK;
  }
  int code = tr_filter_for_job(&filter, job.text, job.length, TR_ORDER_ROWID_DESC);
  if (code == SQLITE_OK && host.text) code = tr_filter_add_host(&filter, host);
  if (code == SQLITE_OK) code = tr_log_scan_begin(&log->messages, &log->table->logs, &filter, message);
  return code == SQLITE_OK ? read_starts(log, message) : code;
}

int tr_run_log_load(TrRunLog *log, const TrScan *results) {
  int64_t file = tr_scan_file_rowid(results);
  if (log->loaded && log->loaded_file == file) return SQLITE_OK;
  log->loaded = false;
  int code = load_starts(log, results);
  log->loaded = code == SQLITE_OK;
  log->loaded_file = file;
  return code;
}

bool tr_run_log_start(const TrRunLog *log, int64_t finish_us, int64_t *start_us) {
  size_t which;
  if (!tr_durations_find(&log->durations, finish_us, &which)) return false;
  *start_us = log->durations.run[which].start_us;
  return true;
}

/* If the clock was set back during the run, its duration is unknown. */
bool tr_run_log_duration(const TrRunLog *log, int64_t finish_us, int64_t *us) {
  int64_t start_us;
  if (!tr_run_log_start(log, finish_us, &start_us) || start_us > finish_us) return false;
  *us = finish_us - start_us;
  return true;
}
