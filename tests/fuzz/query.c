/*
** query.c - fuzz target: every table that reads a results file, through SQL, each against the others. The input is the
** file of a job.
**
** One pass over task_results gives the rows, another one, without any condition, says which of these rows satisfy each
** condition: what SQLite computes by itself. Everything else has to agree with that: each condition pushed down, also
** with values of the file's own; the rows from the last to the first; one row by its rowid; task_rejects, which has the
** lines that are left; task_lines, which has all of them; task_stats and task_errors, of all the rows and of those
** within a window of time. Some inputs are read by two threads.
**
** Statements are prepared once; the file is on a file system in memory, where there is one.
**
** Aimed at ext/scan/scan.c, ext/scan/workers.c, ext/query/filter.c, ext/query/like_phrase.c, ext/tables/time_window.c,
** ext/tables/results.c, ext/tables/rejects.c, ext/tables/lines.c, ext/tables/stats.c, ext/figures/job_figures.c,
** ext/tables/errors.c, ext/figures/error_groups.c, ext/figures/signature.c and ext/read/value.c.
*/
#include "tr.h"

#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

#define SHORT_MAX_LINE 64 /* bytes: so that some lines are too long */
#define ROWS_BY_ROWID 3   /* of each input: each is a pass */
#define END_OF_9999_US INT64_C(253402300800000000)

/* ?1, ?2 and ?3 are timestamp, success and time_us of a row of the input, ?4 and ?5 patterns for parts of its error and
** its output. */
static const char *const condition[] = {
    "success = 0",
    "success IS NOT 1",
    "success IN (0, ?2)",
    "success IS ?2",
    "success > 0.5",
    "ok = 0",
    "ok IS NOT ?2",
    "ok IN (1, ?2) AND time_us > ?3",
    "timestamp = ?1",
    "timestamp >= ?1",
    "timestamp < '2026-02-15T01:44:15Z'",
    "time_us > ?3",
    "time_us < 1771119855000000.5",
    "success IS NULL AND timestamp <= ?1 AND time_us <= ?3",
    "error LIKE ?4",
    "output LIKE ?5 AND error LIKE '%a_b%'",
};
#define CONDITIONS (sizeof condition / sizeof *condition)

/* What the value tells of `ok`; NULL where a text and an array, or null and NaN, look alike. */
#define TOLD_BY_VALUE                                                                                                  \
  "CASE typeof(success) WHEN 'text' THEN CASE WHEN success = '' THEN 0 WHEN success IN ('[]', '{}') THEN NULL "        \
  "ELSE 1 END ELSE success <> 0 END"

#define ROW_SQL                                                                                                        \
  "SELECT rowid, offset, time_us, ok, " TOLD_BY_VALUE                                                                  \
  ", coalesce(taskresults_signature(error), ''), timestamp, error, "                                                   \
  "record, success, '%' || substr(error, 2, 4) || '%', '%' || substr(output, 3) || '%', job_name, output "             \
  "FROM task_results"
enum {
  ROW_ROWID,
  ROW_OFFSET,
  ROW_TIME_US,
  ROW_IS_SUCCESS,
  ROW_TOLD_BY_VALUE,
  ROW_SIGNATURE,
  ROW_TIMESTAMP,
  ROW_ERROR,
  ROW_RECORD,
  ROW_SUCCESS,
  ROW_ERROR_PATTERN,
  ROW_OUTPUT_PATTERN
};

#define STATS_SQL                                                                                                      \
  "SELECT runs, successes, failures, rejects, streak, longest_failure_streak, mtbf_s, mttr_s, last_error, "            \
  "first_run, last_run, last_success, last_failure, first_run_us, last_run_us, last_success_us, last_failure_us "      \
  "FROM task_stats(?1, ?2)"
enum {
  STATS_RUNS,
  STATS_SUCCESSES,
  STATS_FAILURES,
  STATS_REJECTS,
  STATS_STREAK,
  STATS_LONGEST,
  STATS_MTBF,
  STATS_MTTR,
  STATS_LAST_ERROR,
  STATS_FIRST_RUN,
  STATS_LAST_RUN,
  STATS_LAST_SUCCESS,
  STATS_LAST_FAILURE,
  STATS_FIRST_RUN_US /* and three more, in the same order */
};

