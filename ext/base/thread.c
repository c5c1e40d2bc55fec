/*
** thread.c - a helper thread: how many there may be, and how one is started.
**
** Helpers work for one call or one cursor, and never outlive it. They call no function of SQLite (the host may have
** built it single-threaded) and allocate no memory; what needs either is left to the caller's thread. The caller's
** thread can also do all of the work alone, so it is not an error if no thread can be started.
*/
#include "base.h"

#include <pthread.h>
#include <signal.h>

#define DEFAULT_THREADS 2        /* a query should not take the whole machine */
#define STACK_BYTES (256 * 1024) /* the default stack is larger, and counts against `ulimit -v` */

unsigned tr_threads_default(void) {
  return tr_processors() < DEFAULT_THREADS ? 1 : DEFAULT_THREADS;
}

/* Blocks all signals on the helper: signals are the host's business. */
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
