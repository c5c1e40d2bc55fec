/*
** extension.c - the entry points: they register the tables and functions on one connection, with the power to act on
** files or without it.
**
** SQLite derives the entry point's name from the file's: taskresults.so, ./taskresults and libtaskresults.so all lead
** to sqlite3_taskresults_init, mod_taskresults.so to sqlite3_modtaskresults_init. sqlite3_taskresults_readonly_init
** must be named explicitly. Nothing else is exported.
**
** The first load on a connection decides. Otherwise a second load, by a part of the host that does not know of the
** first, could give visitors functions that they must not have; or a read-only load would seem to work although an
** earlier load left all functions.
*/
#define TR_EXTENSION_MAIN
#include "functions/functions.h"
#include "tables/tables.h"
SQLITE_EXTENSION_INIT1

#include <string.h>

#define OLDEST_SQLITE 3038000

/* taskresults_version() -> TEXT "major.minor.patch" */
static void version_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_text(context, TASKRESULTS_VERSION, -1, SQLITE_STATIC);
}

static int register_version(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  return sqlite3_create_function_v2(db, "taskresults_version", 0, flags, NULL, version_function, NULL, NULL, NULL);
}

static int register_tables(TrConnection *connection) {
  int code = tr_results_register(connection);
  if (code == SQLITE_OK) code = tr_history_register(connection);
  if (code == SQLITE_OK) code = tr_rejects_register(connection);
  if (code == SQLITE_OK) code = tr_stats_register(connection);
  if (code == SQLITE_OK) code = tr_errors_register(connection);
  if (code == SQLITE_OK) code = tr_logs_register(connection);
  if (code == SQLITE_OK) code = tr_jobs_register(connection);
  if (code == SQLITE_OK) code = tr_runs_register(connection);
  if (code == SQLITE_OK) code = tr_slots_register(connection);
  if (code == SQLITE_OK) code = tr_lines_register(connection);
  if (code == SQLITE_OK) code = tr_prunes_register(connection);
  if (code == SQLITE_OK) code = tr_days_register(connection);
  return code;
}

/* Functions that touch no file; every connection gets them. */
static int register_pure_functions(TrConnection *connection) {
  int code = tr_signature_register(connection->db);
  if (code == SQLITE_OK) code = tr_hash_register(connection->db);
  if (code == SQLITE_OK) code = tr_ship_body_register(connection->db);
  if (code == SQLITE_OK) code = tr_foreign_register(connection->db);
  if (code == SQLITE_OK) code = tr_time_functions_register(connection);
  if (code == SQLITE_OK) code = tr_slots_function_register(connection);
  if (code == SQLITE_OK) code = tr_mapping_function_register(connection);
  if (code == SQLITE_OK) code = register_version(connection->db);
  return code;
}

static int register_acting_functions(TrConnection *connection) {
  int code = tr_writable_register(connection);
  if (code == SQLITE_OK) code = tr_prune_register(connection);
  if (code == SQLITE_OK) code = tr_policy_register(connection);
  if (code == SQLITE_OK) code = tr_seals_register(connection);
  if (code == SQLITE_OK) code = tr_indexes_register(connection);
  if (code == SQLITE_OK) code = tr_export_register(connection);
  return code;
}

/* --- an earlier load on the same connection
** -------------------------------------------------------------------------------- */

/* Which of our names the pragma lists; its first column is the name. */
typedef struct Names {
  int rows;
  bool results, version, writable;
} Names;

static int look_through(sqlite3 *db, const char *pragma, Names *names) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(db, pragma, -1, SQLITE_PREPARE_NO_VTAB, &statement, NULL);
  *names = (Names){0};
  while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    code = name ? SQLITE_OK : SQLITE_NOMEM;
    if (name && strcmp(name, "task_results") == 0) names->results = true;
    if (name && strcmp(name, "taskresults_version") == 0) names->version = true;
    if (name && strcmp(name, "taskresults_writable") == 0) names->writable = true;
    names->rows++;
  }
  sqlite3_finalize(statement);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* We ask SQLite what is registered; a function of ours could have been replaced, or an authorizer could forbid it. If
** SQLite does not answer, nothing is loaded. There are hundreds of functions but only a dozen modules, so we list the
** functions only if our module is there, or if the modules cannot be listed. (A host that removes our modules with
** sqlite3_drop_modules() has to know that our functions stay.) */
static int find_earlier_load(sqlite3 *db, bool *is_loaded, bool *can_act, char **message) {
  Names modules, functions;
  *is_loaded = *can_act = false;
  if (look_through(db, "PRAGMA module_list", &modules) == SQLITE_OK && modules.rows > 0 && !modules.results) {
    return SQLITE_OK;
  }
  int code = look_through(db, "PRAGMA function_list", &functions);
  if (code != SQLITE_OK) {
    return tr_error(message, code, "taskresults: PRAGMA function_list: %s", sqlite3_errmsg(db));
  }
  *can_act = functions.writable;
  *is_loaded = functions.version || *can_act; /* a load without enough memory may have stopped half-way */
  if (functions.rows > 0) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR,
                  "taskresults: PRAGMA function_list is empty (left out of this SQLite, or blocked by an "
                  "authorizer), so an earlier load cannot be seen");
}

static int refuse_other_load(sqlite3 *db, bool read_only, char **message) {
  bool is_loaded, can_act;
  int code = find_earlier_load(db, &is_loaded, &can_act, message);
  if (code != SQLITE_OK || !is_loaded || can_act != read_only) return code;
  return tr_error(
      message, SQLITE_ERROR,
      "taskresults is loaded here already, %s the power to act on files, and a connection keeps what it was "
      "given first; use another connection",
      can_act ? "with" : "without");
}

/* --- the entry points --------------------------------------------------------------------------------------------- */

static int load_extension(sqlite3 *db, bool read_only, char **message) {
  if (sqlite3_libversion_number() < OLDEST_SQLITE) {
    return tr_error(message, SQLITE_ERROR, "taskresults needs SQLite 3.38 or newer; this is %s", sqlite3_libversion());
  }
  int code = refuse_other_load(db, read_only, message);
  if (code != SQLITE_OK) return code;
  TrConnection *connection = tr_connection_new(db, read_only);
  if (connection == NULL) return tr_error(message, SQLITE_NOMEM, "taskresults: out of memory");
  code = register_tables(connection);
  if (code == SQLITE_OK && !read_only) code = register_acting_functions(connection);
  if (code == SQLITE_OK) code = register_pure_functions(connection);
  tr_connection_unref(connection); /* the modules hold references of their own */
  return code;
}

#define ENTRY_POINT __attribute__((visibility("default")))

ENTRY_POINT int sqlite3_taskresults_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  (void)api;
  return load_extension(db, false, message);
}

ENTRY_POINT int sqlite3_modtaskresults_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  return sqlite3_taskresults_init(db, message, api);
}

ENTRY_POINT int sqlite3_taskresults_readonly_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  (void)api;
  return load_extension(db, true, message);
}
