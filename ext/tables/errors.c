/*
** errors.c - task_errors: one row for each kind of failure of each job.
**
**   SELECT job_id, signature, times FROM task_errors ORDER BY times DESC;
**   SELECT signature, sum(times), count(*) AS jobs FROM task_errors GROUP BY signature;
**   SELECT * FROM task_errors('2026-02-01T00:00:00Z', NULL) WHERE job_id = 'my-job';
**
** The rows of a job are made in one pass over its file, and returned before the next file is opened. error_groups.c
** defines a group, success.c a failure, time_window.c since and until. A job that did not fail has no row.
**
** The rowid is that of the first such record in task_results, or in task_history if all segments are read; the rows are
** in that order. A query by rowid makes all rows of the file, of which SQLite picks the one.
*/
#include "tables.h"

enum {
  ERRORS_JOB_ID,
  ERRORS_SIGNATURE,
  ERRORS_TIMES,
  ERRORS_FIRST_RUN,
  ERRORS_LAST_RUN,
  ERRORS_SINCE, /* the first hidden columns are the arguments */
  ERRORS_UNTIL,
  ERRORS_JOB,
  ERRORS_FIRST_RUN_US,
  ERRORS_LAST_RUN_US,
  ERRORS_HOST
};

static const char errors_schema[] =
    "CREATE TABLE task_errors("
    "job_id TEXT, signature TEXT, times INTEGER, first_run TEXT, last_run TEXT, "
    "since HIDDEN, until HIDDEN, job TEXT HIDDEN, " /* no type: SQLite must not convert what was given */
    "first_run_us INTEGER HIDDEN, last_run_us INTEGER HIDDEN, host TEXT HIDDEN)";

typedef struct ErrorsCursor {
  TrJobPass pass;    /* first: job_pass.c knows only this */
  TrErrorGroups *of; /* owned: of the jobs of shared files; else of the current file alone */
  size_t count, room;
  TrErrorGroups *groups; /* of the current job */
  size_t passed;         /* how many were returned, including the current row */
} ErrorsCursor;

static TrColumn errors_column_of(int column) {
  switch (column) {
  case ERRORS_JOB_ID:
  case ERRORS_JOB: return TR_COLUMN_JOB_ID;
  case ERRORS_HOST: return TR_COLUMN_HOST;
  case ERRORS_SINCE: return TR_COLUMN_SINCE;
  case ERRORS_UNTIL: return TR_COLUMN_UNTIL;
  default: return TR_COLUMN_OTHER;
  }
}

static int errors_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                          char **message) {
  return tr_table_connect(db, connection, &tr_results_store, true, errors_schema, argc, argv, vtab, message);
}

static int errors_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int code = tr_time_window_choose(vtab, info, "task_errors", errors_column_of, TR_INDEX_FINDS);
  if (code == SQLITE_OK) info->estimatedRows = info->estimatedRows / 200 + 1; /* a few groups a job */
  return code;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static int begin_groups(TrJobPass *pass) {
  return tr_error_groups_begin(((ErrorsCursor *)pass)->groups);
}

static int select_groups(TrJobPass *pass, size_t which) {
  ErrorsCursor *errors = (ErrorsCursor *)pass;
  TrErrorGroups *grown = tr_array_reserve(errors->of, &errors->room, which + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  errors->of = grown;
  for (; errors->count <= which; errors->count++)
    errors->of[errors->count] = (TrErrorGroups){.c_locale = tr_table_connection(&pass->cursor.cursor)->c_locale};
  errors->groups = &errors->of[which];
  return SQLITE_OK;
}

static int add_to_groups(TrJobPass *pass, const TrParsed *lines, unsigned count) {
  TrErrorGroups *groups = ((ErrorsCursor *)pass)->groups;
  int code = SQLITE_OK;
  for (const TrParsed *parsed = lines; parsed < lines + count && code == SQLITE_OK; parsed++) {
    if (parsed->reason != TR_OK || tr_record_is_ok(&parsed->line, &parsed->record)) continue;
    if (tr_record_is_unknown(&parsed->record)) continue;
    int64_t rowid = tr_scan_rowid(&pass->cursor.scan, &parsed->line);
    code = tr_error_groups_add(groups, &parsed->line, &parsed->record, rowid);
  }
  return code;
}

static int errors_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  static const TrJobRows rows = {.table = "task_errors",
                                 .failures_only = true,
                                 .begin = begin_groups,
                                 .add = add_to_groups,
                                 .select = select_groups};
  ErrorsCursor *errors = sqlite3_malloc64(sizeof *errors);
  if (errors == NULL) return SQLITE_NOMEM;
  *errors = (ErrorsCursor){.groups = NULL};
  tr_job_pass_init(&errors->pass, vtab, &rows);
  *out = &errors->pass.cursor.cursor.base;
  return SQLITE_OK;
}