typedef struct Row {
  int64_t rowid, offset, time_us;
  bool is_success, timed;
  unsigned holds;                              /* bit i: condition[i] */
  uint64_t signature, timestamp, error, whole; /* sums of values */
} Row;

static struct {
  sqlite3 *db;
  sqlite3_stmt *rows, *row, *truths, *pushed[CONDITIONS], *backwards, *rejects, *lines, *stats, *errors;
  char directory[64], path[96];
  int fd;
} host;

/* The input, and what the model has computed from it. */
static const uint8_t *file;
static size_t file_size, max_line;
static Row *row;
static size_t row_count, row_room;
static int64_t reject_count;

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void tear_down(void) {
  sqlite3_stmt *const statement[] = {host.rows,    host.row,   host.truths, host.backwards,
                                     host.rejects, host.lines, host.stats,  host.errors};
  for (size_t i = 0; i < sizeof statement / sizeof *statement; i++) sqlite3_finalize(statement[i]);
  for (size_t i = 0; i < CONDITIONS; i++) sqlite3_finalize(host.pushed[i]);
  sqlite3_close(host.db);
  close(host.fd);
  unlink(host.path);
  rmdir(host.directory);
  free(row);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(host.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  if (code != SQLITE_OK) fprintf(stderr, "%s\n", sqlite3_errmsg(host.db));
  MUST(code == SQLITE_OK);
  return statement;
}

static void prepare_all(void) {
  char sql[4096], *end = sql + snprintf(sql, sizeof sql, "SELECT rowid");
  for (size_t i = 0; i < CONDITIONS; i++) end += snprintf(end, (size_t)(sql + sizeof sql - end), ", %s", condition[i]);
  snprintf(end, (size_t)(sql + sizeof sql - end), " FROM task_results");
  host.truths = prepare(sql);
  for (size_t i = 0; i < CONDITIONS; i++) {
    snprintf(sql, sizeof sql, "SELECT rowid FROM task_results WHERE %s", condition[i]);
    host.pushed[i] = prepare(sql);
  }
  host.rows = prepare(ROW_SQL);
  host.row = prepare(ROW_SQL " WHERE rowid = ?1");
  host.backwards = prepare("SELECT rowid FROM task_results('job') ORDER BY rowid DESC");
  host.rejects = prepare("SELECT offset, length, line, reason FROM task_rejects");
  host.lines = prepare("SELECT offset, reason, terminated FROM task_lines WHERE offset >= ?1");
  host.stats = prepare(STATS_SQL);
  host.errors = prepare("SELECT rowid, signature, times, first_run_us, last_run_us FROM task_errors(?1, ?2)");
}

static void set_up(void) {
  char *message = NULL;
  const char *parent = getenv("TMPDIR");
  if (host.db) return;
  if (parent == NULL) parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(host.directory, sizeof host.directory, "%s/taskresults-fuzz.XXXXXX", parent);
  MUST(mkdtemp(host.directory) != NULL);
  snprintf(host.path, sizeof host.path, "%s/job.jsonl", host.directory);
  host.fd = open(host.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  MUST(host.fd >= 0);
  setenv("SCHEDULER_RESULTS_DIR", host.directory, 1);
  MUST(sqlite3_open(":memory:", &host.db) == SQLITE_OK);
  MUST(sqlite3_taskresults_init(host.db, &message, NULL) == SQLITE_OK);
  prepare_all();
  atexit(tear_down);
}

static bool next(sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fprintf(stderr, "%s\n", sqlite3_errmsg(host.db));
  MUST(code == SQLITE_ROW || code == SQLITE_DONE);
  if (code == SQLITE_DONE) sqlite3_reset(statement);
  return code == SQLITE_ROW;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

#define SUM_OF_NOTHING UINT64_C(14695981039346656037)

static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
  return sum;
}

/* The value's type and bytes. */
static uint64_t add_value(uint64_t sum, sqlite3_stmt *statement, int column) {
  int type = sqlite3_column_type(statement, column);
  sum = add_bytes(sum, &type, sizeof type);
  if (type == SQLITE_INTEGER) {
    int64_t integer = sqlite3_column_int64(statement, column);
    return add_bytes(sum, &integer, sizeof integer);
  }
  if (type == SQLITE_FLOAT) {
    double real = sqlite3_column_double(statement, column);
    return add_bytes(sum, &real, sizeof real);
  }
  const void *bytes = sqlite3_column_blob(statement, column);
  return add_bytes(sum, bytes, (size_t)sqlite3_column_bytes(statement, column));
}

static uint64_t sum_of(sqlite3_stmt *statement, int column) {
  return add_value(SUM_OF_NOTHING, statement, column);
}

static uint64_t sum_of_null(void) {
  int type = SQLITE_NULL;
  return add_bytes(SUM_OF_NOTHING, &type, sizeof type);
}

static bool is_null(sqlite3_stmt *statement, int column) {
  return sqlite3_column_type(statement, column) == SQLITE_NULL;
}

/* --- the model ---------------------------------------------------------------------------------------------------- */

static Row *new_row(void) {
  if (row_count == row_room) {
    row_room = row_room ? 2 * row_room : 64;
    row = realloc(row, row_room * sizeof *row);
    MUST(row != NULL);
  }
  return &row[row_count++];
}

static Row read_row(sqlite3_stmt *statement) {
  Row out = {.rowid = sqlite3_column_int64(statement, ROW_ROWID),
             .offset = sqlite3_column_int64(statement, ROW_OFFSET),
             .timed = !is_null(statement, ROW_TIME_US),
             .time_us = sqlite3_column_int64(statement, ROW_TIME_US),
             .is_success = sqlite3_column_int(statement, ROW_IS_SUCCESS),
             .signature = sum_of(statement, ROW_SIGNATURE),
             .timestamp = sum_of(statement, ROW_TIMESTAMP),
             .error = sum_of(statement, ROW_ERROR),
             .whole = SUM_OF_NOTHING};
  MUST(is_null(statement, ROW_TOLD_BY_VALUE) || sqlite3_column_int(statement, ROW_TOLD_BY_VALUE) == out.is_success);
  for (int i = 0; i < sqlite3_column_count(statement); i++) out.whole = add_value(out.whole, statement, i);
  return out;
}

/* Is the value the bytes of a line of the file, all of it? */
static void check_line(sqlite3_stmt *statement, int column, int64_t offset) {
  size_t from = (size_t)offset, length = (size_t)sqlite3_column_bytes(statement, column);
  const void *text = sqlite3_column_blob(statement, column);
  MUST(offset >= 0 && from + length <= file_size && (from == 0 || file[from - 1] == '\n'));
  MUST(length == 0 || memcmp(text, file + from, length) == 0);
  MUST(from + length == file_size || file[from + length] == '\n');
}

static void read_rows(void) {
  row_count = 0;
  while (next(host.rows)) {
    Row *fresh = new_row();
    *fresh = read_row(host.rows);
    check_line(host.rows, ROW_RECORD, fresh->offset);
    MUST(row_count == 1 || (fresh->offset > fresh[-1].offset && fresh->rowid > fresh[-1].rowid));
  }
}

static void read_truths(void) {
  size_t at = 0;
  for (; next(host.truths); at++) {
    MUST(at < row_count && row[at].rowid == sqlite3_column_int64(host.truths, 0));
    for (int i = 0; i < (int)CONDITIONS; i++) row[at].holds |= (unsigned)sqlite3_column_int(host.truths, i + 1) << i;
  }
  MUST(at == row_count);
}

/* --- task_results, in other ways ---------------------------------------------------------------------------------- */

static void bind_values(sqlite3_stmt *statement) {
  static const int column[] = {ROW_TIMESTAMP, ROW_SUCCESS, ROW_TIME_US, ROW_ERROR_PATTERN, ROW_OUTPUT_PATTERN};
  for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++) {
    sqlite3_bind_value(statement, i + 1, sqlite3_column_value(host.row, column[i]));
  }
}

/* The values are those of a row in the middle, which is read alone. */
static void bind_conditions(void) {
  if (row_count == 0) return;
  sqlite3_bind_int64(host.row, 1, row[row_count / 2].rowid);
  MUST(next(host.row));
  bind_values(host.truths);
  for (size_t i = 0; i < CONDITIONS; i++) bind_values(host.pushed[i]);
  MUST(!next(host.row));
}

static void check_pushed(size_t which) {
  size_t at = 0;
  while (next(host.pushed[which])) {
    int64_t rowid = sqlite3_column_int64(host.pushed[which], 0);
    while (at < row_count && !(row[at].holds >> which & 1)) at++;
    if (at == row_count || row[at].rowid != rowid) fprintf(stderr, "WHERE %s\n", condition[which]);
    MUST(at < row_count && row[at].rowid == rowid);
    at++;
  }
  while (at < row_count && !(row[at].holds >> which & 1)) at++;
  if (at < row_count) fprintf(stderr, "WHERE %s\n", condition[which]);
  MUST(at == row_count);
}

static void check_backwards(void) {
  size_t left = row_count;
  while (next(host.backwards)) {
    MUST(left > 0 && sqlite3_column_int64(host.backwards, 0) == row[left - 1].rowid);
    left--;
  }
  MUST(left == 0);
}

static void check_by_rowid(const Row *expected) {
  sqlite3_bind_int64(host.row, 1, expected->rowid);
  MUST(next(host.row) && read_row(host.row).whole == expected->whole);
  MUST(!next(host.row));
}

/* --- task_rejects ------------------------------------------------------------------------------------------------- */

static bool is_blank(size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    if (file[i] != ' ' && file[i] != '\t' && file[i] != '\r') return false;
  }
  return true;
}

