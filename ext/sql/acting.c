/*
** acting.c - the functions that act on files: who may call them, and when.
**
** DIRECTONLY keeps them out of views and triggers of a hostile database, but out of its CHECK constraints only if they are
** called DETERMINISTIC, too: SQLite (3.40) does not look at others there. Called with constants, such a function then acts
** once for each run of a statement, and not once for each row.
**
** A SQLite with SQLITE_ENABLE_STAT4 calls a deterministic function with constant arguments while it prepares a statement, to
** estimate how many rows `indexed_column = f(1)` has, and so under EXPLAIN as well. Such a call has no statement to keep
** auxiliary data with, which tells it from others.
*/
#include "../tr.h"

int tr_acting_register(TrConnection *connection, const char *name, int argc,
                       void (*function)(sqlite3_context *, int, sqlite3_value **)) {
  int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC;
  connection->references++;
  return sqlite3_create_function_v2(connection->db, name, argc, flags, connection, function, NULL, NULL,
                                    tr_connection_unref);
}

bool tr_acting_may_act(sqlite3_context *context) {
  static char mark;
  sqlite3_set_auxdata(context, 0, &mark, NULL);
  if (sqlite3_get_auxdata(context, 0) == &mark) return true;
  sqlite3_result_error(context, "a function that acts on files cannot be called while a statement is prepared", -1);
  return false;
}
