/*
** host_like.c - are the pattern operators of this connection SQLite's own?
**
** `x GLOB y` is glob(y, x), and a host may define its own glob() and like(), as ICU does for other alphabets' cases.
** SQLite offers both to a table as if nothing had happened; its list of functions tells. If that cannot be read, say
** because an authorizer forbids it, the answer is no, and SQLite compares every row by itself. Asked for each query: a
** host may define one at any time, and PRAGMA case_sensitive_like does.
**
** By the pragma, not the table pragma_function_list: a database may have a table or view of that name, which would be
** asked instead.
*/
#include "scan.h"

enum { COLUMN_NAME, COLUMN_BUILTIN, COLUMN_ARGUMENTS = 4 };

/* One for any number of arguments (below 0) comes before SQLite's own for two. */
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

/* In bytes of UTF-8, as SQLite counts: the host sets the limit. */
bool tr_host_like_is_short(sqlite3_value *pattern, sqlite3 *db) {
  if (sqlite3_value_text(pattern) == NULL) return false;
  return sqlite3_value_bytes(pattern) <= sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1);
}
