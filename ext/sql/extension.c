/*
** extension.c - the entry point: registers the tables and functions on one connection.
**
** SQLite derives the entry point's name from the file's: taskresults.so, ./taskresults and libtaskresults.so all lead
** to sqlite3_taskresults_init, the only symbol that is exported.
*/
#define TR_EXTENSION_MAIN
#include "../tr.h"
SQLITE_EXTENSION_INIT1

#define OLDEST_SQLITE 3038000

/* taskresults_version() -> TEXT "major.minor.patch" */
static void version_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_text(context, TASKRESULTS_VERSION, -1, SQLITE_STATIC);
}

static int register_functions(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  return sqlite3_create_function_v2(db, "taskresults_version", 0, flags, NULL, version_function, NULL, NULL, NULL);
}

__attribute__((visibility("default"))) int sqlite3_taskresults_init(sqlite3 *db, char **message,
                                                                    const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  (void)api;
  if (sqlite3_libversion_number() < OLDEST_SQLITE) {
    return tr_error(message, SQLITE_ERROR, "taskresults needs SQLite 3.38 or newer; this is %s", sqlite3_libversion());
  }
  TrConnection *connection = tr_connection_new(db);
  if (connection == NULL) return tr_error(message, SQLITE_NOMEM, "taskresults: out of memory");
  int code = tr_results_register(connection);
  if (code == SQLITE_OK) code = tr_rejects_register(connection);
  if (code == SQLITE_OK) code = tr_stats_register(connection);
  if (code == SQLITE_OK) code = tr_errors_register(connection);
  if (code == SQLITE_OK) code = tr_logs_register(connection);
  if (code == SQLITE_OK) code = tr_jobs_register(connection);
  if (code == SQLITE_OK) code = tr_runs_register(connection);
  if (code == SQLITE_OK) code = tr_writable_register(connection);
  if (code == SQLITE_OK) code = tr_prune_register(connection);
  if (code == SQLITE_OK) code = tr_export_register(connection);
  if (code == SQLITE_OK) code = tr_signature_register(db);
  if (code == SQLITE_OK) code = tr_time_functions_register(db);
  if (code == SQLITE_OK) code = register_functions(db);
  tr_connection_unref(connection); /* the modules hold their own */
  return code;
}
