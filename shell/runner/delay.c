/*
** delay.c - --jitter: a random time before the start, so that a hundred machines don't begin in the same second.
*/
#include "base/base.h"
#include "runner.h"

#include <string.h>

/* A plain remainder is good enough: 2^64 is so much larger than `most_ms` that all values are practically equally
** likely. */
int64_t delay_choose(uint64_t random, int64_t most_ms) {
  return (int64_t)(random % ((uint64_t)most_ms + 1));
}

int delay(const Signals *signals, int64_t most_ms) {
  uint64_t random;
  int reason = tr_random_bytes(&random, sizeof random);
  if (reason) {
    say("no random delay: %s", strerror(reason));
    return 0;
  }
  int64_t until_ms = now_ms() + delay_choose(random, most_ms);
  int number;
  do {
    number = signals_wait(signals, until_ms);
  } while (number == SIGCHLD);
  return number;
}
