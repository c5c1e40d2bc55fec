/*
** walk.c - through which folders of ext does one line go?
**
**   walk RESULTS_DIR LOGS_DIR SQL
**
** Runs the query, and prints for its second row what SQLite calls: one line a call, the folders that it goes through,
** in their order. Each object of the extension calls a hook of its folder when a function is entered (the Makefile
** compiles them with -finstrument-functions, and gives each folder's hook a name). The first row is left out, since a
** file is opened for it; so is what comes before and behind the rows.
*/
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "taskresults.h"

#define MOST_DEEP 200

static const char *stack[MOST_DEEP];
static int depth;
static int is_told;

static void tell(const char *folder) {
  if (is_told) printf("%s ", folder);
}

static void enter(const char *folder) {
  if (depth == MOST_DEEP) abort();
  if (depth == 0 || strcmp(stack[depth - 1], folder) != 0) tell(folder);
  stack[depth++] = folder;
}

#define HOOKS(folder)                                                                                                  \
  void walk_enter_##folder(void *function, void *caller);                                                              \
  void walk_enter_##folder(void *function, void *caller) {                                                             \
    (void)function, (void)caller;                                                                                      \
    enter(#folder);                                                                                                    \
  }
HOOKS(base)
HOOKS(mapping)
HOOKS(read)
HOOKS(figures)
HOOKS(scheduler)
HOOKS(write)
HOOKS(export)
HOOKS(codec)
HOOKS(history)
HOOKS(seal)
HOOKS(index)
HOOKS(query)
HOOKS(marks)
HOOKS(prune)
HOOKS(scan)
HOOKS(tables)
HOOKS(functions)
HOOKS(extension)

void walk_leave(void *function, void *caller);
void walk_leave(void *function, void *caller) {
  (void)function, (void)caller;
  const char *left = stack[--depth];
  if (depth == 0) {
    if (is_told) printf("\n");
  } else if (strcmp(stack[depth - 1], left) != 0) {
    tell(stack[depth - 1]);
  }
}

static void fail(sqlite3 *db) {
  fprintf(stderr, "walk: %s\n", sqlite3_errmsg(db));
  exit(1);
}

int main(int argc, char **argv) {
  sqlite3 *db;
  sqlite3_stmt *statement;
  if (argc != 4) return 2;
  setenv("SCHEDULER_RESULTS_DIR", argv[1], 1);
  setenv("SCHEDULER_LOGS_DIR", argv[2], 1);
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 3;
  if (sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK) fail(db);
  if (sqlite3_prepare_v2(db, argv[3], -1, &statement, NULL) != SQLITE_OK) fail(db);
  if (sqlite3_step(statement) != SQLITE_ROW) fail(db);
  is_told = 1;
  int code = sqlite3_step(statement);
  is_told = 0;
  if (code != SQLITE_ROW) fail(db);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return 0;
}
