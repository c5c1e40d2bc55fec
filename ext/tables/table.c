/*
** table.c - what all virtual tables share: connecting, cursors, and the way from a plan to a scan. The columns of each
** table, and what makes a row, are in results.c, history.c, rejects.c, stats.c, errors.c, logs.c and runs.c.
*/
#include "tables.h"

#include <string.h>

/* Views and triggers of a hostile database must not reach a table with a directory of its own. On a table without
** arguments, users may build persistent views. */
int tr_table_declare(sqlite3 *db, const char *schema, int argc, char **message) {
  int code = sqlite3_declare_vtab(db, schema);
  if (code != SQLITE_OK) return tr_error(message, code, "%s", sqlite3_errmsg(db)); /* usually "interrupted" */
  return argc > 3 ? sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY) : SQLITE_OK;
}

/* Before 3.40 SQLite lets a trigger write into a DIRECTONLY table; but a database's own triggers never reach `temp`. */
static bool triggers_cannot_write(const char *schema_name) {
  return sqlite3_libversion_number() >= 3040000 || sqlite3_stricmp(schema_name, "temp") == 0;
}

int tr_table_connect(sqlite3 *db, TrConnection *connection, const TrStore *store, bool has_segments, const char *schema,
                     int argc, const char *const *argv, sqlite3_vtab **vtab, char **message) {
  TrSettings settings;
  int code = tr_settings_parse(&settings, connection, store, argv[0], has_segments, argc - 3, argv + 3, message);
  if (code != SQLITE_OK) return code;
  TrTable *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) code = SQLITE_NOMEM;
  if (code == SQLITE_OK) code = tr_table_declare(db, schema, argc, message);
  if (code != SQLITE_OK) {
    sqlite3_free(table);
    tr_settings_free(&settings);
    return code;
  }
  *table = (TrTable){.connection = connection, .poll.db = db, .settings = settings};
  table->direct_only = argc > 3 && triggers_cannot_write(argv[1]);
  connection->references++; /* a module may be unregistered while its tables still exist */
  *vtab = &table->base;
  return SQLITE_OK;
}

/* Used as xDestroy, too: DROP TABLE touches no file. */
int tr_table_disconnect(sqlite3_vtab *vtab) {
  TrTable *table = (TrTable *)vtab;
  tr_pending_end(&table->pending);
  tr_poll_close(&table->poll);
  tr_settings_free(&table->settings);
  tr_connection_unref(table->connection);
  sqlite3_free(table);
  return SQLITE_OK;
}

/* Leaves terms that may belong to an outer join to SQLite. A cursor belongs to one statement, so we ask only once. */
static void leave_outer_joins(TrPlan *plan, TrCursor *cursor, sqlite3 *db) {
  for (int i = 0; i < plan->count; i++) {
    if (!tr_op_may_be_of_outer_join((TrOp)plan->term[i].op)) continue;
    if (!cursor->joins_asked) cursor->outer_join = tr_joins_in_statements(db);
    cursor->joins_asked = true;
    if (cursor->outer_join) plan->term[i].op = TR_OPS;
  }
}

/* Leaves LIKE and GLOB to SQLite if the host has its own functions for them. */
static int leave_foreign_patterns(TrPlan *plan, sqlite3 *db) {
  bool asked = false, builtin = false;
  for (int i = 0; i < plan->count; i++) {
    if (plan->term[i].op != TR_GLOB && plan->term[i].op != TR_LIKE) continue;
    int code = asked ? SQLITE_OK : tr_host_like_is_builtin(db, &builtin);
    if (code != SQLITE_OK) return code;
    asked = true;
    if (!builtin) plan->term[i].op = TR_OPS;
  }
  return SQLITE_OK;
}

int tr_table_bind(TrCursor *cursor, const char *plan_text, int argc, sqlite3_value **argv, TrPlan *plan,
                  TrFilter *filter) {
  TrTable *table = (TrTable *)cursor->base.pVtab;
  if (!tr_plan_decode(plan_text, plan)) {
    return tr_error(&table->base.zErrMsg, SQLITE_INTERNAL, "cannot read the plan '%s'", plan_text);
  }
  leave_outer_joins(plan, cursor, table->connection->db);
  int code = leave_foreign_patterns(plan, table->connection->db);
  return code == SQLITE_OK ? tr_filter_bind(filter, plan, argc, argv, &table->poll) : code;
}

int tr_table_choose(sqlite3_vtab *vtab, sqlite3_index_info *info, TrColumn (*column_of)(int table_column),
                    bool sorts_jobs, TrIndexUse index) {
  const TrTable *table = (const TrTable *)vtab;
  TrPlanned planned = {column_of, table->connection, &table->settings, .sorts_jobs = sorts_jobs, .index = index};
  return tr_plan_choose(info, &planned, &vtab->zErrMsg);
}

