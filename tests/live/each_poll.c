/*
** each_poll.c - a query is stopped at each of its polls in turn (ext/base/poll.c), by a progress handler.
**
**   each_poll EXTENSION SQL [SQL_AFTERWARDS]
**
** Each time, it must end with SQLITE_INTERRUPT, the rows before must be the right ones, the same connection must then
** give all rows to SQL_AFTERWARDS (or to SQL, if there is none), and must close.
**
** Prints how many polls there were; exits 1, and says what is wrong, at the first failure.
*/
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 60 /* of SQLite's machine; a poll takes some more */

static const char poll_sql[] = "SELECT 1,1,1,1,1,1,1,1,";

typedef struct Watch {
  sqlite3 *db;
  long left; /* polls until the query is stopped; negative: it was, or it never is */
} Watch;

typedef struct Rows {
  int code;
  char *text; /* owned */
  size_t length;
} Rows;

static bool is_polling(sqlite3 *db) {
  for (sqlite3_stmt *statement = NULL; (statement = sqlite3_next_stmt(db, statement)) != NULL;) {
    const char *sql = sqlite3_sql(statement);
    if (sql && strncmp(sql, poll_sql, strlen(poll_sql)) == 0 && sqlite3_stmt_busy(statement)) return true;
  }
  return false;
}

static int stop_at_poll(void *context) {
  Watch *watch = context;
  if (!is_polling(watch->db)) return 0;
  return watch->left >= 0 && watch->left-- == 0;
}

static Rows run(sqlite3 *db, const char *sql) {
  Rows rows = {0};
  sqlite3_stmt *statement = NULL;
  FILE *out = open_memstream(&rows.text, &rows.length);
  rows.code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  while (rows.code == SQLITE_OK || rows.code == SQLITE_ROW) {
    rows.code = sqlite3_step(statement);
    for (int i = 0; rows.code == SQLITE_ROW && i < sqlite3_column_count(statement); i++) {
      const char *text = (const char *)sqlite3_column_text(statement, i);
      fprintf(out, "%s|", text ? text : "NULL");
    }
    if (rows.code == SQLITE_ROW) fputc('\n', out);
  }
  sqlite3_finalize(statement);
  fclose(out);
  return rows;
}

static sqlite3 *open_connection(const char *extension) {
  sqlite3 *db;
  char *message = NULL;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) exit(2);
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, extension, NULL, &message) == SQLITE_OK) return db;
  fprintf(stderr, "%s\n", message);
  exit(2);
}

static void fail(const char *what, long poll, const Rows *rows) {
  printf("stopped at poll %ld: %s: code %d, rows:\n%s", poll, what, rows->code, rows->text);
  exit(1);
}

/* False: the query has no such poll. */
static bool stop_at(const char *extension, long poll, const char *sql, const Rows *expected, const char *afterwards,
                    const Rows *expected_afterwards) {
  Watch watch = {.db = open_connection(extension), .left = poll};
  sqlite3_progress_handler(watch.db, STEPS, stop_at_poll, &watch);
  Rows rows = run(watch.db, sql);
  sqlite3_progress_handler(watch.db, 0, NULL, NULL);
  bool is_stopped = watch.left < 0;
  if (rows.code != (is_stopped ? SQLITE_INTERRUPT : SQLITE_DONE)) fail("it did not end as it should", poll, &rows);
  if (rows.length > expected->length || memcmp(rows.text, expected->text, rows.length) != 0)
    fail("the rows before it are not right", poll, &rows);
  Rows after = run(watch.db, afterwards);
  if (after.code != SQLITE_DONE || strcmp(after.text, expected_afterwards->text) != 0)
    fail("the next query is not right", poll, &after);
  if (sqlite3_close(watch.db) != SQLITE_OK) fail("the connection does not close", poll, &rows);
  free(rows.text);
  free(after.text);
  return is_stopped;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *sql = argv[2], *afterwards = argc > 3 ? argv[3] : sql;
  sqlite3 *db = open_connection(argv[1]);
  Rows expected = run(db, sql), expected_afterwards = run(db, afterwards);
  if (expected.code != SQLITE_DONE) fail("without that", -1, &expected);
  sqlite3_close(db);
  long polls = 0;
  while (stop_at(argv[1], polls, sql, &expected, afterwards, &expected_afterwards)) polls++;
  free(expected.text);
  free(expected_afterwards.text);
  printf("%ld polls\n", polls);
  return 0;
}
