/*
** thread.c - a helper thread: how many there may be, and how one is started.
**
** Helpers work for one call or one cursor, and never outlive it. They call nothing of SQLite's (the host may have built
** it for a single thread) and allocate nothing; so whatever cannot be done without either is left to the caller's
** thread, which can do all of the work alone. No thread to be had is therefore no error.
*/
#include "base.h"

#include <pthread.h>
#include <signal.h>

#define DEFAULT_THREADS 2        /* a query should not take the whole machine */
#define STACK_BYTES (256 * 1024) /* what the default would reserve counts against `ulimit -v` */

unsigned tr_threads_default(void) {
  return tr_processors() < DEFAULT_THREADS ? 1 : DEFAULT_THREADS;
}

/* Signals are the host's business: none is handled on a helper. */
bool tr_thread_start(pthread_t *thread, void *(*work)(void *), void *argument) {
  sigset_t all, before;
  pthread_attr_t attributes;
  sigfillset(&all);
  if (pthread_attr_init(&attributes) != 0) return false;
  bool started =
      pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
  if (started) {
    started = pthread_create(thread, &attributes, work, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_attr_destroy(&attributes);
  return started;
}
