/*
** platform_posix.c - platform_linux.c for macOS and the BSDs: they read and append, and prune nothing. It uses only
** what POSIX.1-2008 and those systems have in common, so it can be compiled and tested on Linux: make
** PLATFORM=posix.
**
** There is no lock that also stops a writer that takes none (see the leases in platform_linux.c), and no call that
** exchanges two files on all of these systems. So tr_can_prune() says no, and what only a prune asks for fails.
*/
#include "base.h"

#ifdef TR_POSIX

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef O_SEARCH
#define O_SEARCH O_RDONLY /* then a directory must be readable */
#endif

bool tr_can_prune(void) {
  return false;
}

/* --- what only a prune asks for ----------------------------------------------------------------------------------- */

int tr_lease_take(int fd, int type) {
  (void)fd, (void)type;
  return ENOTSUP;
}

void tr_lease_drop(int fd) {
  (void)fd;
}

bool tr_lease_is_held(int fd, int type) {
  (void)fd, (void)type;
  return false;
}

int tr_lease_budget_ms(void) {
  return 0;
}

int tr_attributes_copy(int from_fd, int to_fd, char buffer[TR_ATTRIBUTES_BYTES], const char **name) {
  (void)from_fd, (void)to_fd, (void)buffer;
  *name = NULL;
  return ENOTSUP;
}

bool tr_access_lists_are_same(int one_fd, int other_fd) {
  (void)one_fd, (void)other_fd;
  return false;
}

int tr_exchange_names(int dir_fd, const char *one, const char *other) {
  (void)dir_fd, (void)one, (void)other;
  return ENOTSUP;
}

int tr_reserve_space(int fd, int64_t offset, int64_t length) {
  (void)fd, (void)offset, (void)length;
  return ENOTSUP;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_mode == other->st_mode &&
         one->st_uid == other->st_uid;
}

static int close_because(int fd, int reason) {
  close(fd);
  errno = reason;
  return -1;
}

/* Nothing but a directory can be named without opening it. For the rest, the descriptor is of the directory that the
** entry is in: tr_read_link() looks there again. */
int tr_locate(int dir_fd, const char *name, struct stat *found) {
  struct stat opened;
  if (fstatat(dir_fd, name, found, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  if (!S_ISDIR(found->st_mode)) return fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
  int fd = (int)TEMP_FAILURE_RETRY(openat(dir_fd, name, O_SEARCH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0) return -1;
  if (fstat(fd, &opened) != 0) return close_because(fd, errno);
  return is_same(found, &opened) ? fd : close_because(fd, ESTALE);
}

int tr_locate_dir(int dir_fd, const char *path) {
  return (int)TEMP_FAILURE_RETRY(openat(dir_fd, path, O_SEARCH | O_DIRECTORY | O_CLOEXEC));
}

/* A link's text cannot change, so it is the text of the link that was found if that is there before and after. */
ssize_t tr_read_link(int link_fd, const char *name, const struct stat *found, char *text, size_t size) {
  struct stat before, after;
  if (fstatat(link_fd, name, &before, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  ssize_t length = readlinkat(link_fd, name, text, size);
  if (length < 0 || fstatat(link_fd, name, &after, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  if (is_same(found, &before) && is_same(found, &after)) return length;
  errno = ESTALE;
  return -1;
}

int tr_random_bytes(void *bytes, size_t count) {
  int fd = (int)TEMP_FAILURE_RETRY(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  if (fd < 0) return errno;
  ssize_t got = TEMP_FAILURE_RETRY(read(fd, bytes, count));
  int reason = got == (ssize_t)count ? 0 : got < 0 ? errno : EIO;
  close(fd);
  return reason;
}

int tr_descriptor_named(int dir_fd, const char *name) {
  struct stat here, ours;
  if (name[strspn(name, "0123456789")] != '\0') return -1;
  if (fstat(dir_fd, &here) != 0 || stat("/dev/fd", &ours) != 0) return -1;
  return here.st_dev == ours.st_dev && here.st_ino == ours.st_ino ? atoi(name) : -1;
}

/* Opening /dev/fd/N is no more than dup() on these systems. */
int tr_reopen_descriptor(int fd, int flags) {
  (void)fd, (void)flags;
  errno = ENOTSUP;
  return -1;
}

#ifdef fdatasync
int fdatasync(int fd) {
  return fcntl(fd, F_FULLFSYNC) == 0 ? 0 : fsync(fd); /* not every file system knows the former */
}
#endif

/* --- threads ------------------------------------------------------------------------------------------------------ */

#ifdef __APPLE__

void tr_condition_init(pthread_cond_t *condition) {
  pthread_cond_init(condition, NULL);
}

void tr_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int milliseconds) {
  struct timespec length = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  pthread_cond_timedwait_relative_np(condition, mutex, &length);
}

#else

void tr_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

void tr_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += milliseconds * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(condition, mutex, &until);
}

#endif

bool tr_thread_join_ended(pthread_t thread) {
  return pthread_join(thread, NULL) == 0;
}

/* --- what only some C libraries have ------------------------------------------------------------------------------ */

const void *tr_last_byte(const void *bytes, int byte, size_t length) {
  const unsigned char *at = (const unsigned char *)bytes + length;
  while (at > (const unsigned char *)bytes) {
    if (*--at == (unsigned char)byte) return at;
  }
  return NULL;
}

/* A heap, as qsort_r() has its arguments in another order on each of these systems, and a merge would need memory. */
typedef struct Heap {
  unsigned char *items; /* borrowed */
  size_t count, item_bytes;
  int (*compare)(const void *, const void *, void *);
  void *context; /* borrowed */
} Heap;

static unsigned char *heap_item(const Heap *heap, size_t i) {
  return heap->items + i * heap->item_bytes;
}

static void heap_swap(const Heap *heap, size_t one, size_t other) {
  unsigned char *a = heap_item(heap, one), *b = heap_item(heap, other);
  for (size_t i = 0; i < heap->item_bytes; i++) {
    unsigned char byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

static bool heap_is_less(const Heap *heap, size_t one, size_t other) {
  return heap->compare(heap_item(heap, one), heap_item(heap, other), heap->context) < 0;
}

static void heap_sink(const Heap *heap, size_t i) {
  for (size_t child; (child = 2 * i + 1) < heap->count; i = child) {
    if (child + 1 < heap->count && heap_is_less(heap, child, child + 1)) child++;
    if (!heap_is_less(heap, i, child)) return;
    heap_swap(heap, i, child);
  }
}

void tr_sort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *, void *),
             void *context) {
  Heap heap = {items, count, item_bytes, compare, context};
  for (size_t i = count / 2; i > 0; i--) heap_sink(&heap, i - 1);
  while (heap.count > 1) {
    heap.count--;
    heap_swap(&heap, 0, heap.count);
    heap_sink(&heap, 0);
  }
}

/* --- processes and processors ------------------------------------------------------------------------------------- */

int tr_process_read(int64_t pid, char *state, int64_t *started_us) {
  (void)pid, (void)state, (void)started_us;
  return TR_PROCESS_HIDDEN;
}

int64_t tr_birth_ns(int fd) {
  (void)fd;
  return 0;
}

const char *tr_secure_environment(const char *name) {
  const char *value = getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
  return value && *value ? value : NULL;
}

unsigned tr_processors(void) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  return processors > 0 ? (unsigned)processors : 1;
}

#endif /* ifdef TR_POSIX */