int tr_table_eof(sqlite3_vtab_cursor *base) {
  return ((TrCursor *)base)->at_end;
}

/* --- a cursor over records or rejects ----------------------------------------------------------------------------- */

int tr_table_open(sqlite3_vtab *vtab, TrWant want, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  TrScanCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  cursor->cursor = (TrCursor){.at_end = true};
  tr_scan_init(&cursor->scan, table->connection, &table->poll, want);
  *out = &cursor->cursor.base;
  return SQLITE_OK;
}

int tr_table_close(sqlite3_vtab_cursor *base) {
  TrScanCursor *cursor = (TrScanCursor *)base;
  tr_scan_end(&cursor->scan);
  tr_scratch_free(&cursor->cursor.scratch);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

int tr_table_next(sqlite3_vtab_cursor *base) {
  TrScanCursor *cursor = (TrScanCursor *)base;
  int code = tr_scan_next(&cursor->scan, &base->pVtab->zErrMsg);
  cursor->cursor.at_end = code != SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int tr_table_filter(sqlite3_vtab_cursor *base, int unused, const char *plan_text, int argc, sqlite3_value **argv) {
  (void)unused;
  TrScanCursor *cursor = (TrScanCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  TrPlan plan;
  TrFilter filter;
  cursor->cursor.at_end = true;
  int code = tr_table_bind(&cursor->cursor, plan_text, argc, argv, &plan, &filter);
  cursor->scan.unread_are_enough = plan.index == TR_INDEX_COVERS;
  if (code == SQLITE_OK) code = tr_scan_begin(&cursor->scan, &table->settings, &filter, &table->base.zErrMsg);
  return code == SQLITE_OK ? tr_table_next(base) : code;
}

int tr_table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const TrScan *scan = &((TrScanCursor *)base)->scan;
  *rowid = tr_scan_rowid(scan, tr_scan_line(scan));
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* With length -1: value.c tells why. */
void tr_result_job_id(sqlite3_context *context, TrBytes job) {
  char job_id[TR_NAME_SIZE];
  memcpy(job_id, job.text, job.length);
  job_id[job.length] = '\0';
  sqlite3_result_text(context, job_id, -1, SQLITE_TRANSIENT);
}

void tr_result_job(sqlite3_context *context, TrScanCursor *cursor) {
  TrBytes job;
  if (!cursor->scan.filter.jobs_in_records) {
    tr_result_job_id(context, tr_scan_job_id(&cursor->scan));
  } else if (tr_scan_reason(&cursor->scan) == TR_OK) {
    int code = tr_record_job(tr_scan_line(&cursor->scan), tr_scan_record(&cursor->scan), &cursor->cursor.scratch, &job);
    if (code != SQLITE_OK) sqlite3_result_error_nomem(context);
    if (code == SQLITE_OK && job.text)
      sqlite3_result_text64(context, job.text, job.length, SQLITE_TRANSIENT, SQLITE_UTF8);
  }
}

int tr_result_unbroken(sqlite3_context *context, TrScanCursor *cursor) {
  int64_t from;
  int code = tr_scan_unbroken_from(&cursor->scan, &from, &cursor->cursor.base.pVtab->zErrMsg);
  sqlite3_result_int(context, tr_scan_line(&cursor->scan)->offset >= from);
  return code;
}

void tr_result_ok(sqlite3_context *context, const TrScan *scan) {
  const TrRecord *record = tr_scan_record(scan);
  if (!tr_record_is_unknown(record)) sqlite3_result_int(context, tr_record_is_ok(tr_scan_line(scan), record));
}

/* TEXT if it is UTF-8, else a BLOB: clients fail on a TEXT that is not UTF-8. */
void tr_result_host(sqlite3_context *context, TrBytes host) {
  if (host.text) sqlite3_result_text64(context, host.text, host.length, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void tr_result_bytes(sqlite3_context *context, const void *bytes, size_t length) {
  if (tr_utf8_is_valid(bytes, length)) {
    sqlite3_result_text64(context, bytes, length, SQLITE_TRANSIENT, SQLITE_UTF8);
  } else {
    sqlite3_result_blob64(context, bytes, length, SQLITE_TRANSIENT);
  }
}

void tr_result_time_us(sqlite3_context *context, const TrLine *line, const TrSpan *timestamp) {
  int64_t time_us;
  if (tr_span_time_us(line, timestamp, &time_us)) sqlite3_result_int64(context, time_us);
}

void tr_result_timestamp(sqlite3_context *context, int64_t time_us) {
  char text[TR_TIMESTAMP_SIZE];
  tr_timestamp_format(time_us, text);
  sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}
