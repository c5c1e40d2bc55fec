/*
** patterns.c - are the pattern operators of this connection SQLite's own?
**
** `x GLOB y` is glob(y, x), and a host may define its own glob() and like(), as ICU does for other alphabets' cases. SQLite
** offers both to a table as if nothing had happened; its list of functions tells. If that cannot be read, say because an
** authorizer forbids it, the answer is no, and SQLite judges every row by itself. Asked for each query: a host may define
** one at any time, and PRAGMA case_sensitive_like does.
*/
#include "../tr.h"

static const char foreign_sql[] =
    "SELECT count(*) FROM pragma_function_list WHERE narg = 2 AND NOT builtin AND lower(name) IN ('like', 'glob')";

bool tr_patterns_are_builtin(sqlite3 *db) {
  sqlite3_stmt *statement = NULL;
  bool builtin = sqlite3_prepare_v2(db, foreign_sql, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 0;
  sqlite3_finalize(statement);
  return builtin;
}
