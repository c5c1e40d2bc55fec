/*
** option.c - values of options, which SQL functions take as name and value.
*/
#include "functions.h"

bool tr_option_is_flag(sqlite3_value *value, bool *flag) {
  if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER) return false;
  sqlite3_int64 number = sqlite3_value_int64(value);
  *flag = number == 1;
  return number == 0 || number == 1;
}
