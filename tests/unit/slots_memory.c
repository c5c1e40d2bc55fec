/*
** slots_memory.c - out of memory in what memory.c does not try: schedules, slots, zones and lines. As there, every
** allocation of every statement fails in turn, and the statement returns SQLITE_NOMEM, or every row is right.
*/
#include "tr.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "allocator.h"
#include "scripts.h"

static char directory[] = "/tmp/taskresults-memory-XXXXXX";

static void write_bytes(const char *name, const char *bytes, size_t length) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "ab");
  CHECK(file != NULL && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

static void write_file(const char *name, const char *text) {
  write_bytes(name, text, strlen(text));
}

#define JOB(id, rest) "{\"id\": \"" id "\", \"name\": \"The job " id "\", " rest "}"
#define CREATED "\"created_at\": \"2025-12-30T00:00:00Z\""

static void write_jobs(void) {
  write_file("jobs.json", "{\"jobs\": [" JOB("daily", "\"enabled\": true, \"cron\": \"0 3 * * *\", " CREATED) ",\n");
  write_file("jobs.json", JOB("often", "\"schedule\": \"every 6 hours\", " CREATED) ",\n");
  write_file("jobs.json", JOB("paused", "\"enabled\": false, \"schedule\": \"every day at 9:30 pm\", " CREATED) ",\n");
  write_file("jobs.json", JOB("odd", "\"schedule\": \"every blue moon\", " CREATED) ",\n");
  write_file("jobs.json", JOB("new", "\"cron\": \"@hourly\", \"created_at\": \"some time\"") ",\n");
  write_file("jobs.json", JOB("daily", "\"schedule\": \"in 9 hours\", \"recurring\": true, " CREATED) "]}");
}

/* Runs that were in time, late, skipped and cut short; pauses; and lines that are no messages. */
static void write_logs(void) {
  write_file("daily.log",
             "torn\n[2026-01-01T03:00:00Z] Starting execution\n[2026-01-01T03:00:04Z] Execution succeeded\n"
             "[2026-01-02T04:30:00Z] Starting execution\n[2026-01-02T04:30:09Z] Execution failed: \xFF\n"
             "[2026-01-03T03:00:00Z] Starting execution\n");
  write_file("daily.jsonl",
             "{\"timestamp\": \"2026-01-01T03:00:04Z\", \"success\": true, \"output\": \"ok\"}\n"
             "{\"timestamp\": \"2026-01-02T04:30:09Z\", \"success\": false, \"error\": \"bad\"}\nno record\n");
  for (int i = 0; i < 40; i++) { /* arrays grow on the way */
    char line[200];
    snprintf(line, sizeof line,
             "[2026-01-0%dT%02d:00:00Z] Starting execution\n[2026-01-0%dT%02d:00:05Z] Execution succeeded\n",
             1 + i / 20, i % 20, 1 + i / 20, i % 20);
    write_file("often.log", line);
    snprintf(line, sizeof line, "{\"timestamp\": \"2026-01-0%dT%02d:00:05Z\", \"success\": true}\n", 1 + i / 20,
             i % 20);
    write_file("often.jsonl", line);
    snprintf(line, sizeof line, "[2026-01-0%dT%02d:00:00Z] Job %s\n", 1 + i / 20, i % 20, i % 2 ? "resumed" : "paused");
    write_file("paused.log", line);
  }
  write_file("paused.log",
             "[2026-01-03T00:00:00Z] Updated: ['cron', 'enabled']\n[2026-01-04T21:30:00Z] Skipped: busy\n");
}

static void make_host(const char *name) {
  char path[512], file[100];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/%s/results", directory, name);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(file, sizeof file, "%s/results/daily.jsonl", name);
  write_file(file, "{\"timestamp\": \"2026-01-01T03:00:04Z\", \"success\": true}\nno record\n");
  snprintf(file, sizeof file, "%s/jobs.json", name);
  write_file(file, "{\"jobs\": [" JOB("daily",
                                      "\"cron\": \"0 3 * * *\", " CREATED) ", " JOB("odd", "\"enabled\": false") "]}");
  snprintf(file, sizeof file, "%s/results/daily.log", name);
  write_file(file, "[2026-01-01T03:00:00Z] Starting execution\n[2026-01-01T03:00:04Z] Execution succeeded\n");
}

#define RECEIPT                                                                                                        \
  "{\"id\":\"00000000000000000000000000000001\",\"pruned_at\":\"2026-01-02T00:00:00Z\",\"rule\":\"keep 2\",\"uid\":0," \
  "\"lines\":3,\"records\":3,\"failures\":1,\"bytes\":9,\"sha256\":null,\"days\":[{\"day\":\"2025-12-01\",\"runs\":2," \
  "\"failures\":1,\"first_run\":\"2025-12-01T01:00:00Z\",\"last_run\":\"2025-12-01T23:00:00Z\"}],\"untimed\":{"        \
  "\"runs\":1,\"failures\":0},\"scattered\":false,\"archive\":null,\"replaced\":false}\n"

static void make_history(void) {
  static const char *const names[] = {"a.jsonl",          "a.jsonl.1", "a.jsonl.2",  "b.jsonl",
                                      "b.jsonl-20260102", "c.jsonl.1", "odd.jsonl.x"};
  char path[512], file[100];
  snprintf(path, sizeof path, "%s/history", directory);
  CHECK(mkdir(path, 0700) == 0);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(file, sizeof file, "history/%s", names[i]);
    write_file(file, "{\"timestamp\": \"2026-01-01T03:00:04Z\", \"success\": true, \"output\": \"x\"}\nno record\n");
  }
  snprintf(path, sizeof path, "%s/history/.taskresults", directory);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/history/.taskresults/prunes", directory);
  CHECK(mkdir(path, 0700) == 0);
  write_file("history/.taskresults/prunes/a.jsonl", RECEIPT);
  write_file("history/.taskresults/prunes/gone.jsonl", RECEIPT);
}

