/*
** hash.c - taskresults_hash(record): a number to find a stored line again, wherever a prune moved it.
**
**   SELECT rowid FROM task_results('my-job') WHERE taskresults_hash(record) = 7215823642310093451;
**
** It is FNV-1a with 64 bits over the text's UTF-8 bytes, or a BLOB's, as a signed integer: the same on every machine,
** in every version and in a database of any encoding, so that it can be kept in files. It is not a cryptographic hash:
** somebody who wants to can make two lines with the same number.
*/
#include "functions.h"

/* taskresults_hash(TEXT or BLOB) -> INTEGER; NULL for NULL. A number counts as its text. */
static void hash_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  int type = sqlite3_value_type(argv[0]);
  if (type == SQLITE_NULL) return;
  const unsigned char *bytes = type == SQLITE_BLOB ? sqlite3_value_blob(argv[0]) : sqlite3_value_text(argv[0]);
  size_t length = (size_t)sqlite3_value_bytes(argv[0]);
  if (bytes == NULL && type != SQLITE_BLOB) {
    sqlite3_result_error_nomem(context);
    return;
  }
  sqlite3_result_int64(context, (int64_t)tr_hash_bytes(bytes, length));
}

int tr_hash_register(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  return sqlite3_create_function_v2(db, "taskresults_hash", 1, flags, NULL, hash_function, NULL, NULL, NULL);
}
