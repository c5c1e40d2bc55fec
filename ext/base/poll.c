/*
** poll.c - has somebody interrupted the query?
**
** A scan that matches nothing returns to SQLite only at its end, so it has to ask by itself whether somebody wants it
** to stop. sqlite3_is_interrupted() exists only since 3.41 and does not run progress handlers, which is how many hosts
** implement time limits; stepping a statement on the same connection does both on every version.
** sqlite3_progress_handler() is never called: it would replace the host's own handler.
**
** A progress handler runs every N steps of SQLite's virtual machine, so the statement takes some 70 steps. They come
** from many columns, not from one deep expression, because hardened hosts limit the depth of expressions. That costs a
** fraction of a microsecond for each read of the file, and a handler set to 10,000 steps still runs about every 40 MB.
*/
#include "base.h"

#include <time.h>

#define EIGHT "1,1,1,1,1,1,1,1"
static const char tick_sql[] = "SELECT " EIGHT "," EIGHT "," EIGHT "," EIGHT "," EIGHT "," EIGHT "," EIGHT "," EIGHT;

/* An authorizer may forbid even this statement; then only SQLite 3.41 and newer can tell whether we are interrupted. */
static int poll_without_statement(TrPoll *poll) {
#if SQLITE_VERSION_NUMBER >= 3041000
  if (sqlite3_libversion_number() >= 3041000 && sqlite3_is_interrupted(poll->db)) return SQLITE_INTERRUPT;
#else
  (void)poll;
#endif
  return SQLITE_OK;
}

int tr_poll(TrPoll *poll) {
  if (poll == NULL || poll->db == NULL) return SQLITE_OK;
  if (poll->tick == NULL) {
    unsigned flags = SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB;
    int code = sqlite3_prepare_v3(poll->db, tick_sql, -1, flags, &poll->tick, NULL);
    if (code == SQLITE_INTERRUPT) return code;
    if (code != SQLITE_OK) return poll_without_statement(poll);
  }
  sqlite3_step(poll->tick);
  return sqlite3_reset(poll->tick) == SQLITE_INTERRUPT ? SQLITE_INTERRUPT : SQLITE_OK;
}

int tr_poll_sleep(TrPoll *poll, int milliseconds) {
  struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000L};
  nanosleep(&pause, NULL);
  return tr_poll(poll);
}

void tr_poll_close(TrPoll *poll) {
  sqlite3_finalize(poll->tick);
  poll->tick = NULL;
}
