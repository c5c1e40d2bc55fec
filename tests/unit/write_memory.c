/*
** write_memory.c - out of memory while writing and pruning: every allocation of every script below fails in turn, once
** alone and once with all that follow. Whatever the statement says then, each job's file is the old or the new one,
** whole (or, in the middle of a prune's drain, what is missing is in its leftover); no descriptor stays open, so no
** lock or lease is left; the connection can be used; and the next try on the same connection succeeds. Nothing leaks
** when the connection is closed.
*/
#include "tr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "allocator.h"

#define RECORD(time, success, output)                                                                                  \
  "{\"timestamp\": \"" time "\", \"job_id\": \"a\", \"job_name\": \"A\", \"success\": " success                        \
  ", \"output\": \"" output "\", \"error\": \"\"}\n"
#define LATE RECORD("2026-06-01T00:00:00Z", "true", "appended while it was pruned")

static char directory[] = "/tmp/taskresults-memory-XXXXXX";

static void path_of(const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", directory, name);
}

static void append_text(const char *name, const char *text) {
  char path[512];
  path_of(name, path);
  FILE *file = fopen(path, "ab");
  if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) abort();
}

/* --- system calls: a writer appends right before each exchange, and the exchange may be all that a prune gets to -- */

static bool appends_late, fails_after_exchange, is_exchanged;

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  if (appends_late) append_text("a.jsonl", LATE);
  appends_late = false;
  is_exchanged = true;
  return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int fsync(int fd) {
  (void)fd;
  if (!fails_after_exchange || !is_exchanged) return 0;
  errno = EIO;
  return -1;
}

int fdatasync(int fd) {
  (void)fd;
  return 0;
}

int nanosleep(const struct timespec *request, struct timespec *left) {
  static const struct timespec instant = {.tv_nsec = 50000};
  (void)request, (void)left;
  return (int)syscall(SYS_nanosleep, &instant, NULL);
}

/* --- the directory ------------------------------------------------------------------------------------------------ */

#define MOST_FILES 48

typedef struct Files {
  int count;
  bool has_leftover;
  struct {
    char name[64];
    char *text; /* owned */
  } file[MOST_FILES];
} Files;

static char *read_text(const char *name) {
  char path[512], *text = NULL;
  size_t length = 0;
  path_of(name, path);
  FILE *in = fopen(path, "rb"), *out = open_memstream(&text, &length);
  for (int c; in && (c = getc(in)) != EOF;) putc(c, out);
  if (in) fclose(in);
  fclose(out);
  return text;
}

static Files read_files(void) {
  Files files = {0};
  DIR *stream = opendir(directory);
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    if (tr_leftover_is_named(entry->d_name)) files.has_leftover = true;
    if (!tr_name_is_job_file(entry->d_name, strlen(entry->d_name)) || files.count == MOST_FILES) continue;
    snprintf(files.file[files.count].name, 64, "%s", entry->d_name);
    files.file[files.count++].text = read_text(entry->d_name);
  }
  closedir(stream);
  return files;
}

static const char *text_of(const Files *files, const char *name) {
  for (int i = 0; i < files->count; i++) {
    if (strcmp(files->file[i].name, name) == 0) return files->file[i].text;
  }
  return "";
}

static void free_files(Files *files) {
  for (int i = 0; i < files->count; i++) free(files->file[i].text);
}

#define OURS ".taskresults"
#define SHIPPED OURS "/shipped"

static void empty_folder(const char *path) {
  DIR *stream = opendir(path);
  for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) unlinkat(dirfd(stream), entry->d_name, 0);
  if (stream) closedir(stream);
}

static void empty_directory(void) {
  static const char *const folder[] = {SHIPPED, OURS "/prunes", OURS "/archive/a.jsonl", OURS "/archive", OURS};
  char path[512];
  for (int i = 0; i < 5; i++) {
    path_of(folder[i], path);
    empty_folder(path);
    rmdir(path);
  }
  empty_folder(directory);
}

static int count_open_files(void) {
  int count = 0;
  DIR *stream = opendir("/proc/self/fd");
  while (readdir(stream) != NULL) count++;
  closedir(stream);
  return count;
}

