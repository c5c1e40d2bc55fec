/*
** interrupt.c - how long does a query go on after somebody wants it to stop?
**
**   interrupt EXTENSION interrupt DELAY_MS SQL     another thread calls sqlite3_interrupt() after DELAY_MS
**   interrupt EXTENSION progress:N DELAY_MS SQL    a progress handler, asked every N steps, says stop after DELAY_MS
**
** Prints "RESULT MICROSECONDS", the result being "interrupted", "done" or an error message, and the time that of the
** return since the wish to stop ("done": since the start). The connection must close cleanly afterwards: exit 1 if not.
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Wish {
  sqlite3 *db;
  long delay_us;
  long start_us;
  long made_us; /* when it was made; 0: not yet */
} Wish;

static long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void *interrupt_later(void *context) {
  Wish *wish = context;
  struct timespec delay = {.tv_sec = wish->delay_us / 1000000, .tv_nsec = wish->delay_us % 1000000 * 1000};
  nanosleep(&delay, NULL);
  wish->made_us = now_us();
  sqlite3_interrupt(wish->db);
  return NULL;
}

/* The wish dates from when it was due, not from when the handler was asked at last. */
static int stop_when_due(void *context) {
  Wish *wish = context;
  long due_us = wish->start_us + wish->delay_us;
  if (now_us() < due_us) return 0;
  wish->made_us = due_us;
  return 1;
}

static int run(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  while (code == SQLITE_OK || code == SQLITE_ROW) code = sqlite3_step(statement);
  int finalized = sqlite3_finalize(statement);
  return code == SQLITE_DONE ? finalized : code;
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *message = NULL;
  if (argc != 5 || sqlite3_open(":memory:", &db) != SQLITE_OK) return 2;
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, argv[1], NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "%s\n", message);
    return 2;
  }
  Wish wish = {.db = db, .delay_us = strtol(argv[3], NULL, 10) * 1000, .start_us = now_us()};
  pthread_t thread;
  int threaded = strcmp(argv[2], "interrupt") == 0;
  if (threaded && pthread_create(&thread, NULL, interrupt_later, &wish) != 0) return 2;
  if (!threaded) sqlite3_progress_handler(db, atoi(strchr(argv[2], ':') + 1), stop_when_due, &wish);
  int code = run(db, argv[4]);
  long end_us = now_us();
  if (threaded) pthread_join(thread, NULL);
  const char *result = code == SQLITE_OK ? "done" : code == SQLITE_INTERRUPT ? "interrupted" : sqlite3_errmsg(db);
  printf("%s %ld\n", result, end_us - (code == SQLITE_INTERRUPT ? wish.made_us : wish.start_us));
  return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
