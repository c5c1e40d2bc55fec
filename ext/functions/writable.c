/*
** writable.c - taskresults_writable(), the opt-in to INSERT.
**
**   SELECT taskresults_writable(1);   -- allow INSERT INTO task_results on this connection; (0) takes it back
**   SELECT taskresults_writable();    -- 1 if it is allowed
**
** task_results is reachable from the triggers of any database that the connection opens, so by default it takes no
** rows. Under PRAGMA query_only the setting can be read but not changed, in neither direction: visitors must not turn
** off their host's INSERTs either. The function is DIRECTONLY: no trigger, view, constraint or generated column can
** call it.
*/
#include "functions.h"

static void writable_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  TrConnection *connection = sqlite3_user_data(context);
  if (argc == 0 ? !tr_side_effects_is_run(context) : !tr_side_effects_are_allowed(context)) return;
  if (argc == 1) {
    sqlite3_int64 wanted = sqlite3_value_int64(argv[0]);
    if (sqlite3_value_numeric_type(argv[0]) != SQLITE_INTEGER || (wanted != 0 && wanted != 1)) {
      sqlite3_result_error(context, "taskresults_writable: the argument must be 0 or 1", -1);
      return;
    }
    connection->writable = wanted;
  }
  sqlite3_result_int(context, connection->writable);
}

int tr_writable_register(TrConnection *connection) {
  int code = SQLITE_OK;
  for (int argc = 0; argc <= 1 && code == SQLITE_OK; argc++) {
    code = tr_side_effects_register(connection, "taskresults_writable", argc, writable_function);
  }
  return code;
}