/* --- scenes: what is there before a script ------------------------------------------------------------------------ */

static int run(sqlite3 *db, const char *sql) {
  return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3 *open_connection(void) {
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK) abort();
  return db;
}

static void some_jobs(void) {
  append_text("a.jsonl", RECORD("2026-01-01T00:00:00Z", "true", "1") "not a record\n");
  append_text("a.jsonl", RECORD("2026-02-01T00:00:00Z", "false", "2") RECORD("soon", "true", "3"));
  append_text("a.jsonl", RECORD("2026-01-01T00:01:00Z", "true", "4") RECORD("2026-02-01T00:01:00Z", "true", "5"));
  append_text("b.jsonl", RECORD("2026-01-01T00:00:00Z", "false", "6") RECORD("2026-02-01T00:01:00Z", "true", "7"));
  appends_late = false;
}

/* A later cut keeps none of its records. */
static void jobs_of_the_past(void) {
  append_text("a.jsonl", RECORD("2026-01-01T00:00:00Z", "true", "1") "not a record\n");
  append_text("b.jsonl", RECORD("2026-01-01T00:00:00Z", "false", "2") RECORD("2026-02-01T00:01:00Z", "true", "3"));
  appends_late = false;
}

/* For rules that keep the late record and, a second time, no less than the first. */
static void some_jobs_and_a_writer(void) {
  some_jobs();
  appends_late = true;
}

/* A prune that ended just after the exchange; one record is only in its leftover. */
static void an_interrupted_prune(void) {
  some_jobs_and_a_writer();
  fails_after_exchange = true;
  is_exchanged = false;
  sqlite3 *db = open_connection();
  CHECK(run(db, "SELECT taskresults_prune('a', 'keep', 2)") == SQLITE_IOERR);
  sqlite3_close(db);
  fails_after_exchange = false;
}

/* With a segment, into which the next prune puts its lines. */
static void an_archived_job(void) {
  some_jobs();
  sqlite3 *db = open_connection();
  CHECK(run(db, "SELECT taskresults_prune('a', 'keep', 4, 'archive', 1)") == SQLITE_OK);
  sqlite3_close(db);
  appends_late = true;
}

static void an_interrupted_archiving_prune(void) {
  an_archived_job();
  fails_after_exchange = true;
  is_exchanged = false;
  sqlite3 *db = open_connection();
  CHECK(run(db, "SELECT taskresults_prune('a', 'keep', 2, 'archive', 1)") == SQLITE_IOERR);
  sqlite3_close(db);
  fails_after_exchange = false;
}

static void append_mark(const char *sink, const char *job) {
  struct stat found;
  char path[512], name[64], line[300];
  snprintf(name, sizeof name, "%s.jsonl", job);
  path_of(name, path);
  CHECK(stat(path, &found) == 0);
  snprintf(line, sizeof line, "{\"file\":\"%s\",\"dev\":%llu,\"inode\":\"%llu\",\"end\":%lld}\n", name,
           (unsigned long long)found.st_dev, (unsigned long long)found.st_ino, (long long)found.st_size);
  append_text(sink, line);
}

/* Two sinks have read both jobs to their ends. Other jobs have marks, too, and earlier prunes have moved lines. */
static void some_jobs_and_sinks(void) {
  char path[512], line[300];
  some_jobs_and_a_writer();
  path_of(OURS, path);
  CHECK(mkdir(path, 0700) == 0);
  path_of(SHIPPED, path);
  CHECK(mkdir(path, 0700) == 0);
  append_text(SHIPPED "/one.jsonl", "{\"taskresults_marks\":1}\n");
  append_text(SHIPPED "/two.jsonl", "{\"taskresults_marks\":1}\n");
  for (int i = 0; i < 9; i++) { /* the lists grow on the way */
    snprintf(line, sizeof line, "{\"file\":\"%d.jsonl\",\"dev\":1,\"inode\":1,\"end\":1", i);
    append_text(SHIPPED "/one.jsonl", line);
    append_text(SHIPPED "/one.jsonl", "}\n");
    append_text(SHIPPED "/moves.1", line);
    append_text(SHIPPED "/moves.1", ",\"new_inode\":2,\"new_end\":0}\n");
  }
  append_mark(SHIPPED "/one.jsonl", "a");
  append_mark(SHIPPED "/two.jsonl", "a");
  append_mark(SHIPPED "/one.jsonl", "b");
  append_mark(SHIPPED "/two.jsonl", "b");
}

