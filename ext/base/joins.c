/*
** joins.c - may the query have an outer join?
**
** Before 3.51.1 SQLite offers `LIKE`, `GLOB`, `<>` and `IS NOT` of an ON clause to the table on the left of a LEFT
** JOIN, as if they stood in the WHERE clause, and nothing tells them apart (sqlite3 3.50.4, exprAnalyze(): such a term
** lacks the prerequisites that keep others away). But the ON clause never removes rows of the left table. So on these
** versions we push down the four operators only if no outer join is possible: the word LEFT, RIGHT or FULL occurs
** neither in the schemas (checked while a statement is prepared) nor in the running statements (checked while it runs).
** The word also counts within a string or a comment, and so does a schema that we cannot read.
**
** Schemas are read in xBestIndex, where they are the ones that SQLite uses for the statement. Reading must leave no
** lock on a database that the host has not read in its transaction.
*/
#include "base.h"

#include <string.h>

static bool is_needless(void) {
  return sqlite3_libversion_number() >= 3051001;
}

static bool is_in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         (unsigned char)c >= 0x80;
}

/* LEFT, RIGHT or FULL as a word. */
static bool names_outer_join(const char *sql) {
  static const char *const words[] = {"left", "right", "full"};
  while (*sql) {
    size_t length = 0;
    while (is_in_word(sql[length])) length++;
    for (size_t i = 0; length && i < sizeof words / sizeof *words; i++) {
      if (strlen(words[i]) == length && sqlite3_strnicmp(sql, words[i], (int)length) == 0) return true;
    }
    sql += length + (length == 0);
  }
  return false;
}

bool tr_joins_in_statements(sqlite3 *db) {
  if (is_needless()) return false;
  for (sqlite3_stmt *at = sqlite3_next_stmt(db, NULL); at; at = sqlite3_next_stmt(db, at)) {
    if (!sqlite3_stmt_busy(at)) continue;
    const char *sql = sqlite3_sql(at);
    if (sql == NULL || names_outer_join(sql)) return true;
  }
  return false;
}

/* Can we read the database without leaving a lock? */
static bool is_free_to_read(sqlite3 *db, const char *name, const char *file) {
  bool is_private = file == NULL || *file == '\0';
  return is_private || sqlite3_get_autocommit(db) || sqlite3_txn_state(db, name) != SQLITE_TXN_NONE;
}

/* NULL means that an authorizer hides it. */
static bool may_name_outer(sqlite3_stmt *object) {
  enum { TYPE, SQL };
  const char *type = (const char *)sqlite3_column_text(object, TYPE);
  const char *sql = (const char *)sqlite3_column_text(object, SQL);
  if (type == NULL) return true;
  if (sqlite3_stricmp(type, "view") != 0 && sqlite3_stricmp(type, "trigger") != 0) return false;
  return sql == NULL || names_outer_join(sql);
}

/* SQLITE_DONE: no view and no trigger of the database has such a word. */
static int search_schema(sqlite3 *db, const char *name) {
  sqlite3_stmt *object = NULL;
  char *sql = sqlite3_mprintf("SELECT type, sql FROM \"%w\".sqlite_master", name);
  int code = sql ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_NO_VTAB, &object, NULL) : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    do {
      code = sqlite3_step(object);
    } while (code == SQLITE_ROW && !may_name_outer(object));
  }
  sqlite3_finalize(object);
  sqlite3_free(sql);
  return code;
}

int tr_joins_in_schemas(sqlite3 *db, bool *possible) {
  enum { NAME = 1, FILE_NAME };
  sqlite3_stmt *database = NULL;
  bool listed = false;
  *possible = !is_needless();
  if (!*possible) return SQLITE_OK;
  int code = sqlite3_prepare_v3(db, "PRAGMA database_list", -1, SQLITE_PREPARE_NO_VTAB, &database, NULL);
  while (code == SQLITE_OK && (code = sqlite3_step(database)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(database, NAME);
    const char *file = (const char *)sqlite3_column_text(database, FILE_NAME);
    listed = true;
    if (name == NULL || !is_free_to_read(db, name, file)) break;
    code = search_schema(db, name);
    code = code == SQLITE_DONE ? SQLITE_OK : code == SQLITE_INTERRUPT ? code : SQLITE_ABORT;
  }
  sqlite3_finalize(database);
  *possible = code != SQLITE_DONE || !listed; /* an authorizer can turn a pragma into a no-op */
  return code == SQLITE_INTERRUPT ? code : SQLITE_OK;
}
