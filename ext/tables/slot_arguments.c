/*
** slot_arguments.c - the arguments of task_slots -> which slots are wanted, and how late a run may begin.
**
** They are hidden columns, as those of task_stats: time_window.c tells how they are planned.
*/
#include "tables.h"

#define DEFAULT_WINDOW_US (7 * 86400 * TR_US_PER_SECOND)

static int read_zone_argument(TrSlotArguments *arguments, sqlite3_value *value, char **message) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return SQLITE_OK;
  const char *name = (const char *)sqlite3_value_text(value);
  return name ? tr_zone_load(name, &arguments->zone, message) : SQLITE_NOMEM;
}

static int read_grace_argument(TrSlotArguments *arguments, sqlite3_value *value, char **message) {
  int type = sqlite3_value_type(value);
  const char *text = (const char *)sqlite3_value_text(value);
  if (type == SQLITE_NULL) return SQLITE_OK;
  if (text == NULL) return SQLITE_NOMEM;
  bool is_read = false;
  if (type == SQLITE_INTEGER) {
    arguments->grace_us = sqlite3_value_int64(value);
    is_read = arguments->grace_us >= 0;
  } else if (type == SQLITE_TEXT) {
    is_read = tr_timespan_parse(text, (size_t)sqlite3_value_bytes(value), false, &arguments->grace_us);
  }
  if (is_read) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR,
                  "task_slots: grace: '%!.100s' is no length of time; write " TR_TIMESPAN_FORMS
                  ", or microseconds as an integer",
                  type == SQLITE_BLOB ? "(a BLOB)" : text);
}

static int read_per_job_argument(TrSlotArguments *arguments, sqlite3_value *value, char **message) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return SQLITE_OK;
  arguments->per_job = sqlite3_value_int64(value);
  if (type == SQLITE_INTEGER && arguments->per_job != 0 && arguments->per_job != INT64_MIN) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR,
                  "task_slots: per_job wants how many slots of each job: 1 for the first, -1 for the last");
}

static int read_argument(TrSlotArguments *arguments, TrColumn column, int flags, sqlite3_value *value, char **message) {
  sqlite3_value **kept = &arguments->value[column - TR_COLUMN_SINCE];
  int64_t *us = column == TR_COLUMN_SINCE ? &arguments->from_us : column == TR_COLUMN_UNTIL ? &arguments->to_us : NULL;
  int code = tr_time_argument("task_slots", column, flags, arguments->zone, value, kept, us, message);
  if (code == SQLITE_OK && column == TR_COLUMN_GRACE) code = read_grace_argument(arguments, value, message);
  if (code == SQLITE_OK && column == TR_COLUMN_PER_JOB) code = read_per_job_argument(arguments, value, message);
  return code;
}

/* The zone is read first, because days in the other arguments are in that zone. */
int tr_slot_arguments_read(TrSlotArguments *arguments, const TrPlan *plan, int flags, sqlite3_value **argv,
                           int64_t now_us, char **message) {
  int code = SQLITE_OK;
  tr_slot_arguments_free(arguments);
  arguments->to_us = now_us;
  arguments->from_us = now_us - DEFAULT_WINDOW_US;
  arguments->grace_us = -1;
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    if (plan->term[i].column == TR_COLUMN_ZONE) code = read_zone_argument(arguments, argv[i], message);
  }
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    TrColumn column = (TrColumn)plan->term[i].column;
    if (tr_column_is_argument(column)) code = read_argument(arguments, column, flags, argv[i], message);
  }
  return code;
}

void tr_slot_arguments_free(TrSlotArguments *arguments) {
  for (int i = 0; i < TR_SLOT_ARGUMENTS; i++) sqlite3_value_free(arguments->value[i]);
  tr_zone_free(arguments->zone);
  *arguments = (TrSlotArguments){0};
}