static int errors_close(sqlite3_vtab_cursor *base) {
  ErrorsCursor *errors = (ErrorsCursor *)base;
  for (size_t i = 0; i < errors->count; i++) tr_error_groups_free(&errors->of[i]);
  sqlite3_free(errors->of);
  return tr_job_pass_end(&errors->pass);
}

static const TrErrorGroup *current(const ErrorsCursor *errors) {
  const TrErrorGroups *groups = errors->groups;
  bool turned_round = tr_scan_is_backwards(&errors->pass.cursor.scan);
  return &groups->group[turned_round ? groups->count - errors->passed : errors->passed - 1];
}

static int errors_next(sqlite3_vtab_cursor *base) {
  ErrorsCursor *errors = (ErrorsCursor *)base;
  int code = SQLITE_ROW;
  while (errors->passed == errors->groups->count && code == SQLITE_ROW) {
    errors->passed = 0;
    code = tr_job_pass_next(&errors->pass);
  }
  if (code == SQLITE_ROW) {
    errors->passed++;
    return SQLITE_OK;
  }
  errors->pass.cursor.cursor.at_end = true;
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int errors_filter(sqlite3_vtab_cursor *base, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  ErrorsCursor *errors = (ErrorsCursor *)base;
  TrCursor *cursor = &errors->pass.cursor.cursor;
  cursor->at_end = true;
  errors->passed = 0;
  int code = select_groups(&errors->pass, 0);
  if (code == SQLITE_OK) code = tr_error_groups_begin(errors->groups);
  if (code == SQLITE_OK) code = tr_job_pass_filter(&errors->pass, flags, plan_text, argc, argv);
  if (code != SQLITE_OK) return code;
  cursor->at_end = false;
  return errors_next(base);
}

static int errors_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const ErrorsCursor *errors = (ErrorsCursor *)base;
  *rowid = current(errors)->first_rowid;
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static int errors_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const ErrorsCursor *errors = (ErrorsCursor *)base;
  const TrErrorGroup *group = current(errors);
  switch (column) {
  case ERRORS_JOB_ID:
  case ERRORS_JOB: tr_job_pass_result_job(context, &errors->pass); break;
  case ERRORS_HOST: tr_job_pass_result_host(context, &errors->pass); break;
  case ERRORS_SIGNATURE:
    sqlite3_result_text64(context, group->signature, group->length, SQLITE_TRANSIENT, SQLITE_UTF8);
    break;
  case ERRORS_TIMES: sqlite3_result_int64(context, group->times); break;
  case ERRORS_FIRST_RUN:
    if (group->timed) tr_result_timestamp(context, group->first_us);
    break;
  case ERRORS_LAST_RUN:
    if (group->timed) tr_result_timestamp(context, group->last_us);
    break;
  case ERRORS_SINCE: tr_time_window_result(context, errors->pass.time_window.since); break;
  case ERRORS_UNTIL: tr_time_window_result(context, errors->pass.time_window.until); break;
  case ERRORS_FIRST_RUN_US:
    if (group->timed) sqlite3_result_int64(context, group->first_us);
    break;
  default:
    if (group->timed) sqlite3_result_int64(context, group->last_us);
    break;
  }
  return SQLITE_OK;
}

int tr_errors_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = errors_connect,
      .xConnect = errors_connect,
      .xBestIndex = errors_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = errors_open,
      .xClose = errors_close,
      .xFilter = errors_filter,
      .xNext = errors_next,
      .xEof = tr_table_eof,
      .xColumn = errors_column,
      .xRowid = errors_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_errors", &module, connection, tr_connection_unref);
}
