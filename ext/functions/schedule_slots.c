/*
** schedule_slots.c - taskresults_slots(SCHEDULE [, SINCE [, UNTIL [, ZONE]]]): the times at which a schedule is due.
**
**   SELECT slot FROM taskresults_slots('0 9 * * mon-fri') LIMIT 5;                       the next five
**   SELECT count(*) FROM taskresults_slots('@hourly', '2026-02-01', '2026-02-28', 'Europe/Berlin');
**
** In SQLite, a function that returns many rows is a table whose hidden columns are the arguments. A row has the time as
** text and in microseconds. Rows come in order and are computed one by one, so LIMIT stops early. The defaults are now
** for SINCE, and the end of the year 9999 for UNTIL; both ends are included. An interval (`every 5 minutes`) counts on
** from SINCE, and is not due then. What the schedule may be, and what ZONE does: see scheduler/schedule.c and
** schedule_times.c.
**
** A schedule that is not understood is an error with the reason; NULL gives no rows.
*/
#include "functions.h"

#include <string.h>

enum { DUE_SLOT, DUE_SLOT_US, DUE_SCHEDULE, DUE_SINCE, DUE_UNTIL, DUE_ZONE, DUE_COLUMN_COUNT };
enum { ARGUMENT_COUNT = DUE_COLUMN_COUNT - DUE_SCHEDULE };

static const char due_schema[] =
    "CREATE TABLE taskresults_slots(slot TEXT, slot_us INTEGER, "
    "schedule HIDDEN, since HIDDEN, until HIDDEN, zone HIDDEN)"; /* no types: nothing is converted */

typedef struct DueTable {
  sqlite3_vtab base;
  TrConnection *connection; /* counted reference */
  TrPoll poll;
} DueTable;

typedef struct DueCursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *argument[ARGUMENT_COUNT]; /* owned; as given, or NULL */
  TrSchedule schedule;
  TrZone *zone; /* owned */
  TrScheduleTimes times;
  int64_t slot_us, until_us;
  int64_t row;
  bool at_end;
} DueCursor;

static int due_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **message) {
  (void)argc, (void)argv; /* there is no xCreate, so SQLite passes no arguments */
  TrConnection *connection = aux;
  int code = sqlite3_declare_vtab(db, due_schema);
  if (code != SQLITE_OK) return tr_error(message, code, "%s", sqlite3_errmsg(db));
  DueTable *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (DueTable){.connection = connection, .poll.db = db};
  connection->references++;
  *vtab = &table->base;
  return sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
}

static int due_disconnect(sqlite3_vtab *vtab) {
  DueTable *table = (DueTable *)vtab;
  tr_poll_close(&table->poll);
  tr_connection_unref(table->connection);
  sqlite3_free(table);
  return SQLITE_OK;
}

/* --- planning ----------------------------------------------------------------------------------------------------- */

/* The constraint that has the argument's value, or -1. *is_waiting: the value is known only in another plan. */
static int find_argument(const sqlite3_index_info *info, int column, bool *is_waiting) {
  *is_waiting = false;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    if (constraint->iColumn != column || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (constraint->usable) return i;
    *is_waiting = true;
  }
  return -1;
}

/* idxNum: a bit for each given argument; they are bound in order. Without a schedule, SQLite may be asking for the
** parts of an OR, and must not choose to read these one by one (as tables/time_window.c has it). */
static int due_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  (void)vtab;
  int bound = 0;
  for (int i = 0; i < ARGUMENT_COUNT; i++) {
    bool is_waiting;
    int found = find_argument(info, DUE_SCHEDULE + i, &is_waiting);
    if (found < 0 && is_waiting) return SQLITE_CONSTRAINT;
    if (found < 0) continue;
    info->aConstraintUsage[found].argvIndex = ++bound;
    info->aConstraintUsage[found].omit = 1;
    info->idxNum |= 1 << i;
  }
  bool is_ordered = info->nOrderBy == 1 && !info->aOrderBy[0].desc && info->aOrderBy[0].iColumn == DUE_SLOT_US;
  info->orderByConsumed = is_ordered;
  info->estimatedCost = info->idxNum & 1 ? 1e3 : 1e30;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static void clear_due(DueCursor *cursor) {
  for (int i = 0; i < ARGUMENT_COUNT; i++) sqlite3_value_free(cursor->argument[i]);
  memset(cursor->argument, 0, sizeof cursor->argument);
  tr_zone_free(cursor->zone);
  cursor->zone = NULL;
  cursor->row = 0;
  cursor->at_end = true;
}

static int due_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  DueCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (DueCursor){.at_end = true};
  *out = &cursor->base;
  return SQLITE_OK;
}

static int due_close(sqlite3_vtab_cursor *base) {
  clear_due((DueCursor *)base);
  sqlite3_free(base);
  return SQLITE_OK;
}

