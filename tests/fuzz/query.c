/*
** query.c - fuzz target: the whole table through SQL. The input is a job's file; whatever it holds, each query gives what
** it gives when nothing is pushed down (a unary + keeps SQLite from offering the condition; it takes the column's affinity
** too, so there is none of that here), and the file's lines are records, rejects or blank.
*/
#include "tr.h"

#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

static sqlite3 *db;
static char directory[] = "/tmp/taskresults-fuzz.XXXXXX";
static char path[64];

static void remove_directory(void) {
  sqlite3_close(db);
  unlink(path);
  rmdir(directory);
}

static void set_up(void) {
  char *message = NULL;
  if (db) return;
  MUST(mkdtemp(directory) != NULL);
  snprintf(path, sizeof path, "%s/job.jsonl", directory);
  atexit(remove_directory);
  setenv("SCHEDULER_RESULTS_DIR", directory, 1);
  MUST(sqlite3_open(":memory:", &db) == SQLITE_OK);
  MUST(sqlite3_taskresults_init(db, &message, NULL) == SQLITE_OK);
}

/* The one value of a query, for sqlite3_free(). */
static char *value_of(const char *sql) {
  sqlite3_stmt *statement = NULL;
  MUST(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW) fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  MUST(code == SQLITE_ROW);
  char *value = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
  MUST(value != NULL);
  sqlite3_finalize(statement);
  return value;
}

static void check_same(const char *pushed, const char *unpushed) {
  char *a = value_of(pushed), *b = value_of(unpushed);
  if (strcmp(a, b) != 0) fprintf(stderr, "%s\n  %s\n%s\n  %s\n", pushed, a, unpushed, b);
  MUST(strcmp(a, b) == 0);
  sqlite3_free(a);
  sqlite3_free(b);
}

#define ROWIDS(condition) "SELECT group_concat(rowid) FROM (SELECT rowid FROM task_results WHERE " condition ")"

static void check_pushdown(void) {
  check_same(ROWIDS("success = 0"), ROWIDS("+success = 0"));
  check_same(ROWIDS("success IS NOT 1"), ROWIDS("+success IS NOT 1"));
  check_same(ROWIDS("success IN (0, 7)"), ROWIDS("+success IN (0, 7)"));
  check_same(ROWIDS("success IS NULL"), ROWIDS("+success IS NULL"));
  check_same(ROWIDS("success > 0.5"), ROWIDS("+success > 0.5"));
  check_same(ROWIDS("timestamp >= '2026-02'"), ROWIDS("+timestamp >= '2026-02'"));
  check_same(ROWIDS("timestamp < '2026-02-15T01:44:15Z'"), ROWIDS("+timestamp < '2026-02-15T01:44:15Z'"));
  check_same(ROWIDS("time_us >= 1771119855000000"), ROWIDS("+time_us >= 1771119855000000"));
  check_same(ROWIDS("time_us < 1771119855000000.5"), ROWIDS("+time_us < 1771119855000000.5"));
  check_same("SELECT group_concat(rowid) FROM (SELECT rowid FROM task_results ORDER BY rowid DESC)",
             "SELECT group_concat(rowid) FROM (SELECT rowid FROM task_results ORDER BY +rowid DESC)");
}

/* Columns of every kind are read; a row asked for by its rowid is the same; nothing of the file is left out. */
static void check_rows(const char *lines) {
  static const char digest[] =
      "SELECT group_concat(quote(timestamp) || quote(job_name) || quote(success) || quote(output)"
      " || quote(error) || quote(time_us) || quote(offset) || quote(record)) FROM %s";
  char *all = sqlite3_mprintf(digest, "task_results"), *each;
  each = sqlite3_mprintf(digest, "(SELECT rowid AS place FROM task_results) CROSS JOIN task_results ON "
                                 "task_results.rowid = place");
  check_same(all, each);
  sqlite3_free(all);
  sqlite3_free(each);
  check_same("SELECT (SELECT count(*) FROM task_results) + (SELECT count(*) FROM task_rejects)", lines);
}

static bool is_blank(const uint8_t *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  set_up();
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  close(fd);
  unsigned count = 0;
  for (size_t from = 0; from < size;) {
    const uint8_t *newline = memchr(data + from, '\n', size - from);
    size_t to = newline ? (size_t)(newline - data) : size;
    count += !is_blank(data + from, to - from);
    from = to + 1;
  }
  char lines[32];
  snprintf(lines, sizeof lines, "SELECT %u", count);
  check_rows(lines);
  check_pushdown();
  return 0;
}
