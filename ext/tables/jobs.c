/*
** jobs.c - task_jobs: one row per job of jobs.json, and one per orphan: a job that has results but is not in jobs.json
** any more.
**
**   SELECT job_id, next_run, overdue_s FROM task_jobs WHERE state = 'overdue';
**   CREATE VIRTUAL TABLE temp.j USING task_jobs(file='/backup/jobs.json', results='/backup/results');
**
** If both paths have a star, the jobs are those of several hosts, one host after another. A rowid is the ordinal of the
** host, which no other condition changes, and the number of the row among those of the host.
**
** The file is read whole when a query begins, so a query sees the jobs as they were at one moment. A column has the
** value that json_extract() would give; `record` is the whole job as JSON, for members without a column. An element
** that is not an object has only a record; one whose id is not a text has no job_id.
*/
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
  JOBS_JOB_ID,
  JOBS_NAME,
  JOBS_ENABLED = 3,
  JOBS_CREATED_BY = 15, /* up to here, columns are members of the job */
  JOBS_NEXT_RUN_US,
  JOBS_LAST_RUN_US,
  JOBS_OVERDUE_S,
  JOBS_STATE,
  JOBS_RECORD,
  JOBS_CREATED_US,
  JOBS_STARTED_US,
  JOBS_IS_ENABLED,
  JOBS_INTERVAL_US,
  JOBS_HOST,
};

static const char jobs_schema[] =
    "CREATE TABLE task_jobs("
    "job_id TEXT, name TEXT, schedule TEXT, enabled INTEGER, recurring INTEGER, notify INTEGER, created_at TEXT, "
    "next_run TEXT, last_run TEXT, agent TEXT, runtime TEXT, task TEXT, mode TEXT, cron TEXT, timeout, created_by, "
    "next_run_us INTEGER, last_run_us INTEGER, overdue_s REAL, state TEXT, record TEXT, "
    "created_us INTEGER HIDDEN, started_us INTEGER HIDDEN, is_enabled INTEGER HIDDEN, interval_us INTEGER HIDDEN, "
    "host TEXT HIDDEN)";

static const char *const member_of_column[JOBS_CREATED_BY + 1] = {
    "id",       "name",  "schedule", "enabled", "recurring", "notify", "created_at", "next_run",
    "last_run", "agent", "runtime",  "task",    "mode",      "cron",   "timeout",    "created_by",
};

typedef struct JobsTable {
  sqlite3_vtab base;
  TrConnection *connection; /* counted reference */
  TrPoll poll;
  char *file;         /* owned; NULL: the environment's, or the default */
  TrSettings results; /* where orphans are searched for */
} JobsTable;

typedef struct JobsCursor {
  sqlite3_vtab_cursor base;
  TrHostJobsList hosts;
  size_t which; /* the current row is of this host: */
  size_t at;    /* a job, or after all jobs an orphan */
  int64_t now_us;
  const char *state;  /* static: the current job's; NULL: not asked for yet */
  int64_t started_us; /* when the current run began, or TR_UNKNOWN_US */
} JobsCursor;

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void free_table(JobsTable *table) {
  tr_poll_close(&table->poll);
  sqlite3_free(table->file);
  tr_settings_free(&table->results);
  tr_connection_unref(table->connection);
  sqlite3_free(table);
}

static int parse_jobs_argument(JobsTable *table, const char *name, const char *argument, char **message) {
  enum { FILE_PATH, RESULTS };
  static const char *const known[] = {"file='PATH'", "results='PATH'", NULL};
  int which;
  char *value;
  int code = tr_argument_parse(table->connection, name, argument, known, &which, &value, message);
  if (code != SQLITE_OK || value == NULL) return code;
  char **owner = which == FILE_PATH ? &table->file : &table->results.dir;
  sqlite3_free(*owner);
  *owner = value;
  return SQLITE_OK;
}

static int jobs_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  TrConnection *connection = aux;
  JobsTable *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (JobsTable){.connection = connection, .poll.db = db, .results.store = &tr_results_store};
  connection->references++;
  int code = SQLITE_OK;
  for (int i = 3; i < argc && code == SQLITE_OK; i++) code = parse_jobs_argument(table, argv[0], argv[i], message);
  if (code == SQLITE_OK) code = tr_table_declare(db, jobs_schema, argc, message);
  if (code != SQLITE_OK) {
    free_table(table);
    return code;
  }
  *vtab = &table->base;
  return SQLITE_OK;
}

static int jobs_disconnect(sqlite3_vtab *vtab) {
  free_table((JobsTable *)vtab);
  return SQLITE_OK;
}

static TrColumn jobs_column_of(int column) {
  return column == JOBS_HOST ? TR_COLUMN_HOST : TR_COLUMN_OTHER;
}