/* --- scripts ------------------------------------------------------------------------------------------------------ */

typedef struct Case {
  void (*scene)(void);
  const char *setup;  /* SQL for each connection, with memory */
  const char *script; /* SQL, without */
  bool inserts;       /* each further run of the script adds what the first one did; else it changes nothing more */
  int archived;       /* not 0: so many records are in the archive and the file of the job `a` in the end */
} Case;

static int take_count(void *count, int columns, char **value, char **names) {
  (void)columns, (void)names;
  *(int *)count = atoi(value[0]);
  return 0;
}

/* And no pending segment is left. */
static bool are_archived(sqlite3 *db, int records) {
  char path[512];
  int count = 0;
  bool is_pending = false;
  path_of(OURS "/archive/a.jsonl", path);
  DIR *stream = opendir(path);
  for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) {
    is_pending = is_pending || strstr(entry->d_name, ".pending-");
  }
  if (stream) closedir(stream);
  int code = sqlite3_exec(db, "SELECT count(*) FROM task_history('a')", take_count, &count, NULL);
  return code == SQLITE_OK && count == records && !is_pending;
}

/* Is the file old or new? */
static bool is_whole(const char *text, const char *old, const char *new) {
  return strcmp(text, old) == 0 || strcmp(text, new) == 0;
}

static bool is_grown(const char *text, const char *from, const char *old, const char *new) {
  size_t length = strlen(from);
  return strncmp(text, from, length) == 0 && strcmp(text + length, new + strlen(old)) == 0;
}

/* The script without memory, then again with it. False: something is wrong. */
static bool run_twice(const Case *this, const Files *old, const Files *new, int expected) {
  bool fine = true;
  sqlite3 *db = open_connection();
  fine = fine && run(db, this->setup) == SQLITE_OK;
  int open_files = count_open_files();
  armed = true;
  int code = run(db, this->script);
  armed = false;
  fine = fine && (code == expected || (has_failed && (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)));
  if (!sqlite3_get_autocommit(db)) fine = run(db, "ROLLBACK") == SQLITE_OK && fine;
  Files between = read_files();
  for (int i = 0; i < new->count; i++) {
    const char *name = new->file[i].name, *after = new->file[i].text, *text = text_of(&between, name);
    fine = fine && (between.has_leftover || is_whole(text, text_of(old, name), after));
    if (code == SQLITE_OK) fine = fine && strcmp(text, after) == 0;
  }
  fine = fine && count_open_files() == open_files && run(db, this->script) == expected;
  Files end = read_files();
  for (int i = 0; i < new->count; i++) {
    const char *name = new->file[i].name, *after = new->file[i].text, *text = text_of(&end, name);
    fine = fine && (this->inserts ? is_grown(text, text_of(&between, name), text_of(old, name), after)
                                  : strcmp(text, after) == 0);
  }
  fine = fine && (this->archived == 0 || are_archived(db, this->archived));
  fine = sqlite3_close(db) == SQLITE_OK && fine && !end.has_leftover;
  free_files(&between);
  free_files(&end);
  return fine;
}

/* The code that the script ends with when nothing fails. */
static int fail_each_allocation(const Case *this) {
  empty_directory();
  this->scene();
  Files old = read_files();
  sqlite3 *db = open_connection();
  CHECK(run(db, this->setup) == SQLITE_OK);
  int expected = run(db, this->script);
  sqlite3_close(db);
  Files new = read_files();
  long long before = outstanding;
  for (int on = 0; on < 2; on++) {
    has_failed = true;
    for (long n = first_allocation(); has_failed; n += allocation_stride()) {
      empty_directory();
      this->scene();
      arm(n, on);
      armed = false;
      bool fine = run_twice(this, &old, &new, expected) && outstanding == before;
      if (fine) continue;
      printf("# allocation %ld%s, %lld bytes left, in: %s\n", n, on ? " and on" : "", outstanding - before,
             this->script);
      CHECK(fine);
      outstanding = before;
    }
  }
  free_files(&old);
  free_files(&new);
  return expected;
}