static void make_directory(void) {
  CHECK(mkdtemp(directory) != NULL);
  write_jobs();
  write_logs();
  make_host("hone-eu");
  make_host("htwo-eu");
  make_history();
  /* A file of a zone: two blocks of one type, and a rule. */
  char zone[200] = "TZif2";
  zone[36 + 3] = 1, zone[40 + 3] = 1; /* one type, of six bytes, and one letter */
  memcpy(zone + 51, zone, 51);
  size_t length = 102 + (size_t)sprintf(zone + 102, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
  write_bytes("Town", zone, length);
  char jobs_file[512];
  snprintf(jobs_file, sizeof jobs_file, "%s/jobs.json", directory);
  CHECK(setenv("SCHEDULER_RESULTS_DIR", directory, 1) == 0 && setenv("SCHEDULER_LOGS_DIR", directory, 1) == 0);
  CHECK(setenv("SCHEDULER_JOBS_FILE", jobs_file, 1) == 0 && setenv("TZDIR", directory, 1) == 0);
}

/* --- the scripts -------------------------------------------------------------------------------------------------- */

#define HOST_ALL "rowid, *, host, job, offset"
#define ALL "rowid, *, job, ok, started_us, finished_us"

static void slots(void) {
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_slots('2026-01-01', '2026-01-05')") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL ", since, until, grace, zone, per_job FROM task_slots('2026-01-01', "
                             "'2026-01-05', '10m', 'Town')") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_slots('0001-01-01', '2026-01-05', NULL, NULL, -2)") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT " ALL " FROM task_slots('2026-01-01', '2026-01-05', 600, 'UTC', 2) "
                             "WHERE job_id IN ('daily', 'odd', 'none') AND slot_us > 0 ORDER BY job_id DESC") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; SELECT " ALL
                             " FROM task_slots('2026-01-01', '2026-01-03', '1h', "
                             "'Town') WHERE job_id = 'often'") == SQLITE_DONE);
}

