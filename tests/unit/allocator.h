/*
** allocator.h - SQLite's allocator and cJSON's, made to fail when told to, and counting what SQLite's is not given
** back; and the calls into libc that allocate there, which fail as if they could not. It calls CHECK: include check.h
** before it.
*/
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include <cJSON.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static sqlite3_mem_methods real;
static long countdown;  /* allocations until one fails; 0: none does */
static bool failing_on; /* and all after it too */
static bool has_failed; /* since it was last armed */
static bool armed;
static long long outstanding; /* bytes */

static bool fails_now(void) {
  if (!armed) return false;
  if (has_failed && failing_on) return true;
  if (countdown == 0 || --countdown > 0) return false;
  has_failed = true;
  return true;
}

static void *failing_malloc(int size) {
  void *memory = fails_now() ? NULL : real.xMalloc(size);
  if (memory) outstanding += real.xSize(memory);
  return memory;
}

static void counting_free(void *memory) {
  if (memory) outstanding -= real.xSize(memory);
  real.xFree(memory);
}

static void *failing_realloc(void *memory, int size) {
  if (fails_now()) return NULL;
  int before = memory ? real.xSize(memory) : 0;
  void *grown = real.xRealloc(memory, size);
  if (grown) outstanding += real.xSize(grown) - before;
  return grown;
}

static void *failing_cjson_malloc(size_t size) {
  return fails_now() ? NULL : malloc(size);
}

/* --- what allocates in libc: these take the place of its own ------------------------------------------------------ */

#define LIBC(name) (*(__typeof__(&name) *)&(void *){dlsym(RTLD_NEXT, #name)})

locale_t newlocale(int mask, const char *name, locale_t base) {
  if (!fails_now()) return LIBC(newlocale)(mask, name, base);
  errno = ENOMEM;
  return (locale_t)0;
}

DIR *fdopendir(int fd) {
  if (!fails_now()) return LIBC(fdopendir)(fd);
  errno = ENOMEM;
  return NULL;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  return fails_now() ? EAGAIN : LIBC(pthread_create)(thread, attributes, body, argument);
}

static void arm(long n, bool on) {
  countdown = n;
  failing_on = on;
  has_failed = false;
  armed = true;
}

/* TASKRESULTS_STRIDE=N: only every N-th allocation fails, beginning with another one each time. */
static inline long allocation_stride(void) {
  const char *text = getenv("TASKRESULTS_STRIDE");
  long stride = text ? strtol(text, NULL, 10) : 0;
  return stride > 0 ? stride : 1;
}

static inline long first_allocation(void) {
  static long turn;
  return 1 + turn++ % allocation_stride();
}

static void install_allocator(void) {
  CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) == SQLITE_OK);
  sqlite3_mem_methods failing = real;
  failing.xMalloc = failing_malloc;
  failing.xFree = counting_free;
  failing.xRealloc = failing_realloc;
  CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK);
  CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK); /* or small ones would never come by */
  CHECK(sqlite3_initialize() == SQLITE_OK);
  cJSON_InitHooks(&(cJSON_Hooks){failing_cjson_malloc, free});
}

#endif
