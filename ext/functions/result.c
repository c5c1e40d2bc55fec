/*
** result.c - what a function returns that gives a text: its text, or an error.
*/
#include "functions.h"

void tr_result_begin(sqlite3_str *out, TrBytes job, const char *result) {
  sqlite3_str_appendall(out, "{\"job_id\":");
  tr_json_append_string(out, job.text, job.length);
  sqlite3_str_appendf(out, ",\"result\":\"%s\"", result);
}

void tr_result_finish(sqlite3_context *context, int code, sqlite3_str *out, char *message) {
  int out_code = out ? sqlite3_str_errcode(out) : SQLITE_OK;
  int length = out ? sqlite3_str_length(out) : 0;
  char *text = out ? sqlite3_str_finish(out) : NULL;
  if (code == SQLITE_OK) code = out_code;
  if (code == SQLITE_OK) {
    sqlite3_result_text(context, text, length, sqlite3_free);
    text = NULL;
  } else if (code == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(context);
  } else {
    /* Codes that would make SQLite prepare or run the calling statement again must not be returned. */
    bool is_internal = code == SQLITE_NOTFOUND || code == SQLITE_ABORT || code == SQLITE_NOLFS;
    if (message) sqlite3_result_error(context, message, -1);
    sqlite3_result_error_code(context, is_internal ? SQLITE_ERROR : code);
  }
  sqlite3_free(text);
  sqlite3_free(message);
}