static void slots_with_other_tables(void) {
  CHECK(fail_each_allocation(
            "SELECT s.slot, s.state, r.output, u.duration_s FROM task_slots('2026-01-01', '2026-01-05') AS s "
            "LEFT JOIN task_results AS r ON r.job_id = s.job_id AND r.offset = s.offset "
            "LEFT JOIN task_runs AS u ON u.job_id = s.job_id AND u.offset = s.offset "
            "WHERE s.job_id = 'daily'") == SQLITE_DONE);
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.s USING task_slots(file='%s/jobs.json', results='%s', logs='%s', max_line=500); "
           "SELECT " ALL " FROM s('2026-01-01', '2026-01-03'); DROP TABLE s",
           directory, directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

static void times_of_schedules(void) {
  CHECK(fail_each_allocation("SELECT * FROM taskresults_slots('30 2 * * *', '2026-03-27', '2026-03-31', 'Town')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM taskresults_slots('every 6 hours', '2026-01-01', '2026-01-02')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM taskresults_slots('every blue moon')") == SQLITE_ERROR);
  CHECK(fail_each_allocation("SELECT * FROM taskresults_slots('@daily', '2026-01-01', '2026-01-02', 'Nowhere')") ==
        SQLITE_CANTOPEN);
}

static void zones(void) {
  CHECK(fail_each_allocation("SELECT taskresults_local(1767225600000000, 'Town'), taskresults_local(1782864000000000, "
                             "'Town'), taskresults_time('2026-07-01', 'since', 'Town'), taskresults_span('2h')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; SELECT taskresults_local(1767225600000000, 'Town')") ==
        SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT taskresults_local(1767225600000000, '../Town')") == SQLITE_ERROR);
}

static void lines(void) {
  CHECK(fail_each_allocation("SELECT rowid, * FROM task_lines") == SQLITE_DONE);
  CHECK(fail_each_allocation("SELECT * FROM task_lines WHERE job_id = 'daily' AND offset >= 50 ORDER BY rowid DESC") ==
        SQLITE_DONE);
}

static void hosts(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.r USING task_results(dir='%s/h*-eu/results'); SELECT " HOST_ALL " FROM r; "
           "SELECT " HOST_ALL " FROM r WHERE rowid IN (SELECT rowid FROM r WHERE host = 'two'); "
           "SELECT " HOST_ALL " FROM r('daily') WHERE host LIKE 't%%' ORDER BY rowid DESC; DROP TABLE r",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.x USING task_rejects(dir='%s/h*-eu/results'); SELECT rowid, *, host FROM x; "
           "SELECT * FROM x WHERE rowid = (SELECT min(rowid) FROM x); DROP TABLE x",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.s USING task_stats(dir='%s/h*-eu/results', logs='%s/h*-eu/results'); "
           "SELECT * FROM s; DROP TABLE s",
           directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.u USING task_runs(dir='%s/h*-eu/results', logs='%s/h*-eu/results'); "
           "SELECT * FROM u WHERE host = 'one' AND job_id IN ('daily', 'none'); DROP TABLE u",
           directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

static void jobs_of_several_hosts(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.j USING task_jobs(file='%s/h*-eu/jobs.json', results='%s/h*-eu/results'); "
           "SELECT *, host FROM j; SELECT * FROM j WHERE host = 'two'; DROP TABLE j",
           directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.s USING task_slots(file='%s/h*-eu/jobs.json', results='%s/h*-eu/results', "
           "logs='%s/h*-eu/results'); SELECT " ALL ", host FROM s('2026-01-01', '2026-01-03'); "
           "SELECT * FROM s('2026-01-01', '2026-01-03') WHERE host = 'one' AND job_id = 'daily'; DROP TABLE s",
           directory, directory, directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

/* Rotated files of two jobs, by number and by date, and one in the archive. */
static void segments(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.h USING task_history(dir='%s/history'); SELECT rowid, *, segment, segment_no "
           "FROM h ORDER BY job_id, segment_no, offset; SELECT segment, count(*) FROM h('b') GROUP BY segment_no; "
           "SELECT * FROM h WHERE job_id IN ('a', 'none') AND success = 1; DROP TABLE h",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

/* The same, and receipts of two jobs, one of which has no other file. */
static void days(void) {
  char script[1000];
  snprintf(script, sizeof script,
           "CREATE VIRTUAL TABLE temp.d USING task_days(dir='%s/history'); SELECT rowid, *, age, host FROM d; "
           "SELECT * FROM d WHERE job_id = 'a' AND zone = 'Town' AND as_of = '2026-01-02T12:00Z'; DROP TABLE d",
           directory);
  CHECK(fail_each_allocation(script) == SQLITE_DONE);
}

/* SQLite converts what we ask for as UTF-8, and may have no memory for that. */
static void texts_in_another_encoding(void) {
  CHECK(fail_each_allocation("PRAGMA encoding = 'UTF-16le'; CREATE TEMP TABLE t(a, b, c, d); "
                             "INSERT INTO t VALUES ('2026-07-01', 'until', 'Town', '@daily'); "
                             "SELECT taskresults_hash(a), taskresults_time(a), taskresults_time(a, b), "
                             "taskresults_time(a, c), taskresults_time(a, b, c), taskresults_signature(c), "
                             "taskresults_epoch(a), taskresults_text(a, 3) FROM t; "
                             "SELECT count(*) FROM t, taskresults_slots(d, a, a, c)") == SQLITE_DONE);
}

static void wrong_arguments(void) {
  static const char *const arguments[] = {"'soon'", "NULL, 'soon'", "NULL, NULL, 'a while'", "NULL, NULL, NULL, 'a b'",
                                          "NULL, NULL, NULL, NULL, 'many'"};
  for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
    char script[200];
    snprintf(script, sizeof script, "SELECT * FROM task_slots(%s)", arguments[i]);
    CHECK(fail_each_allocation(script) == SQLITE_ERROR);
  }
}

int main(void) {
  install_allocator();
  make_directory();
  RUN(slots);
  RUN(slots_with_other_tables);
  RUN(times_of_schedules);
  RUN(zones);
  RUN(lines);
  RUN(hosts);
  RUN(jobs_of_several_hosts);
  RUN(segments);
  RUN(days);
  RUN(texts_in_another_encoding);
  RUN(wrong_arguments);
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
  return check_result();
}