/* Only the host is pushed down: a file is small and read whole, and SQLite indexes the rows itself for a join. */
static int jobs_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  JobsTable *table = (JobsTable *)vtab;
  TrPlanned planned = {.column_of = jobs_column_of, .connection = table->connection, .settings = &table->results};
  int orders = info->nOrderBy;
  info->nOrderBy = 0; /* the rows come in the order of the files */
  int code = tr_plan_choose(info, &planned, &vtab->zErrMsg);
  info->nOrderBy = orders;
  info->idxFlags = 0;
  info->estimatedCost /= 100;
  info->estimatedRows = info->estimatedRows / 10000 + 1;
  return code;
}

/* --- orphans ------------------------------------------------------------------------------------------------------ */

typedef struct Hunt {
  TrHostJobs *of;
  TrNames *known; /* the ids of the jobs */
  const TrDir *dir;
  char **message;
} Hunt;

/* Only an entry that task_results would read makes an orphan. */
static int visit_entry(void *context, const char *name) {
  Hunt *hunt = context;
  size_t length = strlen(name);
  uint32_t unused;
  struct stat entry;
  if (!tr_name_is_job_file(name, length) || !tr_utf8_is_valid(name, length)) return SQLITE_OK;
  if (tr_names_find(hunt->known, name, length - TR_SUFFIX_LEN, &unused)) return SQLITE_OK;
  if (fstatat(hunt->dir->fd, name, &entry, AT_SYMLINK_NOFOLLOW) != 0) {
    int reason = errno;
    if (reason == ENOENT) return SQLITE_OK; /* it is gone */
    return tr_error(hunt->message, SQLITE_IOERR_FSTAT, "%s/%s cannot be looked at: %s", hunt->dir->path, name,
                    strerror(reason));
  }
  if (!S_ISREG(entry.st_mode)) return SQLITE_OK;
  return tr_name_list_add(&hunt->of->orphans, name, length - TR_SUFFIX_LEN);
}

static int intern_jobs(const TrJobs *jobs, TrNames *known, char **message) {
  int code = SQLITE_OK;
  for (size_t i = 0; i < jobs->count && code == SQLITE_OK; i++) {
    const char *id = tr_jobs_id(jobs, i);
    uint32_t unused;
    if (id) code = tr_names_intern(known, id, strlen(id), &unused);
  }
  if (code != SQLITE_FULL) return code;
  return tr_error(message, SQLITE_TOOBIG, "more than %lld jobs", (long long)TR_MAX_ORDINAL + 1);
}

/* A host's name may have a star of its own. */
static int open_results(TrDir *dir, const TrHostJobs *of, const char *path, char **message) {
  if (of->host == NULL) return tr_dir_open(dir, &tr_results_store, path, message);
  *dir = (TrDir){.store = &tr_results_store, .path = path};
  dir->fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir->fd >= 0) return SQLITE_OK;
  return tr_error(message, SQLITE_CANTOPEN, "results directory %s: %s", path, strerror(errno));
}

/* The scheduler makes the results directory with the first result: if it is missing, there are no orphans. */
static int find_orphans_in(TrHostJobs *of, const char *path, TrPoll *poll, char **message) {
  struct stat unused;
  TrDir dir = {.fd = -1};
  if (stat(path, &unused) != 0 && errno == ENOENT) return SQLITE_OK;
  Hunt hunt = {.of = of, .known = tr_names_new(), .dir = &dir, .message = message};
  int code = hunt.known ? intern_jobs(&of->jobs, hunt.known, message) : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = open_results(&dir, of, path, message);
  if (code == SQLITE_OK) code = tr_dir_list(&dir, poll, visit_entry, &hunt, message);
  tr_name_list_sort(&of->orphans);
  tr_dir_close(&dir);
  tr_names_free(hunt.known);
  return code;
}

static int find_orphans(TrHostJobs *of, JobsTable *table, char **message) {
  const char *path = tr_settings_dir(&table->results), *star = strchr(path, '*');
  char *own = of->host && star ? sqlite3_mprintf("%.*s%s%s", (int)(star - path), path, of->host, star + 1)
                               : sqlite3_mprintf("%s", path);
  int code = own ? find_orphans_in(of, own, &table->poll, message) : SQLITE_NOMEM;
  sqlite3_free(own);
  return code;
}

