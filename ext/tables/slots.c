/*
** slots.c - task_slots: one row per run that a job's schedule expects, with its state.
**
**   SELECT job_id, slot, reason FROM task_slots WHERE state = 'missed';
**   SELECT job_id, count(*) FROM task_slots('30d', 'now', '10m', 'Europe/Berlin') WHERE state = 'late' GROUP BY job_id;
**   CREATE VIRTUAL TABLE temp.s USING task_slots(file='/backup/jobs.json', results='/backup/results', logs='/b/logs');
**
** The jobs are those of jobs.json when the query begins, in the order of their ids; the records and the log of a job
** are read when its turn comes, and freed after it, so memory is needed for one job only. The state of a slot does not
** depend on the window of the query: only what happened since a day before the window matters (see
** scheduler/job_log.c).
**
** If the paths have a star, each host has its own jobs.json, and the order is that of (id, host).
**
** A rowid is the ordinal of the job, and the slot in seconds: two slots of a job are a second apart at least.
*/
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#define HORIZON_US (86400 * TR_US_PER_SECOND) /* a day: clocks may be set back, and the last run may be by hand */
#define ROWID_BEGINS_S INT64_C(63000000000)   /* about the year 1 */

enum {
  SLOTS_JOB_ID,
  SLOTS_SLOT,
  SLOTS_SLOT_US,
  SLOTS_OFFSET,
  SLOTS_FINISHED,
  SLOTS_LATE_S,
  SLOTS_STATE,
  SLOTS_REASON,
  SLOTS_SINCE, /* the first hidden columns are the arguments */
  SLOTS_UNTIL,
  SLOTS_GRACE,
  SLOTS_ZONE,
  SLOTS_PER_JOB,
  SLOTS_JOB,
  SLOTS_OK,
  SLOTS_STARTED_US,
  SLOTS_FINISHED_US,
  SLOTS_HOST
};

static const char slots_schema[] =
    "CREATE TABLE task_slots("
    "job_id TEXT, slot TEXT, slot_us INTEGER, offset INTEGER, finished TEXT, late_s REAL, state TEXT, reason TEXT, "
    /* Arguments have no types: SQLite must not convert what was given. */
    "since HIDDEN, until HIDDEN, grace HIDDEN, zone HIDDEN, per_job HIDDEN, "
    "job TEXT HIDDEN, ok INTEGER HIDDEN, started_us INTEGER HIDDEN, finished_us INTEGER HIDDEN, host TEXT HIDDEN)";

/* Of idxNum: the query relies on our order of slots. */
#define SORTS_SLOTS TR_CHECKS_END

/* Where the jobs.json of a host has an id, and how many times: the index is that of the first. */
typedef struct ListedJob {
  const TrHostJobs *of; /* borrowed */
  size_t index, times;
} ListedJob;

typedef struct SlotsCursor {
  TrCursor cursor; /* first */
  TrFilter filter;
  TrSlotArguments arguments;
  int64_t now_us;
  TrHostJobsList hosts;
  ListedJob *order; /* owned: the wanted jobs, sorted by id and host */
  size_t order_count, at;
  uint32_t ordinal; /* of the current job */
  TrSlotSource source;
  TrSlotJob job; /* the current one, */
  bool in_job;   /* there are more slots of the current job, */
  int64_t left;  /* of which so many may still be given out */
  TrSlots slots;
  TrSlot slot;
  bool has_slot;   /* the current row is a slot; if not, it tells why the job has none */
  char *unknown;   /* owned */
  uint64_t passed; /* slots, for polling */
} SlotsCursor;

/* --- the table ---------------------------------------------------------------------------------------------------- */