#define WRITABLE "SELECT taskresults_writable(1)"
#define INTO(table) "INSERT INTO " table "(timestamp, job_id, success, output) "
#define ROW(job, output) INTO("task_results") "VALUES ('2026-03-01T00:00:00Z', '" job "', 1, '" output "'); "
#define NUMBERS "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24) "

static int insert(const char *setup, const char *script) {
  return fail_each_allocation(&(Case){some_jobs, setup, script, true, 0});
}

static int prune(void (*scene)(void), const char *script) {
  return fail_each_allocation(&(Case){scene, "", script, false, 0});
}

static void inserts(void) {
  CHECK(insert(WRITABLE, ROW("a", "one")) == SQLITE_OK);
  CHECK(insert(WRITABLE, "BEGIN; " ROW("a", "one") ROW("new", "two") ROW("a", "three") "COMMIT") == SQLITE_OK);
  CHECK(insert(WRITABLE, NUMBERS INTO("task_results") "SELECT '2026-03-01T00:00:00Z', 'job-' || (i % 18), 1, "
                                                      "hex(zeroblob(i * 20)) FROM n") == SQLITE_OK);
  CHECK(insert("PRAGMA encoding = 'UTF-16'; " WRITABLE, ROW("a", "\xc3\xa9") ROW("b", "it''s")) == SQLITE_OK);
}

static void inserts_through_a_table_with_arguments(void) {
  char setup[256];
  snprintf(setup, sizeof setup, "CREATE VIRTUAL TABLE temp.r USING task_results(dir='%s', sync=data)", directory);
  CHECK(insert(setup, "BEGIN; " INTO("r") "VALUES ('2026-03-01', 'a', 0, 12.5); COMMIT") == SQLITE_CONSTRAINT);
  CHECK(insert(setup, INTO("r") "VALUES ('2026-03-01T00:00', 'a', 0, 12.5) RETURNING *") == SQLITE_OK);
}

static void savepoints(void) {
  CHECK(
      insert(WRITABLE,
             "BEGIN; " ROW("a", "1") "SAVEPOINT s; " ROW("b", "2") "SAVEPOINT t; " ROW("c", "3") "ROLLBACK TO t; " ROW(
                 "d", "4") "RELEASE t; ROLLBACK TO s; " ROW("a", "5") "RELEASE s; COMMIT") == SQLITE_OK);
  CHECK(insert(WRITABLE, "SAVEPOINT s; " ROW("a", "1") "SAVEPOINT t; " ROW("a", "2") "ROLLBACK TO s; " ROW(
                             "b", "3") "RELEASE s") == SQLITE_OK);
  CHECK(insert(WRITABLE, "BEGIN; " ROW("a", "1") ROW("b", "2") "ROLLBACK") == SQLITE_OK);
}

/* The row that fails takes its statement's rows with it, and not those of the transaction. */
static void statements_that_fail(void) {
  CHECK(insert(WRITABLE,
               NUMBERS INTO("task_results") "SELECT '2026-03-01T00:00:00Z', 'a', i < 100, 'x' FROM n WHERE i < 3 "
                                            "UNION ALL SELECT NULL, 'a', 7, 'x'") == SQLITE_CONSTRAINT);
  CHECK(insert(WRITABLE, "DELETE FROM task_results") == SQLITE_READONLY);
  CHECK(insert("", ROW("a", "not allowed")) == SQLITE_AUTH);
}

static void prunes(void) {
  CHECK(prune(some_jobs, "SELECT taskresults_prune('a', 'keep', 2)") == SQLITE_OK);
  CHECK(prune(some_jobs_and_a_writer, "SELECT taskresults_prune('a', 'since', '2026-01-15T00:00Z', 'count', 1)") ==
        SQLITE_OK);
  CHECK(prune(some_jobs, "SELECT taskresults_prune('a', 'keep', 1, 'keep_failures', 1, 'drop_rejects', 1)") ==
        SQLITE_OK);
}

