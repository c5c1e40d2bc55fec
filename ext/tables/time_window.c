/*
** time_window.c - since and until, the arguments of task_stats and task_errors: read by xBestIndex, and turned into
** times of a filter. Also grace, zone and per_job, which task_slots has, and zone and as_of of task_days.
**
** They are hidden columns, and restrict the records that count, both ends included. They are not a property of a row
** that SQLite could check, so only the operator = makes sense. If a value is not known yet, because in a join its table
** comes later, the plan is refused, and SQLite tries another order.
*/
#include "tables.h"

#include <math.h>

/* --- planning ----------------------------------------------------------------------------------------------------- */

/* The range of columns that are arguments. */
#define FIRST_ARGUMENT TR_COLUMN_SINCE
#define ARGUMENTS_END TR_COLUMN_OTHER
#define COST_OF_ALL 1e9
#define COST_OF_PART 1e30

static const char *argument_name(TrColumn column) {
  static const char *const names[] = {"since", "until", "grace", "zone", "per_job", "as_of"};
  return names[column - FIRST_ARGUMENT];
}

static bool is_of(const sqlite3_index_info *info, int i, TrColumn (*column_of)(int), TrColumn column) {
  int table_column = info->aConstraint[i].iColumn;
  return table_column >= 0 && column_of(table_column) == column;
}

/* SQLITE_CONSTRAINT: the argument has no value in this plan; SQLite must try another. */
static int check_argument(sqlite3_index_info *info, const char *table, TrColumn (*column_of)(int), TrColumn column,
                          char **message) {
  bool given = false, usable = false;
  for (int i = 0; i < info->nConstraint; i++) {
    unsigned char op = info->aConstraint[i].op;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) continue; /* of no column */
    if (!is_of(info, i, column_of, column)) continue;
    if (op != SQLITE_INDEX_CONSTRAINT_EQ || sqlite3_vtab_in(info, i, -1)) {
      return tr_error(message, SQLITE_ERROR,
                      "%s: %s is an argument, not a value to compare with: only = can be used; write WHERE %s = ...",
                      table, argument_name(column), argument_name(column));
    }
    given = true;
    usable |= info->aConstraint[i].usable;
  }
  return given && !usable ? SQLITE_CONSTRAINT : SQLITE_OK;
}

/* SQLite respects `omit` only for the first 16 constraints. */
static bool is_checked(const sqlite3_index_info *info, TrColumn (*column_of)(int), TrColumn column) {
  for (int i = 16; i < info->nConstraint; i++) {
    if (is_of(info, i, column_of, column) && info->aConstraintUsage[i].omit) return true;
  }
  return false;
}

/* SQLite may read the parts of an OR one by one. But in such a plan it compares the arguments with their columns, and
** NULL is not equal to NULL. It asks for plans of the parts without the arguments (until 3.46), or with them (3.50). */
static double cost_beside_or(const sqlite3_index_info *info, TrColumn (*column_of)(int)) {
  uint64_t given = 0;
  bool may_be_null = false;
  for (int i = 0; i < info->nConstraint; i++) {
    int column = info->aConstraint[i].iColumn;
    sqlite3_value *value;
    if (column < 0 || column >= 63 || !tr_column_is_argument(column_of(column))) continue;
    given |= UINT64_C(1) << column;
    int code = sqlite3_vtab_rhs_value((sqlite3_index_info *)info, i, &value);
    may_be_null |= code != SQLITE_OK || sqlite3_value_type(value) == SQLITE_NULL;
  }
  for (int column = 0; column < 63; column++) {
    bool is_missing = info->colUsed & ~given & UINT64_C(1) << column;
    if (is_missing && tr_column_is_argument(column_of(column))) return COST_OF_PART;
  }
  return may_be_null ? COST_OF_ALL : info->estimatedCost;
}

