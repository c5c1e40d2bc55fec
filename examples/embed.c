/*
** embed.c - an application with taskresults linked in: prints how often each job ran, and how often it failed.
**
**     make static
**     cc -Iinclude examples/embed.c libtaskresults.a -lcjson -lz -lzstd -lsqlite3 -lm -pthread -o embed
**     ./embed /opt/.task-scheduler/results
**
** After `make install`: cc embed.c $(pkg-config --cflags --libs --static taskresults) -o embed
**
** Nothing is loaded at run time. After sqlite3_auto_extension(), every new connection has the tables.
*/
#include <stdio.h>

#include "taskresults.h"

/* A table of its own for the directory; without one, task_results reads the scheduler's. */
static int use_directory(sqlite3 *db, const char *directory) {
  char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE temp.results USING task_results(dir=%Q)", directory);
  int code = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  return code;
}

static int print_jobs(sqlite3 *db) {
  sqlite3_stmt *query = NULL;
  int code = sqlite3_prepare_v2(db,
                                "SELECT job_id, count(*), sum(ok = 0) FROM results "
                                "GROUP BY job_id ORDER BY job_id",
                                -1, &query, NULL);
  if (code != SQLITE_OK) return code;
  while (sqlite3_step(query) == SQLITE_ROW) {
    printf("%s: %d runs, %d failed\n", (const char *)sqlite3_column_text(query, 0), sqlite3_column_int(query, 1),
           sqlite3_column_int(query, 2));
  }
  return sqlite3_finalize(query); /* the error of the last step, if it was one */
}

int main(int argc, char **argv) {
  sqlite3 *db = NULL;
  if (argc != 2) {
    fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  sqlite3_auto_extension((void (*)(void))sqlite3_taskresults_init);
  int code = sqlite3_open(":memory:", &db);
  if (code == SQLITE_OK) code = use_directory(db, argv[1]);
  if (code == SQLITE_OK) code = print_jobs(db);
  if (code != SQLITE_OK) fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  sqlite3_close(db);
  return code != SQLITE_OK;
}
