/*
** option.c - values of options, which SQL functions take as name and value.
*/
#include "functions.h"

#include <string.h>

bool tr_option_is_flag(sqlite3_value *value, bool *flag) {
  if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER) return false;
  sqlite3_int64 number = sqlite3_value_int64(value);
  *flag = number == 1;
  return number == 0 || number == 1;
}

const char *tr_option_text(sqlite3_value *value) {
  const char *text = sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  return text && strlen(text) == (size_t)sqlite3_value_bytes(value) ? text : NULL;
}
