/*
** threads.c - a host with many threads, for ThreadSanitizer: is anything of ours shared that should not be?
**
**   threads DIRECTORY SECONDS      (SCHEDULER_RESULTS_DIR is DIRECTORY too)
**
** Reads, writes, exports, prunes and fails at once: readers with a connection each, readers that share a serialized
** one, cursors closed in mid-scan, interrupts from another thread in mid-scan, INSERT through two connections, exports
** large enough for a writing thread, and a pruner; each scan of a large file with two helpers. What the queries answer
** is not judged here, only that each ends as it may. Linked with libtaskresults.a, so that all of it is instrumented.
** Exits 1, saying why, if a query ended otherwise.
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "taskresults.h"

static const char *directory;
static double seconds;
static atomic_int failures;

static const char *const reads[] = {
    "SELECT count(*), sum(success), max(time_us) FROM task_results",
    "SELECT length(output), length(error) FROM task_results WHERE error LIKE '%e%' ORDER BY rowid DESC LIMIT 500",
    "SELECT count(*), sum(length(reason)) FROM task_rejects",
    "SELECT count(*), sum(terminated) FROM task_lines WHERE offset >= 5000",
    "SELECT sum(runs), sum(failures) FROM task_stats",
    "SELECT signature, times FROM task_errors",
    "SELECT count(*) FROM task_logs",
    "SELECT count(*) FROM task_jobs",
    "SELECT count(*), sum(duration_s) FROM task_runs",
    "SELECT count(*) FROM task_results WHERE job_id IN ('small-1', 'small-2', 'large-0')",
    "SELECT taskresults_export_csv('/dev/null', 'SELECT * FROM task_results LIMIT 2000')",
    "SELECT * FROM missing.task_results",
    "SELECT abs(-9223372036854775808) FROM task_results",
};
#define READS (int)(sizeof reads / sizeof *reads)

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int is_over(double start) {
  return now_s() - start > seconds;
}

static sqlite3 *open_connection(void) {
  sqlite3 *db;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(":memory:", &db, flags, NULL) != SQLITE_OK) abort();
  if (sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK) abort();
  sqlite3_busy_timeout(db, 10000);
  return db;
}

/* What interrupts xBestIndex, SQLite reports as a plain error with these words. Other threads use the connection. */
static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement) {
  sqlite3_mutex_enter(sqlite3_db_mutex(db));
  int code = sqlite3_prepare_v2(db, sql, -1, statement, NULL);
  if (code == SQLITE_ERROR && strcmp(sqlite3_errmsg(db), "interrupted") == 0) code = SQLITE_INTERRUPT;
  sqlite3_mutex_leave(sqlite3_db_mutex(db));
  return code;
}

