/*
** runs.c - task_runs: one row per record, with the time its run took.
**
**   SELECT job_id, started, duration_s FROM task_runs ORDER BY duration_s DESC LIMIT 10;
**   SELECT job_id, avg(duration_s), max(duration_s) FROM task_runs GROUP BY job_id;
**   CREATE VIRTUAL TABLE temp.old_runs USING task_runs(dir='/backup/results', logs='/backup/logs');
**
** The rows are those of task_results, and so are what is pushed down and the rowids. The log of a job is read when a
** start is first asked for in a pass, after the record's file was opened: so it has the start of every record in there.
** Which start belongs to which record: see durations.c.
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
  RUNS_OK
};

static const char runs_schema[] =
    "CREATE TABLE task_runs("
    "job_id TEXT, started TEXT, finished TEXT, duration_s REAL, success INTEGER, output TEXT, error TEXT, "
    "job TEXT HIDDEN, started_us INTEGER HIDDEN, time_us INTEGER HIDDEN, offset INTEGER HIDDEN, "
    "ok INTEGER HIDDEN)";

typedef struct RunsTable {
  TrTable table; /* of the results */
  TrSettings logs;
} RunsTable;

typedef struct RunsCursor {
  TrScanCursor results; /* first */
  TrLogScan log;
  TrDurations durations;
  bool loaded;         /* durations are those of ... */
  int64_t loaded_file; /* ... the job whose file has this rowid */
} RunsCursor;

static TrColumn runs_column_of(int column) {
  switch (column) {
  case RUNS_JOB_ID:
  case RUNS_JOB: return TR_COLUMN_JOB_ID;
  case RUNS_SUCCESS: return TR_COLUMN_SUCCESS;
  case RUNS_OK: return TR_COLUMN_OK;
  case RUNS_FINISHED: return TR_COLUMN_TIMESTAMP;
  case RUNS_TIME_US: return TR_COLUMN_TIME_US;
  default: return TR_COLUMN_OTHER;
  }
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static int parse_runs_argument(RunsTable *table, const char *name, const char *argument, char **message) {
  enum { DIR, LOGS, MAX_LINE };
  static const char *const known[] = {"dir='PATH'", "logs='PATH'", "max_line=BYTES", NULL};
  int which;
  char *value;
  int code = tr_argument_parse(table->table.connection, name, argument, known, &which, &value, message);
  if (code != SQLITE_OK || value == NULL) return code;
  TrSettings *settings = which == LOGS ? &table->logs : &table->table.settings;
  code = tr_settings_set(settings, which == MAX_LINE ? TR_SETTING_MAX_LINE : TR_SETTING_DIR, value, message);
  table->logs.max_line = table->table.settings.max_line;
  return code;
}

static int runs_disconnect(sqlite3_vtab *vtab) {
  tr_settings_free(&((RunsTable *)vtab)->logs);
  return tr_table_disconnect(vtab);
}

static int runs_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  TrConnection *connection = aux;
  RunsTable *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (RunsTable){.table = {.connection = connection, .poll.db = db, .settings.store = &tr_results_store},
                       .logs.store = &tr_logs_store};
  connection->references++;
  int code = SQLITE_OK;
  for (int i = 3; i < argc && code == SQLITE_OK; i++) code = parse_runs_argument(table, argv[0], argv[i], message);
  if (code == SQLITE_OK) code = tr_table_declare(db, runs_schema, argc, message);
  if (code == SQLITE_OK) {
    *vtab = &table->table.base;
  } else {
    runs_disconnect(&table->table.base);
  }
  return code;
}

static int runs_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_plan_choose(info, runs_column_of, ((TrTable *)vtab)->connection, false);
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static int runs_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  RunsCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (RunsCursor){.results.cursor.at_end = true};
  tr_scan_init(&cursor->results.scan, table->connection, &table->poll, TR_WANT_RECORDS);
  tr_log_scan_init(&cursor->log, table->connection, &table->poll);
  *out = &cursor->results.cursor.base;
  return SQLITE_OK;
}

static int runs_close(sqlite3_vtab_cursor *base) {
  RunsCursor *cursor = (RunsCursor *)base;
  tr_durations_free(&cursor->durations);
  tr_log_scan_end(&cursor->log);
  return tr_table_close(base);
}