static void check_reject(size_t from, size_t length) {
  MUST(next(host.rejects));
  MUST(sqlite3_column_int64(host.rejects, 0) == (int64_t)from);
  MUST(sqlite3_column_int64(host.rejects, 1) == (int64_t)length);
  MUST(is_null(host.rejects, 2) == (length > max_line));
  if (length <= max_line) check_line(host.rejects, 2, (int64_t)from);
  MUST(!is_null(host.rejects, 3));
}

/* Every line is a row, a reject, or blank. */
static void check_rejects(void) {
  size_t at = 0;
  reject_count = 0;
  for (size_t from = 0, to; from < file_size; from = to + 1) {
    const uint8_t *newline = memchr(file + from, '\n', file_size - from);
    to = newline ? (size_t)(newline - file) : file_size;
    if (at < row_count && row[at].offset == (int64_t)from) {
      at++;
    } else if (to - from > max_line || !is_blank(from, to)) {
      check_reject(from, to - from);
      reject_count++;
    }
  }
  MUST(at == row_count && !next(host.rejects));
}

/* --- task_lines --------------------------------------------------------------------------------------------------- */

/* From a third of the file on. */
static void check_lines(void) {
  size_t at = 0, bound = file_size / 3;
  sqlite3_bind_int64(host.lines, 1, (int64_t)bound);
  for (size_t from = 0, to; from < file_size; from = to + 1) {
    const uint8_t *newline = memchr(file + from, '\n', file_size - from);
    to = newline ? (size_t)(newline - file) : file_size;
    bool is_record = at < row_count && row[at].offset == (int64_t)from;
    at += is_record;
    if (from < bound || (!is_record && to - from <= max_line && is_blank(from, to))) continue;
    MUST(next(host.lines));
    MUST(sqlite3_column_int64(host.lines, 0) == (int64_t)from);
    MUST(is_null(host.lines, 1) == is_record);
    MUST(sqlite3_column_int(host.lines, 2) == (newline != NULL));
  }
  MUST(!next(host.lines));
}