/* Without a star the ordinal stays 0. */
static int add_orphans_and_ordinal(TrHostJobs *of, JobsTable *table, char **message) {
  int code = find_orphans(of, table, message);
  if (code == SQLITE_OK && of->host) code = tr_host_jobs_intern(of, "", table->connection, &of->ordinal, message);
  return code;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static void clear_cursor(JobsCursor *cursor) {
  tr_host_jobs_free(&cursor->hosts);
  cursor->which = cursor->at = 0;
  cursor->state = NULL;
}

static const TrHostJobs *host_of(const JobsCursor *cursor) {
  return &cursor->hosts.of[cursor->which];
}

/* The current row is a job, not an orphan. */
static bool is_listed(const JobsCursor *cursor) {
  return cursor->at < host_of(cursor)->jobs.count;
}

static const TrJson *json_of(const JobsCursor *cursor) {
  return host_of(cursor)->jobs.job[cursor->at];
}

static void pass_empty_hosts(JobsCursor *cursor) {
  while (cursor->which < cursor->hosts.count &&
         cursor->at >= host_of(cursor)->jobs.count + host_of(cursor)->orphans.count) {
    cursor->which++;
    cursor->at = 0;
  }
}

static int jobs_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  JobsCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (JobsCursor){0};
  *out = &cursor->base;
  return SQLITE_OK;
}

static int jobs_close(sqlite3_vtab_cursor *base) {
  clear_cursor((JobsCursor *)base);
  sqlite3_free(base);
  return SQLITE_OK;
}

static int bind_host(JobsTable *table, const char *plan_text, int argc, sqlite3_value **argv, TrFilter *filter) {
  TrPlan plan;
  if (!tr_plan_decode(plan_text, &plan)) {
    return tr_error(&table->base.zErrMsg, SQLITE_INTERNAL, "cannot read the plan '%s'", plan_text);
  }
  return tr_filter_bind(filter, &plan, argc, argv, &table->poll);
}

static int jobs_filter(sqlite3_vtab_cursor *base, int unused, const char *plan, int argc, sqlite3_value **argv) {
  (void)unused;
  JobsCursor *cursor = (JobsCursor *)base;
  JobsTable *table = (JobsTable *)base->pVtab;
  char **message = &table->base.zErrMsg;
  TrFilter filter;
  clear_cursor(cursor);
  int code = bind_host(table, plan, argc, argv, &filter);
  if (code != SQLITE_OK) return code;
  code = tr_host_jobs_check(table->file, &table->results, message);
  if (code == SQLITE_OK && !filter.nothing)
    code = tr_host_jobs_load(&cursor->hosts, table->file, &filter, &table->poll, message);
  for (size_t i = 0; i < cursor->hosts.count && code == SQLITE_OK; i++)
    code = add_orphans_and_ordinal(&cursor->hosts.of[i], table, message);
  tr_filter_free(&filter);
  cursor->now_us = tr_clock_us();
  pass_empty_hosts(cursor);
  return code;
}

static int jobs_next(sqlite3_vtab_cursor *base) {
  JobsCursor *cursor = (JobsCursor *)base;
  cursor->at++;
  cursor->state = NULL;
  pass_empty_hosts(cursor);
  return SQLITE_OK;
}

static int jobs_eof(sqlite3_vtab_cursor *base) {
  const JobsCursor *cursor = (JobsCursor *)base;
  return cursor->which >= cursor->hosts.count;
}

static int jobs_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const JobsCursor *cursor = (JobsCursor *)base;
  *rowid = (sqlite3_int64)host_of(cursor)->ordinal << TR_OFFSET_BITS | (sqlite3_int64)(cursor->at + 1);
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* Does the current job have a next_run that cannot be read as a time? False if it has none. */
static bool is_next_run_unreadable(const JobsCursor *cursor) {
  int64_t unused;
  const TrJson *next_run = tr_json_member(json_of(cursor), "next_run");
  return tr_json_is_truthy(next_run) && !tr_jobs_time_us(&host_of(cursor)->jobs, cursor->at, "next_run", &unused);
}

/* Is the current job enabled and past its time, and by how much? */
static bool is_overdue(const JobsCursor *cursor, int64_t *late_us) {
  int64_t next_us;
  if (!tr_jobs_is_enabled(&host_of(cursor)->jobs, cursor->at)) return false;
  if (!tr_jobs_time_us(&host_of(cursor)->jobs, cursor->at, "next_run", &next_us)) return false;
  *late_us = cursor->now_us - next_us;
  return *late_us > 0;
}

