/*
** clock.c - the wall clock and the monotonic clock.
*/
#include "base.h"

#include <time.h>

int64_t tr_clock_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * TR_US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t tr_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