/* --- task_stats and task_errors ----------------------------------------------------------------------------------- */

typedef struct Window {
  const Row *since, *until; /* their times; NULL: open */
} Window;

static bool is_within(const Window *window, const Row *at) {
  if (window->since == NULL && window->until == NULL) return true;
  if (!at->timed || (window->since && at->time_us < window->since->time_us)) return false;
  return window->until == NULL || at->time_us <= window->until->time_us;
}

/* A bound is a text where the time can be spelled as one, and else a number. */
static void bind_bound(sqlite3_stmt *statement, int parameter, const Row *bound) {
  char text[TR_TIMESTAMP_SIZE];
  if (bound == NULL) {
    sqlite3_bind_null(statement, parameter);
  } else if (bound->time_us >= 0 && bound->time_us < END_OF_9999_US) {
    tr_timestamp_format(bound->time_us, text);
    sqlite3_bind_text(statement, parameter, text, -1, SQLITE_TRANSIENT);
  } else {
    sqlite3_bind_int64(statement, parameter, bound->time_us);
  }
}

static void bind_window(sqlite3_stmt *statement, const Window *window) {
  bind_bound(statement, 1, window->since);
  bind_bound(statement, 2, window->until);
}

typedef struct Mean {
  double sum_us;
  int64_t count;
} Mean;

