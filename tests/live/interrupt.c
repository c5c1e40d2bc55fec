/*
** interrupt.c - how long does a query go on after somebody wants it to stop?
**
**   interrupt EXTENSION interrupt DELAY_MS SQL     sqlite3_interrupt() is called after DELAY_MS
**   interrupt EXTENSION progress:N DELAY_MS SQL    a progress handler, asked every N steps, says stop after DELAY_MS
**
** All times are processor time of this process, so that a busy machine changes none of them; a query that only waits,
** and uses none, is interrupted after twenty times DELAY_MS of the clock on the wall.
**
** Prints "RESULT MICROSECONDS", the result being "interrupted", "done" or an error message, and the time that of the
** return since the wish to stop ("done": since the start). The connection must close cleanly afterwards: exit 1 if not.
*/
#define _GNU_SOURCE
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { WAITS = 20 }; /* delays of the clock on the wall */

typedef struct Wish {
  sqlite3 *db;
  long delay_us;
  long start_us, wall_start_us;
  volatile long made_us; /* when it was made; 0: not yet */
} Wish;

static Wish wish; /* a signal's handler has no context */

static long read_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static long now_us(void) {
  return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

static void interrupt(int signal_number) {
  (void)signal_number;
  if (!wish.made_us) wish.made_us = now_us();
  sqlite3_interrupt(wish.db);
}

static void interrupt_later(void) {
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
  sigaction(SIGPROF, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  struct itimerval used = {.it_value = {wish.delay_us / 1000000, wish.delay_us % 1000000}};
  long wait_us = WAITS * wish.delay_us;
  struct itimerval waited = {.it_value = {wait_us / 1000000, wait_us % 1000000}};
  setitimer(ITIMER_PROF, &used, NULL);
  setitimer(ITIMER_REAL, &waited, NULL);
}

/* The time counts from when the interrupt was due, not from when the handler was called. */
static int stop_when_due(void *context) {
  (void)context;
  long due_us = wish.start_us + wish.delay_us, asked_us = now_us();
  int has_waited = read_us(CLOCK_MONOTONIC) - wish.wall_start_us >= WAITS * wish.delay_us;
  if (asked_us < due_us && !has_waited) return 0;
  wish.made_us = asked_us < due_us ? asked_us : due_us;
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
  wish = (Wish){.db = db, .delay_us = strtol(argv[3], NULL, 10) * 1000, .start_us = now_us()};
  wish.wall_start_us = read_us(CLOCK_MONOTONIC);
  if (strcmp(argv[2], "interrupt") == 0) {
    interrupt_later();
  } else {
    sqlite3_progress_handler(db, atoi(strchr(argv[2], ':') + 1), stop_when_due, &wish);
  }
  int code = run(db, argv[4]);
  long end_us = now_us();
  signal(SIGPROF, SIG_IGN);
  signal(SIGALRM, SIG_IGN);
  const char *result = code == SQLITE_OK ? "done" : code == SQLITE_INTERRUPT ? "interrupted" : sqlite3_errmsg(db);
  printf("%s %ld\n", result, end_us - (code == SQLITE_INTERRUPT ? wish.made_us : wish.start_us));
  return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
