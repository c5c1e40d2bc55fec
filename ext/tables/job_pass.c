/*
** job_pass.c - tables whose rows come from one pass over each job's file: task_stats and task_errors.
**
** A file is opened, read completely and closed; then its rows are returned, and the next file follows. The table makes
** the rows: it is told when a file begins, and of each line that counts. time_window.c handles the arguments since and
** until.
*/
#include "tables.h"

#include <limits.h>

void tr_job_pass_init(TrJobPass *pass, sqlite3_vtab *vtab, const TrJobRows *rows) {
  TrTable *table = (TrTable *)vtab;
  pass->rows = rows;
  pass->cursor.cursor.at_end = true;
  tr_scan_init(&pass->cursor.scan, table->connection, &table->poll, TR_WANT_FILES);
}

int tr_job_pass_end(TrJobPass *pass) {
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
  if (code == SQLITE_OK) code = tr_scan_begin(&pass->cursor.scan, &table->settings, &filter, message);
  tr_filter_free(&filter); /* does nothing if the scan has taken it over */
  return code;
}

int tr_job_pass_next(TrJobPass *pass) {
  TrScan *scan = &pass->cursor.scan;
  char **message = &pass->cursor.cursor.base.pVtab->zErrMsg;
  int code = tr_scan_next_file(scan, message);
  if (code != SQLITE_ROW) return code;
  code = pass->rows->begin(pass);
  const TrParsed *lines;
  unsigned count;
  while (code == SQLITE_OK && (code = tr_scan_next_lines(scan, UINT_MAX, &lines, &count, message)) == SQLITE_ROW)
    code = pass->rows->add(pass, lines, count);
  return code == SQLITE_DONE ? SQLITE_ROW : code;
}
