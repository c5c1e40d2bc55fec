/*
** connection.c - what the tables and functions of one connection share: the map of file names, so that rowids agree
** between them, and a C locale for numbers. It is reference-counted, because SQLite destroys modules and functions one
** by one, in an order of its own.
*/
#include "base.h"

#include <string.h>

TrConnection *tr_connection_new(sqlite3 *db, bool read_only) {
  TrConnection *connection = sqlite3_malloc64(sizeof *connection);
  if (connection == NULL) return NULL;
  *connection = (TrConnection){.references = 1, .db = db, .read_only = read_only, .names = tr_names_new()};
  connection->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (connection->names == NULL || connection->c_locale == (locale_t)0) {
    tr_connection_unref(connection);
    return NULL;
  }
  return connection;
}

/* Asked each time, because the encoding of an empty database can still be chosen. */
int tr_connection_is_utf8(const TrConnection *connection, bool *is_utf8) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(connection->db, "PRAGMA encoding", -1, SQLITE_PREPARE_NO_VTAB, &statement, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  const char *encoding = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  *is_utf8 = encoding && strcmp(encoding, "UTF-8") == 0;
  sqlite3_finalize(statement);
  return code == SQLITE_INTERRUPT ? code : SQLITE_OK;
}

void tr_connection_unref(void *reference) {
  TrConnection *connection = reference;
  if (--connection->references > 0) return;
  tr_names_free(connection->names);
  if (connection->c_locale != (locale_t)0) freelocale(connection->c_locale);
  sqlite3_free(connection);
}