static int runs_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc, sqlite3_value **argv) {
  ((RunsCursor *)base)->loaded = false; /* the log goes on, and this pass reads newer records */
  return tr_table_filter(base, number, plan, argc, argv);
}

/* --- durations ---------------------------------------------------------------------------------------------------- */

static int read_log(RunsCursor *cursor, char **message) {
  int code = SQLITE_ROW;
  tr_durations_begin(&cursor->durations);
  while (code == SQLITE_ROW && !tr_durations_are_full(&cursor->durations)) {
    int64_t time_us;
    code = tr_log_scan_next(&cursor->log, message);
    if (code != SQLITE_ROW || tr_log_scan_entry_reason(&cursor->log)) continue; /* what is no log: task_logs shows it */
    const TrMessage *told = tr_log_scan_message(&cursor->log);
    if (!tr_span_time_us(&told->line, &told->timestamp, &time_us)) continue;
    int added = tr_durations_add(&cursor->durations, told->words, time_us);
    if (added != SQLITE_OK) return added;
  }
  tr_durations_end(&cursor->durations);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The starts of the current record's job are there after this. */
static int load_durations(RunsCursor *cursor) {
  const TrScan *results = &cursor->results.scan;
  RunsTable *table = (RunsTable *)cursor->results.cursor.base.pVtab;
  char **message = &table->table.base.zErrMsg;
  int64_t file = tr_scan_file_rowid(results, 0);
  TrFilter filter;
  if (cursor->loaded && cursor->loaded_file == file) return SQLITE_OK;
  cursor->loaded = false;
  TrBytes job = tr_scan_job_id(results);
  int code = tr_filter_for_job(&filter, job.text, job.length, TR_ORDER_ROWID_DESC);
  if (code == SQLITE_OK) code = tr_log_scan_begin(&cursor->log, &table->logs, &filter, message);
  if (code == SQLITE_OK) code = read_log(cursor, message);
  cursor->loaded = code == SQLITE_OK;
  cursor->loaded_file = file;
  return code;
}

/* What the current record's start has to say. A clock that was set back during the run leaves no duration. */
static int start_column(sqlite3_context *context, RunsCursor *cursor, int column) {
  const TrScan *results = &cursor->results.scan;
  int64_t time_us;
  size_t which;
  if (!tr_span_time_us(tr_scan_line(results), &tr_scan_record(results)->field[TR_TIMESTAMP], &time_us))
    return SQLITE_OK;
  int code = load_durations(cursor);
  if (code != SQLITE_OK || !tr_durations_find(&cursor->durations, time_us, &which)) return code;
  int64_t start_us = cursor->durations.run[which].start_us;
  if (column == RUNS_STARTED_US) {
    sqlite3_result_int64(context, start_us);
  } else if (column == RUNS_STARTED) {
    tr_result_timestamp(context, start_us);
  } else if (start_us <= time_us) {
    sqlite3_result_double(context, (double)(time_us - start_us) / 1e6);
  }
  return SQLITE_OK;
}

static int runs_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  TrScanCursor *results = (TrScanCursor *)base;
  const TrLine *line = tr_scan_line(&results->scan);
  const TrRecord *record = tr_scan_record(&results->scan);
  TrBytes job = tr_scan_job_id(&results->scan);
  switch (column) {
  case RUNS_JOB_ID:
  case RUNS_JOB: tr_result_job_id(context, job); break;
  case RUNS_STARTED:
  case RUNS_STARTED_US:
  case RUNS_DURATION_S: return start_column(context, (RunsCursor *)base, column);
  case RUNS_FINISHED: tr_result_field(context, results, TR_TIMESTAMP); break;
  case RUNS_SUCCESS: tr_result_field(context, results, TR_SUCCESS); break;
  case RUNS_OUTPUT: tr_result_field(context, results, TR_OUTPUT); break;
  case RUNS_ERROR: tr_result_field(context, results, TR_ERROR); break;
  case RUNS_TIME_US: tr_result_time_us(context, line, &record->field[TR_TIMESTAMP]); break;
  case RUNS_OFFSET: sqlite3_result_int64(context, line->offset); break;
  case RUNS_OK: sqlite3_result_int(context, tr_record_is_ok(line, record)); break;
  }
  return SQLITE_OK;
}

int tr_runs_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = runs_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = runs_connect,
      .xBestIndex = runs_best_index,
      .xDisconnect = runs_disconnect,
      .xDestroy = runs_disconnect,
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