int tr_time_window_choose(sqlite3_vtab *vtab, sqlite3_index_info *info, const char *table,
                          TrColumn (*column_of)(int table_column), TrIndexUse index) {
  int code = SQLITE_OK;
  for (int i = FIRST_ARGUMENT; i < ARGUMENTS_END && code == SQLITE_OK; i++) {
    code = check_argument(info, table, column_of, (TrColumn)i, &vtab->zErrMsg);
  }
  const TrTable *owner = (const TrTable *)vtab;
  TrPlanned planned = {column_of, owner->connection, &owner->settings, .has_row_for_job = true, .index = index};
  if (code == SQLITE_OK) code = tr_plan_choose(info, &planned, &vtab->zErrMsg);
  if (code != SQLITE_OK) return code;
  info->estimatedCost = cost_beside_or(info, column_of); /* two parts must cost more than all */
  info->idxNum = 0;
  for (int i = FIRST_ARGUMENT; i < ARGUMENTS_END; i++) {
    if (is_checked(info, column_of, (TrColumn)i)) info->idxNum |= TR_CHECKS(i);
  }
  return SQLITE_OK;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

/* The bounds of int64_t as doubles: the lower one is exact, the upper one is 1 too high. */
#define LOWEST -9223372036854775808.0
#define TOO_HIGH 9223372036854775808.0

/* Rounds a bound between two microseconds to the one inside the window. */
static int64_t whole_us(double us, bool is_since) {
  us = is_since ? ceil(us) : floor(us);
  if (us < LOWEST) return INT64_MIN;
  return us >= TOO_HIGH ? INT64_MAX : (int64_t)us;
}

/* SQLITE_MISMATCH: not a time. */
static int read_bound(sqlite3_value *value, bool is_since, const TrZone *zone, int64_t *us) {
  switch (sqlite3_value_type(value)) {
  case SQLITE_NULL: return SQLITE_OK;
  case SQLITE_INTEGER: *us = sqlite3_value_int64(value); return SQLITE_OK;
  case SQLITE_FLOAT: *us = whole_us(sqlite3_value_double(value), is_since); return SQLITE_OK;
  case SQLITE_TEXT: {
    const char *text = (const char *)sqlite3_value_text(value);
    TrTimePoint point;
    if (text == NULL) return SQLITE_NOMEM;
    if (!tr_time_parse(text, (size_t)sqlite3_value_bytes(value), tr_clock_us(), zone, &point)) return SQLITE_MISMATCH;
    *us = is_since ? point.first_us : point.last_us;
    return SQLITE_OK;
  }
  default: return SQLITE_MISMATCH;
  }
}

static int read_time_argument(const char *table, TrColumn column, const TrZone *zone, sqlite3_value *value, int64_t *us,
                              char **message) {
  int code = read_bound(value, column == TR_COLUMN_SINCE, zone, us);
  if (code != SQLITE_MISMATCH) return code;
  bool is_text = sqlite3_value_type(value) == SQLITE_TEXT;
  return tr_error(message, SQLITE_ERROR,
                  "%s: %s: '%!.100s' is no time; write " TR_TIME_FORMS ", or microseconds since 1970 as an integer",
                  table, argument_name(column), is_text ? (const char *)sqlite3_value_text(value) : "(a BLOB)");
}

int tr_time_argument(const char *table, TrColumn column, int flags, const TrZone *zone, sqlite3_value *value,
                     sqlite3_value **kept, int64_t *us, char **message) {
  if (kept) {
    *kept = sqlite3_value_dup(value); /* only for the hidden column: some SQLite functions crash on a copy */
    if (*kept == NULL) return SQLITE_NOMEM;
  }
  if (sqlite3_value_type(value) == SQLITE_NULL && flags & TR_CHECKS(column)) {
    return tr_error(message, SQLITE_ERROR,
                    "%s: %s cannot be NULL beside so many conditions; put the table into a subquery", table,
                    argument_name(column));
  }
  return us ? read_time_argument(table, column, zone, value, us, message) : SQLITE_OK;
}

static int bind_argument(TrTimeWindow *time_window, const char *table, TrColumn column, int flags, sqlite3_value *value,
                         TrFilter *filter, char **message) {
  bool is_since = column == TR_COLUMN_SINCE;
  sqlite3_value **kept = is_since ? &time_window->since : &time_window->until;
  if (sqlite3_value_type(value) != SQLITE_NULL) filter->timed = true;
  return tr_time_argument(table, column, flags, NULL, value, kept, is_since ? &filter->from_us : &filter->to_us,
                          message);
}

int tr_time_window_bind(TrTimeWindow *time_window, const char *table, const TrPlan *plan, int flags,
                        sqlite3_value **argv, TrFilter *filter, char **message) {
  int code = SQLITE_OK;
  tr_time_window_free(time_window);
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    TrColumn column = (TrColumn)plan->term[i].column;
    if (column != TR_COLUMN_SINCE && column != TR_COLUMN_UNTIL) continue;
    code = bind_argument(time_window, table, column, flags, argv[i], filter, message);
  }
  return code;
}

void tr_time_window_free(TrTimeWindow *time_window) {
  sqlite3_value_free(time_window->since);
  sqlite3_value_free(time_window->until);
  *time_window = (TrTimeWindow){0};
}

void tr_time_window_result(sqlite3_context *context, sqlite3_value *argument) {
  if (argument) sqlite3_result_value(context, argument);
}
