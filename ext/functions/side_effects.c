/*
** side_effects.c - the functions that act on files: who may call them, and when.
**
** DIRECTONLY keeps them out of views and triggers of a hostile database. Out of its CHECK constraints it keeps them
** only if they are declared DETERMINISTIC, too: SQLite (3.40) does not check others there. So, with constant arguments,
** such a function acts once for each run of a statement, not once for each row.
**
** A SQLite with SQLITE_ENABLE_STAT4 calls a deterministic function with constant arguments while it prepares a
** statement, to estimate how many rows `indexed_column = f(1)` has, and so under EXPLAIN as well. We recognise such a
** call because it has no statement to keep auxiliary data with.
**
** With PRAGMA query_only, a host says that the connection changes nothing; we ask for it at each call. If that fails
** (an authorizer forbids or ignores the pragma, an interrupt, no memory), nothing acts. For INSERT we need not ask:
** SQLite checks the pragma for each statement that writes, also to a virtual table. COMMIT still writes rows that were
** inserted before, as for ordinary tables.
*/
#include "functions.h"

int tr_side_effects_register(TrConnection *connection, const char *name, int argc,
                             void (*function)(sqlite3_context *, int, sqlite3_value **)) {
  int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC;
  connection->references++;
  return sqlite3_create_function_v2(connection->db, name, argc, flags, connection, function, NULL, NULL,
                                    tr_connection_unref);
}

bool tr_side_effects_is_run(sqlite3_context *context) {
  static char mark;
  sqlite3_set_auxdata(context, 0, &mark, NULL);
  bool is_run = sqlite3_get_auxdata(context, 0) == &mark;
  sqlite3_set_auxdata(context, 0, NULL, NULL); /* the function may keep something of its own there */
  if (is_run) return true;
  sqlite3_result_error(context, "a function that acts on files cannot be called while a statement is prepared", -1);
  return false;
}

static void refuse_to_act(sqlite3_context *context, int code, const char *words) {
  char *message = sqlite3_mprintf("a function that acts on files %s", words);
  if (message == NULL || code == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(context);
  } else {
    sqlite3_result_error(context, message, -1);
    sqlite3_result_error_code(context, code);
  }
  sqlite3_free(message);
}

/* SQLite reads the flag when it prepares this statement, so a cached statement would return an old value. */
bool tr_side_effects_are_allowed(sqlite3_context *context) {
  if (!tr_side_effects_is_run(context)) return false;
  sqlite3 *db = sqlite3_context_db_handle(context);
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(db, "PRAGMA query_only", -1, SQLITE_PREPARE_NO_VTAB, &statement, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  bool is_known = code == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER;
  bool is_allowed = is_known && sqlite3_column_int(statement, 0) == 0;
  sqlite3_finalize(statement);
  if (is_known && !is_allowed)
    refuse_to_act(context, SQLITE_READONLY, "is refused under PRAGMA query_only (PRAGMA query_only = 0 ends that)");
  if (!is_known && (code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_OK)) code = SQLITE_AUTH;
  if (!is_known) refuse_to_act(context, code, "has to read PRAGMA query_only, and cannot");
  return is_allowed;
}
