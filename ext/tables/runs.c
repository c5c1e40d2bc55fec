/*
** runs.c - task_runs: one row per record, with the time its run took.
**
**   SELECT job_id, started, duration_s FROM task_runs ORDER BY duration_s DESC LIMIT 10;
**   SELECT job_id, avg(duration_s), max(duration_s) FROM task_runs GROUP BY job_id;
**   CREATE VIRTUAL TABLE temp.old_runs USING task_runs(dir='/backup/results', logs='/backup/logs');
**
** Rows, rowids and pushdown are those of task_results. run_log.c tells which start belongs to which record; under a
** mapping, the record itself may say it.
*/
#include "tables.h"

enum {
  RUNS_JOB_ID,
  RUNS_STARTED,
  RUNS_FINISHED,
  RUNS_DURATION_S,
  RUNS_SUCCESS,
  RUNS_OUTPUT,
  RUNS_ERROR,
  RUNS_JOB,
  RUNS_STARTED_US,
  RUNS_TIME_US,
  RUNS_OFFSET,
  RUNS_OK,
  RUNS_HOST,
  RUNS_SEGMENT_NO,
  RUNS_UNBROKEN
};

static const char runs_schema[] =
    "CREATE TABLE task_runs("
    "job_id TEXT, started TEXT, finished TEXT, duration_s REAL, success INTEGER, output TEXT, error TEXT, "
    "job TEXT HIDDEN, started_us INTEGER HIDDEN, time_us INTEGER HIDDEN, offset INTEGER HIDDEN, "
    "ok INTEGER HIDDEN, host TEXT HIDDEN, segment_no INTEGER HIDDEN, unbroken INTEGER HIDDEN)";

typedef struct RunsCursor {
  TrScanCursor results; /* first */
  TrRunLog log;
} RunsCursor;

static TrColumn runs_column_of(int column) {
  switch (column) {
  case RUNS_JOB_ID:
  case RUNS_JOB: return TR_COLUMN_JOB_ID;
  case RUNS_HOST: return TR_COLUMN_HOST;
  case RUNS_SUCCESS: return TR_COLUMN_SUCCESS;
  case RUNS_OK: return TR_COLUMN_OK;
  case RUNS_FINISHED: return TR_COLUMN_TIMESTAMP;
  case RUNS_TIME_US: return TR_COLUMN_TIME_US;
  default: return TR_COLUMN_OTHER;
  }
}

static int runs_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  return tr_logged_table_connect(db, connection, runs_schema, false, argc, argv, vtab, message);
}

static int runs_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, runs_column_of, false, TR_INDEX_COVERS);
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static int runs_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  RunsCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (RunsCursor){.results.cursor.at_end = true};
  tr_scan_init(&cursor->results.scan, table->connection, &table->poll, TR_WANT_RECORDS);
  tr_run_log_init(&cursor->log, (TrLoggedTable *)vtab);
  *out = &cursor->results.cursor.base;
  return SQLITE_OK;
}

static int runs_close(sqlite3_vtab_cursor *base) {
  tr_run_log_end(&((RunsCursor *)base)->log);
  return tr_table_close(base);
}

static int runs_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc, sqlite3_value **argv) {
  tr_run_log_forget(&((RunsCursor *)base)->log); /* the log has grown, and this pass reads newer records */
  int code = tr_table_filter(base, number, plan, argc, argv);
  ((RunsCursor *)base)->log.is_optional = ((RunsCursor *)base)->results.scan.mapping != NULL;
  return code;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* What the record itself says of its start. False: nothing. */
static bool recorded_column(sqlite3_context *context, const RunsCursor *cursor, int column) {
  const TrScan *results = &cursor->results.scan;
  const TrLine *line = tr_scan_line(results);
  const TrRecord *record = tr_scan_record(results);
  locale_t c_locale = tr_table_connection(&cursor->results.cursor)->c_locale;
  int64_t us;
  if (results->mapping == NULL) return false;
  if (column == RUNS_DURATION_S) {
    bool is_known = tr_record_duration_us(line, record, c_locale, &us);
    if (is_known) sqlite3_result_double(context, (double)us / 1e6);
    return is_known;
  }
  if (!tr_record_start_us(line, record, c_locale, &us)) return false;
  column == RUNS_STARTED_US ? sqlite3_result_int64(context, us) : tr_result_timestamp(context, us);
  return true;
}

/* A column that depends on the start of the current record. */
static int start_column(sqlite3_context *context, RunsCursor *cursor, int column) {
  const TrScan *results = &cursor->results.scan;
  int64_t time_us, us;
  if (recorded_column(context, cursor, column)) return SQLITE_OK;
  if (!tr_span_time_us(tr_scan_line(results), &tr_scan_record(results)->field[TR_TIMESTAMP], &time_us))
    return SQLITE_OK;
  int code = tr_run_log_load(&cursor->log, results);
  if (code != SQLITE_OK) return code;
  if (column == RUNS_DURATION_S) {
    if (tr_run_log_duration(&cursor->log, time_us, &us)) sqlite3_result_double(context, (double)us / 1e6);
  } else if (tr_run_log_start(&cursor->log, time_us, &us)) {
    column == RUNS_STARTED_US ? sqlite3_result_int64(context, us) : tr_result_timestamp(context, us);
  }
  return SQLITE_OK;
}

/* Only if all segments of the jobs are read. */
static void result_segment_no(sqlite3_context *context, const TrScan *scan) {
  if (scan->filter.all_segments) sqlite3_result_int64(context, scan->current.file.segment);
}

static int runs_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  TrScanCursor *results = (TrScanCursor *)base;
  const TrLine *line = tr_scan_line(&results->scan);
  const TrRecord *record = tr_scan_record(&results->scan);
  switch (column) {
  case RUNS_JOB_ID:
  case RUNS_JOB: tr_result_job(context, results); break;
  case RUNS_HOST: tr_result_host(context, tr_scan_host(&results->scan)); break;
  case RUNS_STARTED:
  case RUNS_STARTED_US:
  case RUNS_DURATION_S: return start_column(context, (RunsCursor *)base, column);
  case RUNS_FINISHED: tr_result_field(context, results, TR_TIMESTAMP); break;
  case RUNS_SUCCESS: tr_result_field(context, results, TR_SUCCESS); break;
  case RUNS_OUTPUT: tr_result_field(context, results, TR_OUTPUT); break;
  case RUNS_ERROR: tr_result_field(context, results, TR_ERROR); break;
  case RUNS_TIME_US: tr_result_time_us(context, line, &record->field[TR_TIMESTAMP]); break;
  case RUNS_OFFSET: sqlite3_result_int64(context, line->offset); break;
  case RUNS_OK: tr_result_ok(context, &results->scan); break;
  case RUNS_SEGMENT_NO: result_segment_no(context, &results->scan); break;
  case RUNS_UNBROKEN: return tr_result_unbroken(context, results);
  }
  return SQLITE_OK;
}

int tr_runs_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = runs_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = runs_connect,
      .xBestIndex = runs_best_index,
      .xDisconnect = tr_logged_table_disconnect,
      .xDestroy = tr_logged_table_disconnect,
      .xOpen = runs_open,
      .xClose = runs_close,
      .xFilter = runs_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = runs_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_runs", &module, connection, tr_connection_unref);
}
