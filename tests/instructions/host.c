/*
** host.c EXTENSION PREPARATION STATEMENT - loads the extension, runs the preparation, and then the statement, inside
** measured(): callgrind counts from its entry to its return (tests/instructions/run). Prints the statement's rows.
*/
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static int print_row(void *unused, int count, char **values, char **names) {
  (void)unused, (void)names;
  for (int i = 0; i < count; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, print_row, NULL, &message) == SQLITE_OK) return;
  fprintf(stderr, "host: %s\n", message);
  exit(1);
}

void measured(sqlite3 *db, const char *sql);

__attribute__((noinline)) void measured(sqlite3 *db, const char *sql) {
  run(db, sql);
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *message = NULL;
  if (argc != 4 || sqlite3_open(":memory:", &db)) return 2;
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, argv[1], NULL, &message)) {
    fprintf(stderr, "host: %s\n", message);
    return 1;
  }
  run(db, argv[2]);
  measured(db, argv[3]);
  sqlite3_close(db);
  return 0;
}