static TrColumn slots_column_of(int column) {
  switch (column) {
  case SLOTS_JOB_ID:
  case SLOTS_JOB: return TR_COLUMN_JOB_ID;
  case SLOTS_HOST: return TR_COLUMN_HOST;
  case SLOTS_SLOT_US: return TR_COLUMN_TIME_US;
  case SLOTS_SINCE: return TR_COLUMN_SINCE;
  case SLOTS_UNTIL: return TR_COLUMN_UNTIL;
  case SLOTS_GRACE: return TR_COLUMN_GRACE;
  case SLOTS_ZONE: return TR_COLUMN_ZONE;
  case SLOTS_PER_JOB: return TR_COLUMN_PER_JOB;
  default: return TR_COLUMN_OTHER;
  }
}

static int slots_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                         char **message) {
  return tr_logged_table_connect(db, connection, slots_schema, true, argc, argv, vtab, message);
}

/* job_id, then the slots, which are sorted if there is one host. In UTF-16 SQLite compares texts by other bytes. */
static int choose_slots_order(sqlite3_index_info *info, const TrConnection *connection, bool is_of_hosts) {
  const struct sqlite3_index_orderby *by = info->aOrderBy;
  bool is_utf8;
  int count = info->nOrderBy;
  if (count == 0 || count > 2 || by[0].desc || slots_column_of(by[0].iColumn) != TR_COLUMN_JOB_ID) return SQLITE_OK;
  if (count == 2 && (is_of_hosts || by[1].desc || by[1].iColumn != SLOTS_SLOT_US)) return SQLITE_OK;
  int code = tr_connection_is_utf8(connection, &is_utf8);
  info->orderByConsumed = is_utf8;
  if (is_utf8 && count == 2) info->idxNum |= SORTS_SLOTS;
  return code;
}

static int slots_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const TrConnection *connection = ((TrTable *)vtab)->connection;
  bool is_of_hosts = strchr(tr_settings_dir(&((TrTable *)vtab)->settings), '*') != NULL;
  int orders = info->nOrderBy;
  info->nOrderBy = 0; /* this table cannot deliver the orders of a scan */
  int code = tr_time_window_choose(vtab, info, "task_slots", slots_column_of, TR_INDEX_UNUSED);
  info->nOrderBy = orders;
  return code == SQLITE_OK ? choose_slots_order(info, connection, is_of_hosts) : code;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static const char *listed_id(const ListedJob *listed) {
  return tr_jobs_id(&listed->of->jobs, listed->index);
}

