/*
** clock.c - an LD_PRELOAD shim that sets the clock for one process and those that it starts; monotonic clocks are not
** changed.
**
**   CLOCK_OFFSET_S=N   seconds to add to the time of day; may be negative
**   CLOCK_STANDS_S=N   the time of day is always N seconds after 1970
**   CLOCK_STEP_AT=N    from its N-th reading on (from 1), by one process, the time of day is ...
**   CLOCK_STEP_S=N     ... that many seconds later; may be negative
*/
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long setting(const char *name) {
  const char *text = getenv(name);
  return text == NULL ? 0 : atol(text);
}

static long step_s(void) {
  static atomic_long readings;
  long at = setting("CLOCK_STEP_AT");
  return at > 0 && atomic_fetch_add(&readings, 1) + 1 >= at ? setting("CLOCK_STEP_S") : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return 0;
  now->tv_sec += setting("CLOCK_OFFSET_S");
  if (getenv("CLOCK_STANDS_S") != NULL) *now = (struct timespec){.tv_sec = setting("CLOCK_STANDS_S")};
  now->tv_sec += step_s();
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
