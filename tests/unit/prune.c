/*
** prune.c - what a prune does inside its host: interrupts, threads, file descriptors. The rest is in bats/prune.bats.
*/
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "taskresults.h"

#define RECORDS 20000
#define STEPS_OF_A_POLL 66 /* of SQLite's machine, at each of which a progress handler can be asked: see base/poll.c */

static char directory[64], path[128];

static void make_job(int count) {
  FILE *file = fopen(path, "w");
  for (int i = 0; i < count; i++) {
    fprintf(file, "{\"timestamp\": \"2026-01-01T00:00:00Z\", \"job_name\": \"%d\", \"success\": true}\n", i);
  }
  fclose(file);
}

/* Entries of a directory, but for locks: those stay. */
/* Without locks, and without the folder of receipts. */
static int count_entries(const char *name) {
  int count = 0;
  DIR *stream = opendir(name);
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    count += strstr(entry->d_name, ".lock") == NULL && strcmp(entry->d_name, ".taskresults") != 0;
  }
  closedir(stream);
  return count;
}

static long file_size(void) {
  FILE *file = fopen(path, "r");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  fclose(file);
  return size;
}

static sqlite3 *open_connection(void) {
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK) abort();
  return db;
}

static int prune(sqlite3 *db, const char *sql, char *result, size_t size) {
  sqlite3_stmt *statement;
  int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  if (code == SQLITE_INTERRUPT) return code; /* from 3.41 on, progress handlers run while a statement is prepared */
  if (code != SQLITE_OK) abort();
  sqlite3_bind_text(statement, 1, directory, -1, SQLITE_STATIC);
  if (sqlite3_step(statement) == SQLITE_ROW) {
    snprintf(result, size, "%s", (const char *)sqlite3_column_text(statement, 0));
  }
  return sqlite3_finalize(statement);
}

static int stop_when_told(void *countdown) {
  return --*(int *)countdown < 0;
}

/* Whenever the interrupt comes: the file is the old or the new one, nothing is left over, no descriptor leaks. (It may
** come to SQLite itself, when the function has returned.) */
static void an_interrupt_leaves_the_old_file_or_the_new_one_and_nothing_else(void) {
  char result[256];
  int unchanged = 0, code = SQLITE_INTERRUPT;
  for (int polls = 0; code == SQLITE_INTERRUPT && polls < 100000; polls += 1 + polls / 25) {
    make_job(RECORDS);
    long before = file_size(), after = before / RECORDS * 15000;
    sqlite3 *db = open_connection();
    int open_files = count_entries("/proc/self/fd"), countdown = polls;
    sqlite3_progress_handler(db, 1, stop_when_told, &countdown);
    code = prune(db, "SELECT taskresults_prune('j', 'since', '2027-01-01T00:00Z', 'keep', 15000, 'force', 1, 'dir', ?)",
                 result, 256);
    CHECK(code == SQLITE_OK || code == SQLITE_INTERRUPT);
    CHECK(file_size() == before ? code == SQLITE_INTERRUPT : labs(file_size() - after) < before / 10);
    unchanged += file_size() == before;
    CHECK(count_entries(directory) == 3);
    CHECK(count_entries("/proc/self/fd") == open_files);
    sqlite3_close(db);
  }
  CHECK(code == SQLITE_OK);
  CHECK(unchanged > 5);
}

/* A file so large that a second thread reads half of it: an interrupt ends that too. */
static void an_interrupt_ends_the_second_thread(void) {
  char result[256] = "";
  make_job(20 * RECORDS);
  CHECK(file_size() > 24 << 20);
  long before = file_size();
  sqlite3 *db = open_connection();
  int open_files = count_entries("/proc/self/fd");
  const char *sql =
      "SELECT taskresults_prune('j', 'since', '2027-01-01T00:00Z', 'count', 1, 'force', 1, 'dir', ?)->>'dropped'";
  for (int polls = 5; polls < 45; polls += 4) { /* before the second thread has begun, and while it is working */
    int countdown = polls * STEPS_OF_A_POLL;
    sqlite3_progress_handler(db, 1, stop_when_told, &countdown);
    CHECK(prune(db, sql, result, sizeof result) == SQLITE_INTERRUPT);
    CHECK(file_size() == before && count_entries(directory) == 3);
    CHECK(count_entries("/proc/self/task") == 3 && count_entries("/proc/self/fd") == open_files);
  }
  sqlite3_progress_handler(db, 0, NULL, NULL);
  CHECK(prune(db, sql, result, sizeof result) == SQLITE_OK);
  CHECK(strtol(result, NULL, 10) == 20 * RECORDS && file_size() == 0);
  sqlite3_close(db);
}