static void add_duration(Mean *mean, const Row *from, const Row *to) {
  if (from == NULL || !from->timed || !to->timed) return;
  if (to->time_us > from->time_us) mean->sum_us += (double)(to->time_us - from->time_us);
  mean->count++;
}

typedef struct Figures {
  int64_t runs, successes, streak, longest_failure_streak;
  const Row *first, *last, *last_success, *last_failure, *outage;
  Mean between, repair;
} Figures;

static void add_run(Figures *figures, const Row *run) {
  bool turns = figures->runs == 0 || figures->last->is_success != run->is_success;
  if (turns) figures->streak = 0;
  figures->streak += run->is_success ? 1 : -1;
  if (-figures->streak > figures->longest_failure_streak) figures->longest_failure_streak = -figures->streak;
  if (turns && !run->is_success) {
    add_duration(&figures->between, figures->outage, run);
    figures->outage = run;
  } else if (turns) {
    add_duration(&figures->repair, figures->outage, run);
  }
  if (figures->runs++ == 0) figures->first = run;
  figures->successes += run->is_success;
  figures->last = run;
  *(run->is_success ? &figures->last_success : &figures->last_failure) = run;
}

static void check_mean(int column, const Mean *mean) {
  MUST(is_null(host.stats, column) == (mean->count == 0));
  if (mean->count == 0) return;
  MUST(sqlite3_column_double(host.stats, column) == mean->sum_us / 1e6 / (double)mean->count);
}

/* The timestamp, and its time, of one of the rows. */
static void check_run(int column, const Row *run) {
  int time_column = column - STATS_FIRST_RUN + STATS_FIRST_RUN_US;
  MUST(sum_of(host.stats, column) == (run ? run->timestamp : sum_of_null()));
  MUST(is_null(host.stats, time_column) == !(run && run->timed));
  MUST(!(run && run->timed) || sqlite3_column_int64(host.stats, time_column) == run->time_us);
}

static void check_stats(const Window *window) {
  Figures figures = {0};
  for (size_t i = 0; i < row_count; i++) {
    if (is_within(window, &row[i])) add_run(&figures, &row[i]);
  }
  bind_window(host.stats, window);
  MUST(next(host.stats));
  MUST(sqlite3_column_int64(host.stats, STATS_RUNS) == figures.runs);
  MUST(sqlite3_column_int64(host.stats, STATS_SUCCESSES) == figures.successes);
  MUST(sqlite3_column_int64(host.stats, STATS_FAILURES) == figures.runs - figures.successes);
  MUST(sqlite3_column_int64(host.stats, STATS_REJECTS) == reject_count);
  MUST(sqlite3_column_int64(host.stats, STATS_STREAK) == figures.streak);
  MUST(sqlite3_column_int64(host.stats, STATS_LONGEST) == figures.longest_failure_streak);
  check_mean(STATS_MTBF, &figures.between);
  check_mean(STATS_MTTR, &figures.repair);
  MUST(sum_of(host.stats, STATS_LAST_ERROR) == (figures.last_failure ? figures.last_failure->error : sum_of_null()));
  check_run(STATS_FIRST_RUN, figures.first);
  check_run(STATS_LAST_RUN, figures.last);
  check_run(STATS_LAST_SUCCESS, figures.last_success);
  check_run(STATS_LAST_FAILURE, figures.last_failure);
  MUST(!next(host.stats));
}