static int compare_listed(const void *a, const void *b) {
  const ListedJob *x = a, *y = b;
  int order = strcmp(listed_id(x), listed_id(y));
  if (order == 0) order = (x->of > y->of) - (x->of < y->of); /* they are in the order of their names */
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Of each id of a host one is kept. */
static void join_twins(SlotsCursor *cursor) {
  size_t kept = 0;
  for (size_t i = 1; i < cursor->order_count; i++) {
    ListedJob *last = &cursor->order[kept], *next = &cursor->order[i];
    if (last->of == next->of && strcmp(listed_id(last), listed_id(next)) == 0) {
      last->times++;
    } else {
      cursor->order[++kept] = *next;
    }
  }
  if (cursor->order_count) cursor->order_count = kept + 1;
}

static void choose_jobs_of(SlotsCursor *cursor, const TrHostJobs *of) {
  for (size_t i = 0; i < of->jobs.count; i++) {
    const char *id = tr_jobs_id(&of->jobs, i);
    if (id && tr_filter_wants_job(&cursor->filter, id, strlen(id))) {
      cursor->order[cursor->order_count++] = (ListedJob){.of = of, .index = i, .times = 1};
    }
  }
}

static int choose_jobs(SlotsCursor *cursor) {
  size_t most = 0;
  for (size_t i = 0; i < cursor->hosts.count; i++) most += cursor->hosts.of[i].jobs.count;
  cursor->order = sqlite3_malloc64(most * sizeof *cursor->order + 1);
  if (cursor->order == NULL) return SQLITE_NOMEM;
  for (size_t i = 0; i < cursor->hosts.count; i++) choose_jobs_of(cursor, &cursor->hosts.of[i]);
  if (cursor->order_count > 1) tr_array_sort(cursor->order, cursor->order_count, sizeof *cursor->order, compare_listed);
  join_twins(cursor);
  return SQLITE_OK;
}

static const TrHostJobs *current_host(const SlotsCursor *cursor) {
  return cursor->order[cursor->at].of;
}

static const char *current_id(const SlotsCursor *cursor) {
  return listed_id(&cursor->order[cursor->at]);
}

/* A job without `recurring` is recurring, as for the scheduler. */
static void describe_job(SlotsCursor *cursor, const TrJobs *jobs, size_t i) {
  const TrJson *recurring = tr_json_member(jobs->job[i], "recurring");
  cursor->job = (TrSlotJob){.zone = cursor->arguments.zone,
                            .is_recurring = recurring == NULL || tr_json_is_truthy(recurring),
                            .is_enabled = tr_jobs_is_enabled(jobs, i),
                            .now_us = cursor->now_us,
                            .grace_us = cursor->arguments.grace_us};
}

static int load_job(SlotsCursor *cursor, int64_t from_us, char **message) {
  int64_t horizon_us;
  if (__builtin_sub_overflow(from_us, HORIZON_US, &horizon_us)) horizon_us = INT64_MIN;
  bool counts_from_change = !cursor->job.is_recurring && cursor->job.created_us < horizon_us;
  if (counts_from_change) horizon_us = cursor->job.created_us; /* and that may have been any time since */
  int code =
      tr_slot_source_load(&cursor->source, current_host(cursor), current_id(cursor), horizon_us, &cursor->job, message);
  if (code == SQLITE_OK) tr_slots_begin(&cursor->slots, &cursor->job, from_us);
  return code;
}

/* Passes those of the window but the last `wanted`. *count: how many there are to come. */
static int skip_to_last(SlotsCursor *cursor, TrTable *table, int64_t from_us, int64_t wanted, int64_t *count) {
  int code = SQLITE_OK;
  TrSlot slot;
  *count = 0;
  while (code == SQLITE_OK && tr_slots_next(&cursor->slots, &slot) && slot.slot_us <= cursor->arguments.to_us) {
    if (++*count % 4096 == 0) code = tr_poll(&table->poll);
  }
  tr_slots_begin(&cursor->slots, &cursor->job, from_us);
  for (; code == SQLITE_OK && *count > wanted; --*count) {
    tr_slots_next(&cursor->slots, &slot); /* there are so many: they were counted */
    if (*count % 4096 == 0) code = tr_poll(&table->poll);
  }
  return code;
}

/* What comes before the last slots need not be read; of an interval, where they are is a guess. */
static int begin_slots(SlotsCursor *cursor, TrTable *table, char **message) {
  int64_t from_us = cursor->arguments.from_us, wanted = -cursor->arguments.per_job, count;
  cursor->left = cursor->arguments.per_job > 0 ? cursor->arguments.per_job : INT64_MAX;
  if (wanted > 0)
    from_us = tr_slots_look_back(&cursor->job, wanted, cursor->arguments.from_us, cursor->arguments.to_us);
  int code = load_job(cursor, from_us, message);
  if (code == SQLITE_OK && wanted > 0) code = skip_to_last(cursor, table, from_us, wanted, &count);
  if (code == SQLITE_OK && wanted > 0 && count < wanted && from_us > cursor->arguments.from_us) {
    code = load_job(cursor, cursor->arguments.from_us, message);
    if (code == SQLITE_OK) code = skip_to_last(cursor, table, cursor->arguments.from_us, wanted, &count);
  }
  cursor->in_job = code == SQLITE_OK;
  return code;
}

/* Afterwards the job has slots, or a single row that tells why it has none. */
static int begin_job(SlotsCursor *cursor, TrTable *table, char **message) {
  size_t i = cursor->order[cursor->at].index, times = cursor->order[cursor->at].times;
  const TrJobs *jobs = &current_host(cursor)->jobs;
  describe_job(cursor, jobs, i);
  int code =
      tr_host_jobs_intern(current_host(cursor), current_id(cursor), table->connection, &cursor->ordinal, message);
  if (code == SQLITE_OK && times > 1) {
    code = tr_error(&cursor->unknown, SQLITE_MISMATCH,
                    "jobs.json has this id %lld times: any of these jobs may have run", (long long)times);
  }
  if (code == SQLITE_OK) code = tr_schedule_of_job(jobs->job[i], &cursor->job.schedule, &cursor->unknown);
  if (code == SQLITE_OK && !tr_jobs_time_us(jobs, i, "created_at", &cursor->job.created_us)) {
    code = tr_error(&cursor->unknown, SQLITE_MISMATCH, "it has no created_at that can be read");
  }
  if (code == SQLITE_MISMATCH) return cursor->unknown ? SQLITE_OK : SQLITE_NOMEM;
  return code == SQLITE_OK ? begin_slots(cursor, table, message) : code;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static void leave_job(SlotsCursor *cursor) {
  sqlite3_free(cursor->unknown);
  cursor->unknown = NULL;
  cursor->in_job = cursor->has_slot = false;
}

static void clear_slots(SlotsCursor *cursor) {
  leave_job(cursor);
  tr_filter_free(&cursor->filter);
  tr_slot_arguments_free(&cursor->arguments);
  tr_host_jobs_free(&cursor->hosts);
  sqlite3_free(cursor->order);
  cursor->order = NULL;
  cursor->order_count = cursor->at = 0;
  cursor->cursor.at_end = true;
}

static int slots_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrLoggedTable *table = (TrLoggedTable *)vtab;
  SlotsCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (SlotsCursor){.cursor.at_end = true};
  tr_slot_source_init(&cursor->source, table->table.connection, &table->table.poll, &table->table.settings,
                      &table->logs);
  *out = &cursor->cursor.base;
  return SQLITE_OK;
}

static int slots_close(sqlite3_vtab_cursor *base) {
  SlotsCursor *cursor = (SlotsCursor *)base;
  clear_slots(cursor);
  tr_slot_source_end(&cursor->source);
  tr_scratch_free(&cursor->cursor.scratch);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static sqlite3_int64 rowid_of(const SlotsCursor *cursor) {
  const int64_t last = TR_MAX_FILE_BYTES - 1;
  int64_t seconds = cursor->slot.slot_us / TR_US_PER_SECOND - (cursor->slot.slot_us % TR_US_PER_SECOND < 0);
  return (sqlite3_int64)cursor->ordinal << TR_OFFSET_BITS | (cursor->has_slot ? seconds + ROWID_BEGINS_S : last);
}

static int slots_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = rowid_of((SlotsCursor *)base);
  return SQLITE_OK;
}

/* SQLITE_ROW: the job has one more row; SQLITE_DONE: no more. */
static int next_row_of_job(SlotsCursor *cursor, TrTable *table) {
  cursor->has_slot = cursor->in_job && cursor->left-- > 0 && tr_slots_next(&cursor->slots, &cursor->slot);
  if (!cursor->has_slot || cursor->slot.slot_us > cursor->arguments.to_us) return SQLITE_DONE;
  int code = ++cursor->passed % 4096 == 0 ? tr_poll(&table->poll) : SQLITE_OK;
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

/* SQLITE_ROW, SQLITE_DONE, or an error. */
static int find_row(SlotsCursor *cursor, TrTable *table, char **message) {
  for (; cursor->at < cursor->order_count; cursor->at++) {
    bool is_new = !cursor->in_job && cursor->unknown == NULL;
    int code = is_new ? tr_poll(&table->poll) : SQLITE_OK;
    if (is_new && code == SQLITE_OK) code = begin_job(cursor, table, message);
    if (code != SQLITE_OK) return code;
    if (is_new && cursor->unknown) return SQLITE_ROW;
    code = next_row_of_job(cursor, table);
    if (code != SQLITE_DONE) return code;
    leave_job(cursor);
  }
  return SQLITE_DONE;
}

static int slots_next(sqlite3_vtab_cursor *base) {
  SlotsCursor *cursor = (SlotsCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  int code;
  do code = find_row(cursor, table, &base->pVtab->zErrMsg);
  while (code == SQLITE_ROW && cursor->filter.by_rowid && rowid_of(cursor) != cursor->filter.rowid);
  cursor->cursor.at_end = code != SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* By comparisons of slot_us. Those do not decide which slots are the first of a job. */
static void narrow_window(SlotsCursor *cursor) {
  if (cursor->filter.from_us > cursor->arguments.from_us) cursor->arguments.from_us = cursor->filter.from_us;
  if (cursor->filter.to_us < cursor->arguments.to_us) cursor->arguments.to_us = cursor->filter.to_us;
}

/* A schedule is one scheduler's: records or logs of several hosts would look like those of one. What the environment
** says may have changed since the query was planned. */
static int check_hosts(const TrLoggedTable *table, int flags, char **message) {
  int code = tr_host_jobs_check(table->jobs_file, &table->table.settings, message);
  if (code == SQLITE_OK) code = tr_host_jobs_check(table->jobs_file, &table->logs, message);
  if (code != SQLITE_OK || !(flags & SORTS_SLOTS)) return code;
  return tr_dir_check_single(table->table.settings.store, tr_settings_dir(&table->table.settings), message);
}

static int slots_filter(sqlite3_vtab_cursor *base, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  SlotsCursor *cursor = (SlotsCursor *)base;
  TrLoggedTable *table = (TrLoggedTable *)base->pVtab;
  char **message = &base->pVtab->zErrMsg;
  TrPlan plan;
  clear_slots(cursor);
  cursor->now_us = tr_clock_us();
  int code = tr_table_bind(&cursor->cursor, plan_text, argc, argv, &plan, &cursor->filter);
  if (code == SQLITE_OK) code = tr_slot_arguments_read(&cursor->arguments, &plan, flags, argv, cursor->now_us, message);
  if (code == SQLITE_OK) code = check_hosts(table, flags, message);
  if (code != SQLITE_OK || cursor->filter.nothing) return code;
  if (cursor->arguments.per_job == 0) narrow_window(cursor);
  code = tr_host_jobs_load(&cursor->hosts, table->jobs_file, &cursor->filter, &table->table.poll, message);
  if (code == SQLITE_OK) code = choose_jobs(cursor);
  return code == SQLITE_OK ? slots_next(base) : code;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static const char *state_name(const SlotsCursor *cursor) {
  static const char *const names[] = {
      [TR_SLOT_RAN] = "ran",         [TR_SLOT_LATE] = "late",       [TR_SLOT_MISSED] = "missed",
      [TR_SLOT_PAUSED] = "paused",   [TR_SLOT_SKIPPED] = "skipped", [TR_SLOT_PENDING] = "pending",
      [TR_SLOT_UNKNOWN] = "unknown",
  };
  return names[cursor->has_slot ? cursor->slot.state : TR_SLOT_UNKNOWN];
}

/* %s is the time of the reason. */
static const char *const reason_words[] = {
    [TR_SLOT_PLAIN] = NULL,
    [TR_SLOT_NO_RECORD] = "its record is gone",
    [TR_SLOT_RUN_CUT] = "a run began at %s, and left no record",
    [TR_SLOT_PAUSED_AT] = "paused since %s",
    [TR_SLOT_WORDS] = NULL,
    [TR_SLOT_TO_COME] = "to come",
    [TR_SLOT_IN_GRACE] = "within the grace, which ends at %s",
    [TR_SLOT_IS_RUNNING] = "running since %s",
    [TR_SLOT_CHANGED_AT] = "the schedule was changed at %s",
    [TR_SLOT_ENABLED_SET] = "`enabled` was changed at %s, and the log does not tell to what",
    [TR_SLOT_DISABLED] = "the job is not enabled, and its log does not tell since when",
    [TR_SLOT_IS_ENABLED] = "the job is enabled again, and its log does not tell since when",
    [TR_SLOT_TOO_OLD] = "neither the records nor the log go back so far",
};

static void reason_column(sqlite3_context *context, const SlotsCursor *cursor) {
  const TrSlot *slot = &cursor->slot;
  char time[TR_TIMESTAMP_SIZE], text[128];
  if (!cursor->has_slot) {
    sqlite3_result_text(context, cursor->unknown, -1, SQLITE_TRANSIENT);
  } else if (slot->reason == TR_SLOT_WORDS) {
    sqlite3_result_text(context, slot->reason_words, -1, SQLITE_TRANSIENT);
  } else if (reason_words[slot->reason]) {
    tr_timestamp_format(slot->reason_us, time);
    sqlite3_snprintf(sizeof text, text, reason_words[slot->reason], time);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  }
}

static void run_column(sqlite3_context *context, const TrSlot *slot, int column) {
  const TrSlotRun *run = slot->run;
  if (run == NULL) return;
  bool has_record = run->kind == TR_RUN_OF_RECORD, has_end = run->kind != TR_RUN_GOING_ON;
  switch (column) {
  case SLOTS_LATE_S: sqlite3_result_double(context, (double)(run->start_us - slot->slot_us) / 1e6); break;
  case SLOTS_STARTED_US: sqlite3_result_int64(context, run->start_us); break;
  case SLOTS_FINISHED:
    if (has_end) tr_result_timestamp(context, run->finish_us);
    break;
  case SLOTS_FINISHED_US:
    if (has_end) sqlite3_result_int64(context, run->finish_us);
    break;
  case SLOTS_OFFSET:
    if (has_record) sqlite3_result_int64(context, run->offset);
    break;
  case SLOTS_OK:
    if (has_record && !run->is_unknown) sqlite3_result_int(context, run->ok);
    break;
  }
}

static int slots_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const SlotsCursor *cursor = (SlotsCursor *)base;
  switch (column) {
  case SLOTS_JOB_ID:
  case SLOTS_JOB: sqlite3_result_text(context, current_id(cursor), -1, SQLITE_TRANSIENT); break;
  case SLOTS_HOST: tr_host_jobs_result(context, current_host(cursor)); break;
  case SLOTS_STATE: sqlite3_result_text(context, state_name(cursor), -1, SQLITE_STATIC); break;
  case SLOTS_REASON: reason_column(context, cursor); break;
  case SLOTS_SLOT:
    if (cursor->has_slot) tr_result_timestamp(context, cursor->slot.slot_us);
    break;
  case SLOTS_SLOT_US:
    if (cursor->has_slot) sqlite3_result_int64(context, cursor->slot.slot_us);
    break;
  case SLOTS_SINCE:
  case SLOTS_UNTIL:
  case SLOTS_GRACE:
  case SLOTS_ZONE:
  case SLOTS_PER_JOB: tr_time_window_result(context, cursor->arguments.value[column - SLOTS_SINCE]); break;
  default:
    if (cursor->has_slot) run_column(context, &cursor->slot, column);
  }
  return SQLITE_OK;
}

int tr_slots_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = slots_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = slots_connect,
      .xBestIndex = slots_best_index,
      .xDisconnect = tr_logged_table_disconnect,
      .xDestroy = tr_logged_table_disconnect,
      .xOpen = slots_open,
      .xClose = slots_close,
      .xFilter = slots_filter,
      .xNext = slots_next,
      .xEof = tr_table_eof,
      .xColumn = slots_column,
      .xRowid = slots_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_slots", &module, connection, tr_connection_unref);
}
