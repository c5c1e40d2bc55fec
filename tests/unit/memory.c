/*
** memory.c - out of memory: every allocation of every statement below fails in turn, once alone and once with all that
** follow. Then the statement returns SQLITE_NOMEM, or SQLite could do without that memory and every row is right.
** Nothing crashes, nothing leaks when the connection is closed, and rows before the failure are right, too.
*/
#include "tr.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "allocator.h"
#include "scripts.h"

/* --- a results directory with a bit of everything ----------------------------------------------------------------- */

static char directory[] = "/tmp/taskresults-memory-XXXXXX";

static void write_file(const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "ab");
  CHECK(file != NULL);
  if (file == NULL) return;
  CHECK(fwrite(text, 1, strlen(text), file) == strlen(text));
  fclose(file);
}

#define RECORD(time, success, output)                                                                                  \
  "{\"timestamp\": \"" time "\", \"job_id\": \"a\", \"job_name\": \"A\", \"success\": " success                        \
  ", \"output\": " output ", \"error\": \"\"}\n"

static void write_results(void) {
  write_file("a.jsonl", RECORD("2026-01-01T00:00:00Z", "true", "\"plain\"")
                            RECORD("2026-01-01T00:01:00.5Z", "false", "\"escaped \\n \\u00e9 \\ud83d\\ude00\""));
  write_file("a.jsonl", RECORD("2026-01-01\\u002000:02", "null", "{\"nested\": [1, \"a\\\\\", NaN ]}") "torn {\n");
  write_file("b.jsonl", RECORD("not a time", "\"1\"", "12345678901234567890") RECORD("9", "\"\\u0031\"", "1.5"));
  write_file("b.jsonl", "{\"x\": NaN}\n\n[1]\n\xFF\n{\"unfinished\": ");
  write_file("12.jsonl", RECORD("2026-01-01T00:00:00Z", "true", "\"a job named by a number\""));
  write_file("bad-\xFF.jsonl", RECORD("2026-01-01T00:00:00Z", "true", "\"nobody sees this\""));
  write_file("long.jsonl", "{\"output\": \"");
  char part[3001]; /* of a line that is longer than two buffers */
  memset(part, 'x', sizeof part - 1);
  part[sizeof part - 1] = '\0';
  for (int i = 0; i < 200; i++) write_file("long.jsonl", part);
  write_file("long.jsonl", "\"}\n" RECORD("2026-01-01T00:00:00Z", "true", "\"after the long one\""));
}

static void write_failures(void) {
  for (int i = 0; i < 20; i++) { /* kinds of failure: their map grows on the way, too */
    char line[100];
    snprintf(line, sizeof line, "{\"success\": false, \"error\": \"kind %c\\u0000 %d\"}\n", 'g' + i % 18, i);
    write_file("fails.jsonl", line);
  }
  write_file("fails.jsonl", "{\"success\": false, \"error\": [ 1 ]}\n");
}

static void write_names(void) {
  for (int i = 0; i < 70; i++) { /* the map of names grows on the way */
    char name[32];
    snprintf(name, sizeof name, "many-%02d.jsonl", i);
    write_file(name, "");
  }
  char leftover[TR_LEFTOVER_NAME_SIZE];
  tr_leftover_name("a", 1, ".journal", leftover);
  write_file(leftover, "x");
  char link[512];
  snprintf(link, sizeof link, "%s/link.jsonl", directory);
  CHECK(symlink("a.jsonl", link) == 0);
}

static void write_scheduler_files(void) {
  write_file("a.log",
             "before\n[2026-01-01T00:00:00Z] Starting execution\n[2026-01-01T00:00:01Z] Execution failed: \xFF\n"
             "more\n[2026-01-01T00:00:02Z] Starting execution\n");
  for (int i = 0; i < 70; i++) write_file("b.log", "[2026-01-01T00:00:00Z] Starting execution\n");
  write_file("jobs.json", "{\"jobs\": [{\"id\": \"a\", \"name\": \"A\", \"next_run\": \"2026-01-01T00:00:00Z\", "
                          "\"created_by\": {\"x\": [1]}}, {\"id\": \"late\"}, 5]}");
  write_file(".checkpoint_late.json", "{\"pid\": 0}");
}

/* Two segments of a job without a live file: one of the archive and a rotated one. */
static void write_history(void) {
  static const char line[] = RECORD("2026-01-01T00:00:00Z", "false", "\"archived\"");
  char path[512];
  TrArchiveWriter writer = {0};
  write_file("old.jsonl.1", RECORD("2026-01-02T00:00:00Z", "true", "\"rotated\""));
  snprintf(path, sizeof path, "%s/.taskresults", directory);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/.taskresults/archive", directory);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/.taskresults/archive/old.jsonl", directory);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/.taskresults/archive/old.jsonl/none-1.jsonl.zst", directory);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(tr_archive_writer_open(&writer, fd) == SQLITE_OK);
  for (int i = 0; i < 100; i++) {
    TrArchivedLine archived = {.length = sizeof line - 1, .is_timed = true, .time_us = 1767225600000000};
    CHECK(tr_archive_writer_begin_line(&writer, &archived) == SQLITE_OK);
    CHECK(tr_archive_writer_add(&writer, line, sizeof line - 1) == SQLITE_OK);
  }
  CHECK(tr_archive_writer_end(&writer) == SQLITE_OK);
  tr_archive_writer_close(&writer);
  close(fd);
}