/* While a writer has the file open, the prune waits; an interrupt ends that too. */
static void an_interrupt_ends_the_wait_for_a_writer(void) {
  char result[256];
  make_job(RECORDS);
  long before = file_size();
  FILE *writer = fopen(path, "a");
  sqlite3 *db = open_connection();
  int open_files = count_entries("/proc/self/fd"), countdown = 50 * STEPS_OF_A_POLL;
  sqlite3_progress_handler(db, 1, stop_when_told, &countdown);
  CHECK(prune(db, "SELECT taskresults_prune('j', 'keep', 10, 'dir', ?)", result, sizeof result) == SQLITE_INTERRUPT);
  CHECK(file_size() == before && count_entries(directory) == 3 && count_entries("/proc/self/fd") == open_files);
  fclose(writer);
  sqlite3_close(db);
}

/* prune_all stops at once: it does not report an interrupted job as one that failed, and go on. */
static void an_interrupt_ends_a_prune_of_all_jobs(void) {
  char result[256];
  make_job(RECORDS);
  for (int polls = 0, code = SQLITE_INTERRUPT; code == SQLITE_INTERRUPT && polls < 1000; polls += STEPS_OF_A_POLL / 2) {
    sqlite3 *db = open_connection();
    int countdown = polls;
    sqlite3_progress_handler(db, 1, stop_when_told, &countdown);
    *result = '\0';
    code = prune(db, "SELECT taskresults_prune_all('keep', 15000, 'dir', ?)", result, sizeof result);
    CHECK(code == SQLITE_OK || code == SQLITE_INTERRUPT);
    CHECK(strstr(result, "failed") == NULL && (code == SQLITE_OK) == (*result != '\0'));
    sqlite3_close(db);
  }
}

static void *prune_often(void *failures) {
  sqlite3 *db = open_connection();
  for (int i = 0; i < 20; i++) {
    char result[512] = "", sql[128];
    snprintf(sql, sizeof sql, "SELECT taskresults_prune('j', 'keep', %d, 'dir', ?)", 1000 - 10 * i);
    int code = prune(db, sql, result, sizeof result);
    bool fine = strstr(result, "pruned") || strstr(result, "unchanged") || strstr(result, "another prune");
    if (code != SQLITE_OK || !fine) ++*(int *)failures;
  }
  sqlite3_close(db);
  return NULL;
}

static void two_threads_can_prune_at_the_same_time(void) {
  pthread_t thread[4];
  int failures[4] = {0};
  make_job(RECORDS);
  for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, prune_often, &failures[i]);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  for (int i = 0; i < 4; i++) CHECK(failures[i] == 0);
  CHECK(count_entries(directory) == 3);
  sqlite3 *db = open_connection();
  char result[256];
  CHECK(prune(db, "SELECT taskresults_prune('j', 'keep', 10, 'dir', ?)->>'kept'", result, sizeof result) == SQLITE_OK);
  CHECK(strcmp(result, "10") == 0);
  sqlite3_close(db);
}

int main(void) {
  snprintf(directory, sizeof directory, "/tmp/taskresults-unit-XXXXXX");
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(path, sizeof path, "%s/j.jsonl", directory);
  RUN(an_interrupt_leaves_the_old_file_or_the_new_one_and_nothing_else);
  RUN(an_interrupt_ends_the_second_thread);
  RUN(an_interrupt_ends_the_wait_for_a_writer);
  RUN(an_interrupt_ends_a_prune_of_all_jobs);
  RUN(two_threads_can_prune_at_the_same_time);
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", directory);
  return system(command) != 0 || check_result();
}
