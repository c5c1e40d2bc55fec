/*
** job_pass.c - tables whose rows come from one pass over each job's file: task_stats and task_errors.
**
** A file is opened, read completely and closed; then its rows are returned, and the next file follows. The table makes
** the rows: it is told when a file begins, and of each line that counts. time_window.c handles the arguments since and
** until.
**
** Under a mapping, jobs may share files. Then all of them are read before the first row, and the table is told of each
** line whose it is. What belongs to no job (records without one, rejects, and lines that the mapping does not want) is
** a row whose job_id is NULL.
*/
#include "tables.h"

#include <limits.h>

void tr_job_pass_init(TrJobPass *pass, sqlite3_vtab *vtab, const TrJobRows *rows) {
  TrTable *table = (TrTable *)vtab;
  pass->rows = rows;
  pass->cursor.cursor.at_end = true;
  tr_scan_init(&pass->cursor.scan, table->connection, &table->poll, TR_WANT_FILES);
  pass->cursor.scan.unread_are_enough = rows->takes_unread;
  pass->cursor.scan.keeps_texts = rows->complete != NULL;
}

int tr_job_pass_end(TrJobPass *pass) {
  tr_job_index_free(&pass->shared);
  tr_time_window_free(&pass->time_window);
  return tr_table_close(&pass->cursor.cursor.base);
}

int tr_job_pass_filter(TrJobPass *pass, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  TrCursor *cursor = &pass->cursor.cursor;
  TrTable *table = (TrTable *)cursor->base.pVtab;
  char **message = &table->base.zErrMsg;
  TrPlan plan;
  TrFilter filter;
  int code = tr_table_bind(cursor, plan_text, argc, argv, &plan, &filter);
  if (code != SQLITE_OK) return code;
  code = tr_time_window_bind(&pass->time_window, pass->rows->table, &plan, flags, argv, &filter, message);
  filter.skip_true |= pass->rows->failures_only; /* success.c decides the rest */
  tr_job_index_free(&pass->shared);
  pass->passed = 0;
  pass->has_read = false;
  if (code == SQLITE_OK) code = tr_scan_begin(&pass->cursor.scan, &table->settings, &filter, message);
  tr_filter_free(&filter); /* does nothing if the scan has taken it over */
  return code;
}

/* --- files that jobs share ---------------------------------------------------------------------------------------- */

static int add_shared_line(TrJobPass *pass, const TrParsed *line) {
  TrBytes job = {0};
  size_t which;
  bool is_new;
  int code = SQLITE_OK;
  if (line->reason == TR_OK) code = tr_record_job(&line->line, &line->record, &pass->cursor.cursor.scratch, &job);
  if (code == SQLITE_OK)
    code = tr_job_index_find(&pass->shared, tr_scan_host(&pass->cursor.scan), job, &which, &is_new);
  if (code == SQLITE_OK) code = pass->rows->select(pass, which);
  if (code == SQLITE_OK && is_new) code = pass->rows->begin(pass);
  return code == SQLITE_OK ? pass->rows->add(pass, line, 1) : code;
}

static int read_shared_files(TrJobPass *pass, char **message) {
  TrScan *scan = &pass->cursor.scan;
  const TrParsed *lines;
  unsigned count;
  int code;
  while ((code = tr_scan_next_file(scan, message)) == SQLITE_ROW) {
    while ((code = tr_scan_next_lines(scan, UINT_MAX, &lines, &count, message)) == SQLITE_ROW) {
      for (unsigned i = 0; i < count; i++) {
        int added = add_shared_line(pass, &lines[i]);
        if (added != SQLITE_OK) return added;
      }
    }
    if (code != SQLITE_DONE) return code;
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int next_shared(TrJobPass *pass, char **message) {
  int code = pass->has_read ? SQLITE_OK : read_shared_files(pass, message);
  pass->has_read = true;
  if (code != SQLITE_OK) return code;
  if (pass->passed == pass->shared.count) return SQLITE_DONE;
  code = pass->rows->select(pass, pass->passed++);
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

static const TrIndexedJob *current_shared(const TrJobPass *pass) {
  return pass->has_read ? &pass->shared.job[pass->passed - 1] : NULL;
}

/* --- for the tables ----------------------------------------------------------------------------------------------- */

static int read_lines(TrJobPass *pass, char **message) {
  const TrParsed *lines;
  unsigned count;
  int code = pass->rows->begin(pass);
  while (code == SQLITE_OK &&
         (code = tr_scan_next_lines(&pass->cursor.scan, UINT_MAX, &lines, &count, message)) == SQLITE_ROW)
    code = pass->rows->add(pass, lines, count);
  if (code == SQLITE_DONE) code = pass->rows->complete ? pass->rows->complete(pass, message) : SQLITE_OK;
  return code;
}

int tr_job_pass_next(TrJobPass *pass) {
  TrScan *scan = &pass->cursor.scan;
  char **message = &pass->cursor.cursor.base.pVtab->zErrMsg;
  if (scan->filter.jobs_in_records) return next_shared(pass, message);
  int code = tr_scan_next_file(scan, message);
  if (code != SQLITE_ROW) return code;
  code = read_lines(pass, message);
  if (code == SQLITE_NOTFOUND) {
    code = tr_scan_index_reread(scan);
    if (code == SQLITE_OK) code = read_lines(pass, message);
  }
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

void tr_job_pass_result_job(sqlite3_context *context, const TrJobPass *pass) {
  const TrIndexedJob *shared = current_shared(pass);
  if (shared == NULL) {
    tr_result_job_id(context, tr_scan_job_id(&pass->cursor.scan));
  } else if (shared->job.text) {
    sqlite3_result_text64(context, shared->job.text, shared->job.length, SQLITE_TRANSIENT, SQLITE_UTF8);
  }
}

void tr_job_pass_result_host(sqlite3_context *context, const TrJobPass *pass) {
  const TrIndexedJob *shared = current_shared(pass);
  tr_result_host(context, shared ? shared->host : tr_scan_host(&pass->cursor.scan));
}

/* Else of the file, not of a line in it. SQLite may tell rows of two passes apart by it: so that of a shared job is
** made from its name. */
int64_t tr_job_pass_rowid(const TrJobPass *pass) {
  const TrIndexedJob *shared = current_shared(pass);
  if (shared == NULL) return tr_scan_file_rowid(&pass->cursor.scan);
  uint64_t hash = tr_hash_bytes(shared->names, shared->host.length + shared->job.length) + shared->host.length;
  return (int64_t)((hash << 1 | (shared->job.text != NULL)) & INT64_MAX);
}