static void prunes_that_fail(void) {
  CHECK(prune(some_jobs, "SELECT taskresults_prune('none', 'keep', 1)") == SQLITE_ERROR);
  CHECK(prune(some_jobs, "SELECT taskresults_prune('a', 'keep', 1, 'dir', '/none')") == SQLITE_CANTOPEN);
}

static void refusals(void) {
  CHECK(prune(some_jobs, "SELECT taskresults_prune('a', 'keep', 0)") == SQLITE_ERROR);
  CHECK(prune(some_jobs, "SELECT taskresults_prune_all('since', '2200-01-01')") == SQLITE_ERROR);
  CHECK(prune(jobs_of_the_past, "SELECT taskresults_prune_all('since', '2026-06-01')") == SQLITE_ERROR);
  CHECK(prune(jobs_of_the_past, "SELECT taskresults_prune_all('since', '2026-06-01', 'dry_run', 1)") == SQLITE_OK);
  CHECK(prune(jobs_of_the_past, "SELECT taskresults_prune('a', 'since', '2026-06-01')") == SQLITE_OK);
}

static void dry_runs(void) {
  CHECK(prune(some_jobs, "SELECT taskresults_prune('a', 'keep', 2, 'dry_run', 1)") == SQLITE_OK);
  CHECK(prune(some_jobs, "SELECT taskresults_prune_all('since', '2026-01-15T00:00Z', 'dry_run', 1)") == SQLITE_OK);
}

static void prunes_of_all_jobs(void) {
  CHECK(prune(some_jobs_and_a_writer, "SELECT taskresults_prune_all('since', '2026-01-15T00:00Z')") == SQLITE_OK);
}

static void check_moves_are_told(void) {
  char *moves = read_text(SHIPPED "/moves");
  CHECK(strstr(moves, "{\"file\":\"a.jsonl\",") != NULL);
  free(moves);
}

/* What the sinks have not read yet stays: the record that is appended late. */
static void prunes_beside_sinks(void) {
  CHECK(prune(some_jobs_and_sinks, "SELECT taskresults_prune('a', 'since', '2026-01-15T00:00Z')") == SQLITE_OK);
  CHECK(prune(some_jobs_and_sinks, "SELECT taskresults_prune('a', 'since', '2026-01-15T00:00Z', 'unshipped', 1)") ==
        SQLITE_OK);
  CHECK(prune(some_jobs_and_sinks, "SELECT taskresults_prune_all('since', '2026-01-15T00:00Z')") == SQLITE_OK);
  check_moves_are_told();
}

static void recoveries(void) {
  CHECK(prune(an_interrupted_prune, "SELECT taskresults_prune('a', 'keep', 100)") == SQLITE_OK);
  CHECK(prune(an_interrupted_prune, "SELECT taskresults_prune_all('keep', 100)") == SQLITE_OK);
}

static int archive(void (*scene)(void), const char *script) {
  return fail_each_allocation(&(Case){scene, "", script, false, 6});
}

static void prunes_that_archive(void) {
  CHECK(archive(some_jobs_and_a_writer, "SELECT taskresults_prune('a', 'since', '2026-01-15T00:00Z', 'archive', 1)") ==
        SQLITE_OK);
  CHECK(archive(an_archived_job, "SELECT taskresults_prune('a', 'since', '2026-01-15T00:00Z', 'archive', 1)") ==
        SQLITE_OK);
  CHECK(archive(an_interrupted_archiving_prune, "SELECT taskresults_prune('a', 'keep', 100)") == SQLITE_OK);
}

int main(void) {
  install_allocator();
  CHECK(mkdtemp(directory) != NULL);
  CHECK(setenv("SCHEDULER_RESULTS_DIR", directory, 1) == 0);
  unsetenv("TASKRESULTS_MAX_LINE");
  unsetenv("TASKRESULTS_SYNC");
  RUN(inserts);
  RUN(inserts_through_a_table_with_arguments);
  RUN(savepoints);
  RUN(statements_that_fail);
  RUN(prunes);
  RUN(prunes_that_fail);
  RUN(refusals);
  RUN(dry_runs);
  RUN(prunes_of_all_jobs);
  RUN(prunes_beside_sinks);
  RUN(recoveries);
  RUN(prunes_that_archive);
  empty_directory();
  CHECK(rmdir(directory) == 0);
  return check_result();
}
