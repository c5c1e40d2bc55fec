/*
** scripts.h - runs SQL with each allocation of it failing in turn, once alone and once with all that follow. Include
** tr.h, check.h and allocator.h before it.
*/
#ifndef SCRIPTS_H
#define SCRIPTS_H

#include <stdio.h>
#include <string.h>

typedef struct Outcome {
  int code;   /* SQLITE_DONE, or the first error */
  char *rows; /* owned: one line for each row, values in hexadecimal */
  size_t length;
} Outcome;

/* False: out of memory in the host's own calls. */
static bool print_row(FILE *out, sqlite3_stmt *statement) {
  for (int i = 0; i < sqlite3_column_count(statement); i++) {
    int type = sqlite3_column_type(statement, i);
    fprintf(out, "%d:", type);
    if (type == SQLITE_FLOAT || type == SQLITE_INTEGER) {
      fprintf(out, "%.17g ", sqlite3_column_double(statement, i));
      continue;
    }
    const unsigned char *bytes = sqlite3_column_blob(statement, i);
    int count = sqlite3_column_bytes(statement, i);
    if (bytes == NULL && type != SQLITE_NULL && sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM)
      return false;
    unsigned sum = 0;
    for (int k = 0; k < count; k++) sum = sum * 31 + bytes[k];
    fprintf(out, "%d.%u ", count, sum);
  }
  fputc('\n', out);
  return true;
}

static int run_statement(FILE *out, sqlite3 *db, const char *sql, const char **rest) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(db, sql, -1, &statement, rest);
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    if (statement == NULL) return SQLITE_DONE; /* white space */
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW && !print_row(out, statement)) code = SQLITE_NOMEM;
  }
  sqlite3_finalize(statement);
  return code;
}

/* Connects, registers, and runs the statements until one fails. Allocations fail as armed: those of the statements, or
   of the registration, if there are none. */
static Outcome run_script(const char *script, long fail_at, bool on) {
  Outcome outcome = {0};
  FILE *out = open_memstream(&outcome.rows, &outcome.length);
  sqlite3 *db = NULL;
  char *message = NULL;
  CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
  if (*script == '\0') arm(fail_at, on);
  outcome.code = sqlite3_taskresults_init(db, &message, NULL);
  if (*script != '\0') arm(fail_at, on);
  if (outcome.code == SQLITE_OK) outcome.code = SQLITE_DONE;
  for (const char *rest = script; outcome.code == SQLITE_DONE && *rest;)
    outcome.code = run_statement(out, db, rest, &rest);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  armed = false;
  sqlite3_free(message);
  fclose(out);
  return outcome;
}

/* Is the result SQLITE_NOMEM with right rows before it, or exactly what it should be? */
static bool is_honest(const Outcome *outcome, const Outcome *expected) {
  bool failed = has_failed && (outcome->code == SQLITE_NOMEM || outcome->code == SQLITE_IOERR_NOMEM);
  if (failed) return outcome->length <= expected->length && memcmp(outcome->rows, expected->rows, outcome->length) == 0;
  return outcome->code == expected->code && outcome->length == expected->length &&
         memcmp(outcome->rows, expected->rows, outcome->length) == 0;
}

/* The code that the script ends with when nothing fails. */
static inline int fail_each_allocation(const char *script) {
  long long before = outstanding;
  Outcome expected = run_script(script, 0, false);
  CHECK(outstanding == before);
  for (int on = 0; on < 2; on++) {
    long failures = 0;
    has_failed = true;
    for (long n = first_allocation(); has_failed; n += allocation_stride()) {
      Outcome outcome = run_script(script, n, on);
      if (!is_honest(&outcome, &expected) || outstanding != before) {
        printf("# allocation %ld%s: code %d, %lld bytes left, rows:\n%.*s", n, on ? " and on" : "", outcome.code,
               outstanding - before, (int)outcome.length, outcome.rows);
        printf("# expected: code %d, rows:\n%.*s# in: %s\n", expected.code, (int)expected.length, expected.rows,
               script);
        CHECK(false);
        outstanding = before;
      }
      failures += outcome.code == SQLITE_NOMEM;
      free(outcome.rows);
    }
    CHECK(failures * allocation_stride() >= 8); /* even the shortest script makes so many */
  }
  int code = expected.code;
  free(expected.rows);
  return code;
}

#endif
