/*
** append_host.c EXTENSION DIRECTORY TEXT COUNT MODE - what an INSERT costs in a host written in C: a prepared statement
** for each of COUNT records of job nightly-backup, in MODE autocommit or transaction. Prints the seconds that the
** INSERTs took, the second time that it makes the file (as append.py, whose records these are, so that the files can be
** compared).
*/
#define _POSIX_C_SOURCE 200809L
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(sqlite3 *db, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  fprintf(stderr, "append_host: %s\n", sqlite3_errmsg(db));
  exit(1);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Made before anything is timed, as append.py's are. */
typedef struct Record {
  char timestamp[64], *output;
  int timestamp_length, output_length;
} Record;

static Record *make_records(const char *text, int count) {
  size_t room = strlen(text) + 16;
  Record *records = malloc((size_t)count * sizeof *records);
  char *outputs = malloc((size_t)count * room);
  if (records == NULL || outputs == NULL) exit(1);
  for (int i = 0; i < count; i++) {
    Record *record = &records[i];
    int minute = i / 60 % 60, second = i % 60;
    record->output = outputs + (size_t)i * room;
    record->output_length = snprintf(record->output, room, "%s%d", text, i);
    record->timestamp_length =
        snprintf(record->timestamp, sizeof record->timestamp, "2026-01-01T00:%02d:%02d.%06dZ", minute, second, i);
  }
  return records;
}

static void insert(sqlite3 *db, sqlite3_stmt *statement, const Record *record) {
  sqlite3_bind_text(statement, 1, record->timestamp, record->timestamp_length, SQLITE_STATIC);
  sqlite3_bind_text(statement, 2, record->output, record->output_length, SQLITE_STATIC);
  sqlite3_step(statement);
  check(db, sqlite3_reset(statement));
}

static double insert_all(sqlite3 *db, sqlite3_stmt *statement, const Record *records, int count, bool in_transaction) {
  double start_s = now_s();
  if (in_transaction) check(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
  for (int i = 0; i < count; i++) insert(db, statement, &records[i]);
  if (in_transaction) check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
  return now_s() - start_s;
}

static sqlite3 *open_table(const char *extension, const char *directory) {
  sqlite3 *db = NULL;
  check(db, sqlite3_open(":memory:", &db));
  check(db, sqlite3_enable_load_extension(db, 1));
  check(db, sqlite3_load_extension(db, extension, NULL, NULL));
  char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE temp.r USING task_results(dir=%Q)", directory);
  check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
  sqlite3_free(sql);
  return db;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  sqlite3 *db = open_table(argv[1], argv[2]);
  sqlite3_stmt *statement;
  check(db, sqlite3_prepare_v2(db,
                               "INSERT INTO r(timestamp, job_id, job_name, success, output, error) "
                               "VALUES (?1, 'nightly-backup', 'Nightly Backup', 1, ?2, '')",
                               -1, &statement, NULL));
  bool in_transaction = strcmp(argv[5], "transaction") == 0;
  int count = atoi(argv[4]);
  char path[4096];
  snprintf(path, sizeof path, "%s/nightly-backup.jsonl", argv[2]);
  const Record *records = make_records(argv[3], count);
  insert_all(db, statement, records, count, in_transaction);
  if (remove(path) != 0) return perror(path), 1;
  double seconds = insert_all(db, statement, records, count, in_transaction);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  printf("%.6f\n", seconds);
  return 0;
}
