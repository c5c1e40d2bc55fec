/*
** mapping.c - taskresults_mapping(map): the JSON of a mapping, after a check.
**
**   SELECT taskresults_mapping('openclaw');
**   SELECT taskresults_mapping('@/etc/taskresults/ours.json');
**
** Without an argument, it is the mapping that TASKRESULTS_MAP names, or `native`. So one that is built in can be the
** start of one's own, and one's own can be checked before it is used.
*/
#include "functions.h"

/* taskresults_mapping(), or of (TEXT) -> TEXT */
static void mapping_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  TrConnection *connection = sqlite3_user_data(context);
  const char *from_environment = tr_environment("TASKRESULTS_MAP");
  const char *source = argc > 0           ? (const char *)sqlite3_value_text(argv[0])
                       : from_environment ? from_environment
                                          : TR_NATIVE;
  char *message = NULL, *text = NULL;
  TrMapping *mapping = NULL;
  if (source == NULL) return;
  int code =
      argc > 0 && source[0] == '@' && connection->read_only
          ? tr_error(&message, SQLITE_AUTH, "@FILE is refused, because taskresults was loaded read-only")
          : tr_mapping_read(argc > 0 ? "taskresults_mapping" : "TASKRESULTS_MAP", source, &text, &mapping, &message);
  tr_mapping_free(mapping);
  if (code == SQLITE_OK) {
    sqlite3_result_text(context, text, -1, sqlite3_free);
    return;
  }
  if (message) sqlite3_result_error(context, message, -1);
  sqlite3_result_error_code(context, code);
  sqlite3_free(message);
}

int tr_mapping_function_register(TrConnection *connection) {
  int code = SQLITE_OK;
  for (int argc = 0; argc <= 1 && code == SQLITE_OK; argc++) {
    connection->references++;
    code = sqlite3_create_function_v2(connection->db, "taskresults_mapping", argc, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                      connection, mapping_function, NULL, NULL, tr_connection_unref);
  }
  return code;
}