/* Steps at most `most` rows; less than all of them leaves the cursor in mid-scan when it is finalized. */
static int run(sqlite3 *db, const char *sql, int most) {
  sqlite3_stmt *statement = NULL;
  int code = prepare(db, sql, &statement);
  if (code == SQLITE_OK) {
    while (most-- > 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) sqlite3_column_text(statement, 0);
  }
  sqlite3_finalize(statement);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static void expect(sqlite3 *db, int code, const char *sql, int may_fail) {
  if (code == SQLITE_OK || code == SQLITE_INTERRUPT || may_fail) return;
  fprintf(stderr, "%s: %d, %s\n", sql, code, sqlite3_errmsg(db));
  failures++;
}

static void read_on(sqlite3 *db, double start, unsigned seed) {
  for (unsigned i = seed; !is_over(start); i++) {
    int which = (int)(i % READS);
    int code = run(db, reads[which], i % 3 == 0 ? 7 : 1 << 30);
    expect(db, code, reads[which], which >= READS - 2); /* the last two must fail */
    if (i % 5 == 0) {
      code = run(db, "SELECT output FROM task_results", 1 + (int)(i % 90));
      expect(db, code, "a scan that is left", 0);
    }
  }
}

static void *read_alone(void *seed) {
  double start = now_s();
  do {
    sqlite3 *db = open_connection();
    read_on(db, now_s() - seconds + 0.5, *(unsigned *)seed);
    if (sqlite3_close(db) != SQLITE_OK) failures++;
  } while (!is_over(start));
  return NULL;
}

static sqlite3 *shared;

static void *read_shared(void *seed) {
  read_on(shared, now_s(), *(unsigned *)seed);
  return NULL;
}

static void *interrupt_often(void *unused) {
  struct timespec pause = {.tv_nsec = 20000000};
  (void)unused;
  for (double start = now_s(); !is_over(start);) {
    nanosleep(&pause, NULL);
    sqlite3_interrupt(shared);
  }
  return NULL;
}

static void *write_often(void *seed) {
  static const char insert[] =
      "INSERT INTO task_results(job_id, success, output) VALUES ('written', 1, 'x'), ('small-1', 0, 'y')";
  sqlite3 *db = open_connection();
  expect(db, run(db, "SELECT taskresults_writable(1)", 1), "writable", 0);
  unsigned i = *(unsigned *)seed;
  for (double start = now_s(); !is_over(start); i++) {
    expect(db, run(db, "BEGIN", 1), "BEGIN", 0);
    expect(db, run(db, insert, 1), insert, 0);
    expect(db, run(db, i % 4 == 0 ? "ROLLBACK" : "COMMIT", 1), "COMMIT", 0);
  }
  if (sqlite3_close(db) != SQLITE_OK) failures++;
  return NULL;
}

/* A prune by time of a large file reads it with a second thread; busy is an answer, not an error. */
static void *prune_often(void *unused) {
  static const char by_time[] = "SELECT taskresults_prune('large-0', 'since', '2026-01-01T00:00:01Z', 'count', 1)";
  static const char last[] = "SELECT taskresults_prune('written', 'keep', 100)";
  sqlite3 *db = open_connection();
  (void)unused;
  for (double start = now_s(); !is_over(start);) {
    expect(db, run(db, by_time, 1), by_time, 0);
    expect(db, run(db, last, 1), last, 1); /* no file yet is an error */
  }
  if (sqlite3_close(db) != SQLITE_OK) failures++;
  return NULL;
}

/* More than 4 MiB, so that a thread writes it; an interrupt from another connection does not reach it. */
static void *export_often(void *unused) {
  char sql[800];
  sqlite3 *db = open_connection();
  (void)unused;
  snprintf(sql, sizeof sql, "SELECT taskresults_export_csv('%s/out.csv', 'SELECT * FROM task_results') > 10000",
           directory);
  for (double start = now_s(); !is_over(start);) expect(db, run(db, sql, 1), sql, 0);
  if (sqlite3_close(db) != SQLITE_OK) failures++;
  return NULL;
}

static void write_job(const char *job, long bytes) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s.jsonl", directory, job);
  FILE *file = fopen(path, "w");
  if (file == NULL) abort();
  for (int i = 0; ftell(file) < bytes; i++) {
    fprintf(
        file,
        "{\"timestamp\": \"2026-01-01T%02d:%02d:%02d.5Z\", \"job_id\": \"%s\", \"job_name\": \"%s\", \"success\": %s, "
        "\"output\": \"line %d\\nof text\", \"error\": \"%s\"}\n%s",
        i / 3600 % 24, i / 60 % 60, i % 60, job, job, i % 3 ? "true" : "false", i, i % 3 ? "" : "it failed, 42 times",
        i % 1000 == 999 ? "torn {\n" : "");
  }
  fclose(file);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  directory = argv[1];
  seconds = strtod(argv[2], NULL);
  setenv("TASKRESULTS_THREADS", "3", 1); /* on a machine with one processor, too */
  char name[32];
  for (int i = 0; i < 2; i++) snprintf(name, sizeof name, "large-%d", i), write_job(name, 5 << 20);
  for (int i = 0; i < 60; i++) snprintf(name, sizeof name, "small-%d", i), write_job(name, 3000);

  void *(*const work[])(void *) = {read_alone,  read_alone,  read_shared,  read_shared,    write_often,
                                   write_often, prune_often, export_often, interrupt_often};
  enum { THREADS = sizeof work / sizeof *work };
  pthread_t threads[THREADS];
  unsigned seeds[THREADS];
  shared = open_connection();
  /* An interrupt in sqlite3_declare_vtab() comes out as SQLITE_ERROR; a connection declares a table once. */
  for (int i = 0; i < READS; i++) run(shared, reads[i], 0);
  for (unsigned i = 0; i < THREADS; i++) {
    seeds[i] = 5 * i;
    if (pthread_create(&threads[i], NULL, work[i], &seeds[i]) != 0) abort();
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  if (sqlite3_close(shared) != SQLITE_OK) failures++;
  return failures ? 1 : 0;
}