static int due_next(sqlite3_vtab_cursor *base) {
  DueCursor *cursor = (DueCursor *)base;
  cursor->at_end = !tr_schedule_times_next(&cursor->times, &cursor->slot_us) || cursor->slot_us > cursor->until_us;
  cursor->row++;
  return cursor->row % 4096 == 0 ? tr_poll(&((DueTable *)base->pVtab)->poll) : SQLITE_OK;
}

static int read_schedule(DueCursor *cursor, sqlite3_value *value, char **message) {
  const char *text = (const char *)sqlite3_value_text(value);
  char *cause = NULL;
  if (text == NULL) return SQLITE_NOMEM;
  int code = tr_schedule_parse(text, (size_t)sqlite3_value_bytes(value), &cursor->schedule, &cause);
  if (code == SQLITE_MISMATCH) {
    code = tr_error(message, SQLITE_ERROR, "taskresults_slots: '%!.100s' is no schedule: %s", text,
                    cause ? cause : "out of memory");
  }
  sqlite3_free(cause);
  return code;
}

static int read_due_arguments(DueCursor *cursor, sqlite3_value *const *value, int64_t *since_us, char **message) {
  static const char table[] = "taskresults_slots";
  int code = SQLITE_OK;
  sqlite3_value *since = value[1], *until = value[2], *zone = value[3];
  if (zone && sqlite3_value_type(zone) != SQLITE_NULL) {
    const char *name = (const char *)sqlite3_value_text(zone);
    code = name ? tr_zone_load(name, &cursor->zone, message) : SQLITE_NOMEM;
  }
  if (code == SQLITE_OK && since)
    code = tr_time_argument(table, TR_COLUMN_SINCE, 0, cursor->zone, since, NULL, since_us, message);
  if (code == SQLITE_OK && until)
    code = tr_time_argument(table, TR_COLUMN_UNTIL, 0, cursor->zone, until, NULL, &cursor->until_us, message);
  return code == SQLITE_OK ? read_schedule(cursor, value[0], message) : code;
}

static int due_filter(sqlite3_vtab_cursor *base, int given, const char *unused, int argc, sqlite3_value **argv) {
  (void)unused, (void)argc;
  DueCursor *cursor = (DueCursor *)base;
  sqlite3_value *value[ARGUMENT_COUNT] = {0};
  int64_t since_us = tr_clock_us();
  clear_due(cursor);
  for (int i = 0, bound = 0; i < ARGUMENT_COUNT; i++) {
    if (!(given & 1 << i)) continue;
    value[i] = argv[bound++];
    cursor->argument[i] = sqlite3_value_dup(value[i]);
    if (cursor->argument[i] == NULL) return SQLITE_NOMEM;
  }
  if (value[0] == NULL) {
    return tr_error(&base->pVtab->zErrMsg, SQLITE_ERROR,
                    "taskresults_slots: no schedule; write taskresults_slots(schedule, since, until, zone)");
  }
  if (sqlite3_value_type(value[0]) == SQLITE_NULL) return SQLITE_OK;
  cursor->until_us = INT64_MAX;
  int code = read_due_arguments(cursor, value, &since_us, &base->pVtab->zErrMsg);
  if (code != SQLITE_OK) return code;
  bool is_interval = cursor->schedule.interval_us > 0;
  tr_schedule_times_begin(&cursor->times, &cursor->schedule, cursor->zone,
                          since_us > INT64_MIN && !is_interval ? since_us - 1 : since_us);
  if (cursor->schedule.is_single) { /* `in 10 minutes` comes once */
    int64_t only_us;
    if (__builtin_add_overflow(since_us, cursor->schedule.interval_us, &only_us)) return SQLITE_OK;
    if (only_us < cursor->until_us) cursor->until_us = only_us;
  }
  return due_next(base);
}

static int due_eof(sqlite3_vtab_cursor *base) {
  return ((DueCursor *)base)->at_end;
}

static int due_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = ((DueCursor *)base)->row;
  return SQLITE_OK;
}

static int due_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const DueCursor *cursor = (DueCursor *)base;
  char text[TR_TIMESTAMP_SIZE];
  if (column == DUE_SLOT) {
    tr_timestamp_format(cursor->slot_us, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  } else if (column == DUE_SLOT_US) {
    sqlite3_result_int64(context, cursor->slot_us);
  } else if (cursor->argument[column - DUE_SCHEDULE]) {
    sqlite3_result_value(context, cursor->argument[column - DUE_SCHEDULE]);
  }
  return SQLITE_OK;
}

int tr_slots_function_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xConnect = due_connect, /* no xCreate: nobody can make another table of it */
      .xBestIndex = due_best_index,
      .xDisconnect = due_disconnect,
      .xOpen = due_open,
      .xClose = due_close,
      .xFilter = due_filter,
      .xNext = due_next,
      .xEof = due_eof,
      .xColumn = due_column,
      .xRowid = due_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "taskresults_slots", &module, connection, tr_connection_unref);
}
