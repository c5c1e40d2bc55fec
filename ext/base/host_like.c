/*
** host_like.c - are like() and glob() of this connection SQLite's own?
**
** `x GLOB y` is glob(y, x), and a host may define its own glob() and like(), as ICU does for other alphabets' cases.
** SQLite still offers both operators to a table; only its list of functions shows the difference. If we cannot read
** that list (an authorizer may forbid it), the answer is no, and SQLite compares every row itself. We ask for each
** query, because a host may define such a function at any time, as PRAGMA case_sensitive_like does.
**
** We use the pragma, not the table pragma_function_list: a database may have its own table or view of that name.
*/
#include "base.h"

enum { COLUMN_NAME, COLUMN_BUILTIN, COLUMN_ARGUMENTS = 4 };

/* A function for any number of arguments (below 0) takes precedence over SQLite's own for two. */
static bool is_foreign(sqlite3_stmt *function) {
  const char *name = (const char *)sqlite3_column_text(function, COLUMN_NAME);
  int arguments = sqlite3_column_int(function, COLUMN_ARGUMENTS);
  if (sqlite3_column_int(function, COLUMN_BUILTIN) || (arguments != 2 && arguments >= 0)) return false;
  return name == NULL || sqlite3_stricmp(name, "like") == 0 || sqlite3_stricmp(name, "glob") == 0;
}

int tr_host_like_is_builtin(sqlite3 *db, bool *builtin) {
  sqlite3_stmt *function = NULL;
  bool foreign = false;
  int code = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &function, NULL);
  if (code == SQLITE_OK) {
    while ((code = sqlite3_step(function)) == SQLITE_ROW) foreign |= is_foreign(function);
  }
  sqlite3_finalize(function);
  *builtin = code == SQLITE_DONE && !foreign;
  return code == SQLITE_INTERRUPT ? code : SQLITE_OK;
}

/* The host sets the limit, in bytes of UTF-8. */
bool tr_host_like_is_short(sqlite3_value *pattern, sqlite3 *db) {
  if (sqlite3_value_text(pattern) == NULL) return false;
  return sqlite3_value_bytes(pattern) <= sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1);
}
