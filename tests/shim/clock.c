/*
** clock.c - an LD_PRELOAD shim that sets the clock for one process and those that it starts; monotonic clocks are not
** changed.
**
**   CLOCK_OFFSET_S=N   seconds to add to the time of day; may be negative
**   CLOCK_STANDS_S=N   the time of day is always N seconds after 1970
*/
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_s(void) {
  const char *text = getenv("CLOCK_OFFSET_S");
  return text == NULL ? 0 : atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return 0;
  now->tv_sec += offset_s();
  const char *stands = getenv("CLOCK_STANDS_S");
  if (stands != NULL) *now = (struct timespec){.tv_sec = atol(stands)};
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