static void make_directory(void) {
  CHECK(mkdtemp(directory) != NULL);
  write_results();
  write_failures();
  write_names();
  write_scheduler_files();
  write_history();
  char jobs_file[512];
  snprintf(jobs_file, sizeof jobs_file, "%s/jobs.json", directory);
  CHECK(setenv("SCHEDULER_RESULTS_DIR", directory, 1) == 0);
  CHECK(setenv("SCHEDULER_LOGS_DIR", directory, 1) == 0);
  CHECK(setenv("SCHEDULER_JOBS_FILE", jobs_file, 1) == 0);
  unsetenv("TASKRESULTS_MAX_LINE");
}

static void remove_directory(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
}

/* --- the scripts -------------------------------------------------------------------------------------------------- */

#define ALL "rowid, *, job, time_us, offset, record"

static void scans(void) {
  CHECK(fail_each_allocation("") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT taskresults_version()") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results ORDER BY rowid DESC") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT count(*) FROM task_results") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT output FROM task_results ORDER BY rowid DESC LIMIT 2") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT length(output) FROM task_results('long') ORDER BY rowid DESC") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT job_id, count(*) FROM task_results GROUP BY job_id ORDER BY job_id DESC") ==
        SQLITE_DONE);
}

static void job_filters(void) {
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id = 'a'") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results('b')") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id IN ('a', 'b', 'none', NULL, 'a')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id IN ('a', '12', x'00', 1.5)") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id GLOB 'a*' AND job_id IS 'a'") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id = 12") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE job_id = NULL OR job_id = 'b'") == SQLITE_DONE);
}

static void line_filters(void) {
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE success IN (0, '1', NULL)") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE success = '1'") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE success IS NOT 1 AND success <> 7") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE success IS NULL") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE output LIKE '%a%' AND error NOT LIKE 'x'") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; SELECT " ALL " FROM task_results WHERE output LIKE 'a%'") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE timestamp >= '2026-01-01T00:00:00Z' "
                             "AND timestamp < '2026-01-01T00:01' AND timestamp <> '9'") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE timestamp = '9' OR timestamp IS 'not a time'") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE time_us BETWEEN 1.5 AND '1767225720000000'") ==
        SQLITE_DONE);
}

static void rowids(void) {
  CHECK(fail_each_allocation("SELECT max(rowid) FROM task_results; SELECT " ALL " FROM task_results WHERE rowid = "
                             "(SELECT max(rowid) FROM task_results)") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_results WHERE success = 0 OR job_id = 'b' ORDER BY rowid") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM task_rejects WHERE rowid IN (SELECT rowid FROM task_rejects LIMIT 4)") ==
        SQLITE_DONE);
}

static void rejects(void) {
  CHECK(fail_each_allocation("SELECT rowid, *, job FROM task_rejects") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT rowid, *, job FROM task_rejects ORDER BY rowid DESC") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT rowid, *, job FROM task_rejects WHERE job_id IN ('a', 'link')") == SQLITE_DONE);
}

static void logs(void) {
  CHECK(fail_each_allocation("SELECT rowid, *, job, offset FROM task_logs") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT rowid, *, job, offset FROM task_logs WHERE job_id IN ('a', 'link') "
                             "ORDER BY rowid DESC") == SQLITE_DONE);
  char script[300];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.l USING task_logs(dir='%s', max_line=20); SELECT * FROM l; DROP TABLE l",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

static void jobs(void) {
  CHECK(fail_each_allocation("SELECT job_id, name, next_run_us, overdue_s IS NULL, created_by, state, record "
                             "FROM task_jobs") == SQLITE_DONE);
  char script[300];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.j USING task_jobs(file='%s/jobs.json', results='%s'); SELECT state FROM j; "
           "DROP TABLE j",
           directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.j USING task_jobs(file='/no/such/place'); SELECT * FROM j") ==
        SQLITE_CANTOPEN);
}

