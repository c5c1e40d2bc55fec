/*
** save.c - what is known -> the file of the index.
**
** Without it, everything works; so whatever goes wrong, it is not saved, and nobody is told but by doctor. Nothing is
** synced: a power failure costs the time of the next question. A kill leaves a frame that is not whole, or a file
** without one; both are seen by their hashes.
**
** One process writes at a time, under a lock that nobody waits for; and only if the file is still what was read, as a
** frame goes on from the one before it. If more than half of the file is outdated, it is emptied and written anew. That
** is done in place: a new file beside it would stay behind after a kill.
*/
#include "index.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#define A_PAGE 4096

/* Is it what tr_index_load() has read? */
static bool is_as_read(const TrIndexSaved *saved, int fd) {
  struct stat now;
  unsigned char start[16];
  if (fstat(fd, &now) != 0 || (int64_t)now.st_size != saved->size) return false;
  if (saved->size == 0) return true;
  if ((uint64_t)now.st_ino != saved->inode || now.st_nlink != 1) return false;
  if (saved->bytes == NULL) return true; /* too large to be read: it is written anew */
  size_t length = saved->size < (int64_t)sizeof start ? (size_t)saved->size : sizeof start;
  return TEMP_FAILURE_RETRY(pread(fd, start, length, 0)) == (ssize_t)length && memcmp(start, saved->bytes, length) == 0;
}

/* Beyond that, a write would end the process with SIGXFSZ. */
static bool may_write(int64_t end) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && (limit.rlim_cur == RLIM_INFINITY || (rlim_t)end <= limit.rlim_cur);
}

static void write_frame(const TrIndexSaved *saved, int fd, const unsigned char *bytes, size_t length) {
  int64_t at = saved->whole;
  if (!may_write(at + (int64_t)length)) return;
  if (saved->size != at && TEMP_FAILURE_RETRY(ftruncate(fd, at)) != 0) return;
  ssize_t put = TEMP_FAILURE_RETRY(pwrite(fd, bytes, length, at));
  if (put != (ssize_t)length) (void)!TEMP_FAILURE_RETRY(ftruncate(fd, at)); /* the disk is full */
}

static void write_locked(TrIndexPlace *place, const char *file_name, const TrIndexSaved *saved,
                         const unsigned char *bytes, size_t length) {
  struct stat found;
  bool is_unusable;
  int fd = tr_index_file_open(place, file_name, O_RDWR | O_CREAT, &found, &is_unusable);
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_as_read(saved, fd)) write_frame(saved, fd, bytes, length);
  close(fd);
}

/* What is known of the bytes up to index->end, and of which file. False: the file has changed since it was opened. */
static bool make_head(const TrIndex *index, TrIndexHead *head) {
  struct stat now;
  *head = (TrIndexHead){.identity = index->identity, .opened_us = index->opened_us, .end = index->end};
  if (!tr_index_hash_pages(index, head) || fstat(index->fd, &now) != 0) return false;
  if (now.st_size != index->identity.size) return now.st_size > index->identity.size;
  return (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec == index->identity.changed_ns;
}

static bool is_worth_saving(const TrIndex *index) {
  return index->end - index->saved_end >= TR_INDEX_LEAST_NEW_BYTES ||
         (index->wants_save && index->end >= index->saved_end);
}

/* From which block on is it written? From the first, if more than half of the file is outdated, or if it would soon be
** too large to be read; but not if it takes only a page of the disk in any case. */
static size_t first_to_save(TrIndex *index) {
  const TrIndexSaved *saved = &index->saved;
  bool is_wasteful = saved->outdated > saved->whole / 2 || saved->whole > TR_INDEX_MOST_BYTES / 16 * 15;
  if (index->saved_count && (!is_wasteful || saved->whole < A_PAGE)) return index->saved_count;
  index->saved.whole = 0;
  return 0;
}

void tr_index_save(TrIndexPlace *place, const char *file_name, TrIndex *index) {
  TrIndexHead head;
  size_t length;
  if (!tr_index_is_on(place) || index->saved.is_unusable || index->opened_us == 0) return;
  if (tr_index_finish(index) != SQLITE_OK || index->count == 0 || !is_worth_saving(index)) return;
  if (!tr_index_place_enter(place, true) || !make_head(index, &head)) return;
  unsigned char *bytes = tr_index_encode(index, &head, first_to_save(index), &length);
  if (bytes) write_locked(place, file_name, &index->saved, bytes, length);
  sqlite3_free(bytes);
}

void tr_index_forget(TrIndexPlace *place, const char *file_name) {
  struct stat found;
  bool is_unusable;
  int fd = tr_index_is_on(place) ? tr_index_file_open(place, file_name, O_RDWR, &found, &is_unusable) : -1;
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) (void)!TEMP_FAILURE_RETRY(ftruncate(fd, 0));
  close(fd);
}
