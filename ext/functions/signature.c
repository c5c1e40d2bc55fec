/*
** signature.c - taskresults_signature(error): what kind of failure a text tells of (figures/signature.c), for SQL.
*/
#include "functions.h"

/* taskresults_signature(TEXT) -> TEXT; NULL for NULL */
static void signature_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  const char *error = (const char *)sqlite3_value_text(argv[0]);
  if (error == NULL) return;
  char out[TR_SIGNATURE_SIZE];
  size_t length = tr_signature_of((TrBytes){error, (size_t)sqlite3_value_bytes(argv[0])}, out);
  sqlite3_result_text(context, out, (int)length, SQLITE_TRANSIENT);
}

int tr_signature_register(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  return sqlite3_create_function_v2(db, "taskresults_signature", 1, flags, NULL, signature_function, NULL, NULL, NULL);
}