static void runs(void) {
  CHECK(fail_each_allocation("SELECT rowid, *, started_us, offset FROM task_runs") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT duration_s FROM task_runs('b') ORDER BY rowid DESC") == SQLITE_DONE);
  char script[300];
  snprintf(
      script, sizeof script,
      "CREATE VIRTUAL TABLE temp.r USING task_runs(dir='%s', logs='%s', max_line=5000); SELECT * FROM r; DROP TABLE r",
      directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

static void statistics(void) {
  CHECK(fail_each_allocation("SELECT rowid, *, last_run_us, last_duration_s FROM task_stats") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT *, since, until FROM task_stats('2026-01-01 00:00', 9e18, 'a')") == SQLITE_DONE);
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; SELECT *, since FROM task_stats('2026-01-01 00:00')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT max_s, p50_s FROM task_stats WHERE p95_s IS NOT NULL") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT last_duration_s FROM task_stats('2026-01-01 00:00')") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM task_stats('soon')") == SQLITE_ERROR);
}

static void failures(void) {
  CHECK(fail_each_allocation("SELECT rowid, *, first_run_us FROM task_errors") == SQLITE_DONE);
  CHECK(fail_each_allocation(
            "SELECT *, since, until FROM task_errors(5, '2026-01-02 00:00', 'a') ORDER BY rowid DESC") == SQLITE_DONE);
  CHECK(fail_each_allocation(
            "PRAGMA encoding = 'UTF-16le'; SELECT signature, sum(times) FROM task_errors GROUP BY 1") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM task_errors('soon')") == SQLITE_ERROR);
}

static void histories(void) {
  CHECK(fail_each_allocation(
            "SELECT offset, output, segment FROM task_history('old') WHERE offset < 300 OR offset > 8000 "
            "ORDER BY segment_no, offset") == SQLITE_DONE);
  CHECK(fail_each_allocation(
            "SELECT output, segment FROM task_history('old') ORDER BY segment_no DESC, offset DESC LIMIT 3") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT count(*) FROM task_history('old') WHERE time_us > 1767225600000000") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.s USING task_stats(segments=all); "
                             "SELECT rowid, runs, rejects FROM s WHERE job_id = 'old'") == SQLITE_DONE);
}

static void queries_of_many_cursors(void) {
  CHECK(fail_each_allocation("SELECT a.output, b.output FROM task_results a JOIN task_results b ON b.job_id = a.job_id "
                             "AND b.success IS a.success WHERE a.job_id = 'a'") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT job_id, (SELECT max(timestamp) FROM task_results r WHERE r.job_id = x.job_id) "
                             "FROM task_rejects x") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT job_id, count(*), lag(success) OVER (ORDER BY job_id) FROM task_results "
                             "GROUP BY job_id") == SQLITE_DONE);
  CHECK(fail_each_allocation("EXPLAIN QUERY PLAN SELECT * FROM task_results WHERE job_id IN ('a', 'b') AND success = 0 "
                             "AND timestamp > 'a' AND time_us < 5 ORDER BY rowid DESC") == SQLITE_DONE);
}

static void tables_with_arguments(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.r USING task_results(dir='%s', max_line=5000); SELECT " ALL
           " FROM r; CREATE VIRTUAL TABLE temp.x USING task_rejects(max_line='70', dir=\"%s\"); "
           "SELECT rowid, * FROM x ORDER BY rowid DESC; DROP TABLE r; DROP TABLE x",
           directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

static void texts_in_another_encoding(void) {
  CHECK(fail_each_allocation(
            "PRAGMA encoding = 'UTF-16le'; SELECT " ALL " FROM task_results WHERE job_id IN ('a', 'b') "
            "AND timestamp > '2025' AND success <> '7'; SELECT * FROM task_rejects('a')") == SQLITE_DONE);
}

static int count_temporaries(void) {
  glob_t found;
  char pattern[512];
  snprintf(pattern, sizeof pattern, "%s/.taskresults.*", directory);
  int code = glob(pattern, 0, NULL, &found);
  int count = code == 0 ? (int)found.gl_pathc : 0;
  if (code == 0) globfree(&found);
  return count;
}

static void exports(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "SELECT taskresults_export_csv('%s/x.csv', 'SELECT rowid, * FROM task_results', 'max_chars', 3, 'cut', "
           "'output', 'sync', 0); SELECT taskresults_export_csv('/dev/null', 'VALUES (1.5, x''00''), (NULL, '''')')",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; SELECT taskresults_export_csv('/dev/null', 'SELECT * FROM "
                             "task_results(''a'')')") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT taskresults_export_csv('/dev/null', 'SELECT nonsense')") == SQLITE_ERROR);
  CHECK(count_temporaries() == 0);
}

/* The error is the one it should be, or SQLITE_NOMEM: never a success. */
static void errors(void) {
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.l USING task_logs(nonsense=1)") == SQLITE_ERROR);
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.r USING task_results(nonsense=1)") == SQLITE_ERROR);
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.r USING task_results(dir='/', max_line=0)") == SQLITE_ERROR);
  CHECK(fail_each_allocation("CREATE VIRTUAL TABLE temp.r USING task_results(dir='/no/such/place'); SELECT * FROM r") ==
        SQLITE_CANTOPEN);
}

int main(void) {
  install_allocator();
  make_directory();
  RUN(scans);
  RUN(job_filters);
  RUN(line_filters);
  RUN(rowids);
  RUN(rejects);
  RUN(logs);
  RUN(jobs);
  RUN(runs);
  RUN(statistics);
  RUN(failures);
  RUN(histories);
  RUN(queries_of_many_cursors);
  RUN(tables_with_arguments);
  RUN(texts_in_another_encoding);
  RUN(exports);
  RUN(errors);
  remove_directory();
  return check_result();
}