/* The current row of task_errors: how often its kind occurred, from the first time on, which its rowid names. */
static int64_t check_kind(const Window *window) {
  int64_t times = 0, first_us = INT64_MAX, last_us = INT64_MIN;
  uint64_t signature = sum_of(host.errors, 1);
  for (size_t i = 0; i < row_count; i++) {
    if (row[i].is_success || row[i].signature != signature || !is_within(window, &row[i])) continue;
    MUST(times > 0 || row[i].rowid == sqlite3_column_int64(host.errors, 0));
    times++;
    if (row[i].timed && row[i].time_us < first_us) first_us = row[i].time_us;
    if (row[i].timed && row[i].time_us > last_us) last_us = row[i].time_us;
  }
  MUST(times > 0 && times == sqlite3_column_int64(host.errors, 2));
  bool timed = first_us <= last_us;
  MUST(is_null(host.errors, 3) == !timed && is_null(host.errors, 4) == !timed);
  MUST(!timed || sqlite3_column_int64(host.errors, 3) == first_us);
  MUST(!timed || sqlite3_column_int64(host.errors, 4) == last_us);
  return times;
}

static void check_errors(const Window *window) {
  int64_t failures = 0, last_rowid = -1;
  bind_window(host.errors, window);
  while (next(host.errors)) {
    failures -= check_kind(window);
    MUST(sqlite3_column_int64(host.errors, 0) > last_rowid);
    last_rowid = sqlite3_column_int64(host.errors, 0);
  }
  for (size_t i = 0; i < row_count; i++) failures += !row[i].is_success && is_within(window, &row[i]);
  MUST(failures == 0);
}

/* --- the target --------------------------------------------------------------------------------------------------- */

/* Some inputs are read with a short max_line, and some with a second thread: which, their size says. */
static void write_file(void) {
  MUST(ftruncate(host.fd, 0) == 0 && pwrite(host.fd, file, file_size, 0) == (ssize_t)file_size);
  setenv("TASKRESULTS_THREADS", file_size % 16 / 2 == 1 ? "2" : "1", 1);
  size_t wanted = file_size % 4 == 1 ? SHORT_MAX_LINE : TR_DEFAULT_MAX_LINE;
  if (wanted == max_line) return;
  char text[32];
  snprintf(text, sizeof text, "%zu", max_line = wanted);
  setenv("TASKRESULTS_MAX_LINE", text, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  set_up();
  setenv("TASKRESULTS_THREADS", size % 8 ? "1" : "2", 1); /* a thread for each query takes longer than the query */
  file = data;
  file_size = size;
  write_file();
  read_rows();
  bind_conditions();
  read_truths();
  for (size_t i = 0; i < CONDITIONS; i++) check_pushed(i);
  check_backwards();
  for (size_t i = 0; i < row_count && i < ROWS_BY_ROWID; i++) check_by_rowid(&row[row_count - 1 - i]);
  check_rejects();
  check_lines();

  Window all = {0}, some = {0};
  check_stats(&all);
  check_errors(&all);
  if (row_count == 0) return 0;
  if (row[row_count / 3].timed) some.since = &row[row_count / 3];
  if (row[row_count * 2 / 3].timed) some.until = &row[row_count * 2 / 3];
  check_stats(&some);
  check_errors(&some);
  return 0;
}