/* Found only once per row, so that state and started_us of a row are of the same moment. */
static int find_state(JobsCursor *cursor, char **message) {
  TrRun run = TR_RUN_NONE;
  const char *id = tr_jobs_id(&host_of(cursor)->jobs, cursor->at);
  JobsTable *table = (JobsTable *)cursor->base.pVtab;
  int64_t unused;
  if (cursor->state) return SQLITE_OK;
  int code =
      id ? tr_checkpoint_look(host_of(cursor)->jobs.state_fd, id, &table->poll, &run, &cursor->started_us, message)
         : SQLITE_OK;
  if (run != TR_RUN_ALIVE) cursor->started_us = TR_UNKNOWN_US;
  if (run == TR_RUN_ALIVE) {
    cursor->state = "running";
  } else if (run == TR_RUN_DEAD) {
    cursor->state = "died";
  } else if (!tr_jobs_is_enabled(&host_of(cursor)->jobs, cursor->at)) {
    cursor->state = "paused";
  } else if (is_next_run_unreadable(cursor)) {
    cursor->state = "unknown";
  } else {
    cursor->state = is_overdue(cursor, &unused) ? "overdue" : "idle";
  }
  return code;
}

static void result_time_us(sqlite3_context *context, const JobsCursor *cursor, const char *member) {
  int64_t time_us;
  if (tr_jobs_time_us(&host_of(cursor)->jobs, cursor->at, member, &time_us)) sqlite3_result_int64(context, time_us);
}

/* Nothing, if the schedule is not `every N unit`. */
static int result_interval(sqlite3_context *context, const TrJson *job) {
  TrSchedule schedule;
  char *cause = NULL;
  int code = tr_schedule_of_job(job, &schedule, &cause);
  if (code == SQLITE_MISMATCH) code = cause ? SQLITE_DONE : SQLITE_NOMEM;
  sqlite3_free(cause);
  if (code == SQLITE_OK && schedule.interval_us && !schedule.is_single) {
    sqlite3_result_int64(context, schedule.interval_us);
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void orphan_column(sqlite3_context *context, const JobsCursor *cursor, int column) {
  const char *job_id = host_of(cursor)->orphans.name[cursor->at - host_of(cursor)->jobs.count];
  if (column == JOBS_JOB_ID) sqlite3_result_text(context, job_id, -1, SQLITE_TRANSIENT);
  if (column == JOBS_STATE) sqlite3_result_text(context, "orphaned", -1, SQLITE_STATIC);
}

static int job_column(sqlite3_context *context, JobsCursor *cursor, int column) {
  const TrJson *job = json_of(cursor);
  int64_t late_us;
  int code = SQLITE_OK;
  switch (column) {
  case JOBS_JOB_ID:
    sqlite3_result_text(context, tr_jobs_id(&host_of(cursor)->jobs, cursor->at), -1, SQLITE_TRANSIENT);
    break;
  case JOBS_NEXT_RUN_US: result_time_us(context, cursor, "next_run"); break;
  case JOBS_LAST_RUN_US: result_time_us(context, cursor, "last_run"); break;
  case JOBS_CREATED_US: result_time_us(context, cursor, "created_at"); break;
  case JOBS_OVERDUE_S:
    if (is_overdue(cursor, &late_us)) sqlite3_result_double(context, (double)late_us / 1e6);
    break;
  case JOBS_STATE:
    code = find_state(cursor, &cursor->base.pVtab->zErrMsg);
    if (code == SQLITE_OK) sqlite3_result_text(context, cursor->state, -1, SQLITE_STATIC);
    break;
  case JOBS_STARTED_US:
    code = find_state(cursor, &cursor->base.pVtab->zErrMsg);
    if (code == SQLITE_OK && cursor->started_us != TR_UNKNOWN_US) sqlite3_result_int64(context, cursor->started_us);
    break;
  case JOBS_IS_ENABLED: sqlite3_result_int(context, tr_jobs_is_enabled(&host_of(cursor)->jobs, cursor->at)); break;
  case JOBS_INTERVAL_US: code = result_interval(context, job); break;
  case JOBS_RECORD: tr_json_result_source(context, job); break;
  default: tr_json_result(context, tr_json_member(job, member_of_column[column])); break;
  }
  return code;
}

static int jobs_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  JobsCursor *cursor = (JobsCursor *)base;
  if (column == JOBS_HOST) {
    tr_host_jobs_result(context, host_of(cursor));
  } else if (!is_listed(cursor)) {
    orphan_column(context, cursor, column);
  } else if (tr_json_is_object(json_of(cursor))) {
    return job_column(context, cursor, column);
  } else if (column == JOBS_RECORD) {
    tr_json_result_source(context, json_of(cursor));
  }
  return SQLITE_OK;
}

int tr_jobs_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = jobs_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = jobs_connect,
      .xBestIndex = jobs_best_index,
      .xDisconnect = jobs_disconnect,
      .xDestroy = jobs_disconnect,
      .xOpen = jobs_open,
      .xClose = jobs_close,
      .xFilter = jobs_filter,
      .xNext = jobs_next,
      .xEof = jobs_eof,
      .xColumn = jobs_column,
      .xRowid = jobs_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_jobs", &module, connection, tr_connection_unref);
}
