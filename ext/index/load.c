/*
** load.c - the file of an index -> what is known, if it is believed.
**
** It is believed if the job's file is the same one (inode, and when it was born), and still begins with the bytes that
** were read: their first and last page have the same hash. Then
**
**   it has grown: that is all. Whoever appends changes nothing before
**   it has the same size, and both of its times are those of then, and were settled then: it was not touched
**   anything else: all blocks are hashed again, and if they are the same, that is saved with the new times
**
** A time is settled once it is two seconds old: until then, a further change may leave it the same. Not noticed is a
** change that keeps the length, the first page and the last one, and the times or the end of the file behind it. So of
** the n-th file of a question of which nothing new has to be read, a random block is hashed again with the chance 1/n:
** one at least for each question, and no file is spared for ever.
*/
#include "index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- the file ----------------------------------------------------------------------------------------------------- */

int tr_index_file_open(const TrIndexPlace *place, const char *file_name, int flags, struct stat *found,
                       bool *is_unusable) {
  *is_unusable = false;
  flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int fd = (int)TEMP_FAILURE_RETRY(openat(place->fd, file_name, flags, 0600));
  if (fd < 0) {
    *is_unusable = errno != ENOENT;
    return -1;
  }
  bool is_fine = fstat(fd, found) == 0 && S_ISREG(found->st_mode) && found->st_uid == geteuid() &&
                 found->st_nlink == 1 && !(found->st_mode & (S_IWGRP | S_IWOTH));
  if (is_fine) return fd;
  *is_unusable = true;
  close(fd);
  return -1;
}

static int read_saved(TrIndexSaved *saved, int fd, const struct stat *found, int64_t most_bytes) {
  saved->inode = (uint64_t)found->st_ino;
  saved->size = (int64_t)found->st_size;
  if (saved->size > most_bytes || saved->size == 0) return SQLITE_OK;
  saved->bytes = sqlite3_malloc64((uint64_t)saved->size);
  if (saved->bytes == NULL) return SQLITE_NOMEM;
  int64_t got = 0;
  while (got < saved->size) {
    ssize_t n = TEMP_FAILURE_RETRY(pread(fd, saved->bytes + got, (size_t)(saved->size - got), got));
    if (n <= 0) break; /* it cannot be read, or was cut just now: what is there is looked at */
    got += n;
  }
  if (got < saved->size) saved->is_unusable = true; /* for writing */
  memset(saved->bytes + got, 0, (size_t)(saved->size - got));
  return SQLITE_OK;
}

/* --- belief ------------------------------------------------------------------------------------------------------- */

static int64_t ns_of(struct timespec time) {
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void identify_file(const TrFile *file, TrIndexIdentity *identity) {
  *identity = (TrIndexIdentity){.inode = (uint64_t)file->stat.st_ino,
                                .size = (int64_t)file->stat.st_size,
                                .changed_ns = ns_of(file->stat.st_mtim),
                                .status_changed_ns = ns_of(file->stat.st_ctim),
                                .born_ns = tr_birth_ns(file->fd)};
}

static bool is_settled(const TrIndexIdentity *identity, int64_t at_us) {
  int64_t until_ns = (at_us - TR_INDEX_SETTLED_US) * 1000;
  return identity->changed_ns < until_ns && identity->status_changed_ns < until_ns;
}

static bool pages_are_same(const TrIndex *index, const TrIndexHead *head) {
  TrIndexHead now = {.end = head->end};
  return tr_index_hash_pages(index, &now) && memcmp(now.first_page, head->first_page, TR_INDEX_HASH_BYTES) == 0 &&
         memcmp(now.last_page, head->last_page, TR_INDEX_HASH_BYTES) == 0;
}

static bool is_untouched(const TrIndex *index, const TrIndexHead *head) {
  const TrIndexIdentity *now = &index->identity, *then = &head->identity;
  return now->size == then->size && now->changed_ns == then->changed_ns &&
         now->status_changed_ns == then->status_changed_ns && is_settled(then, head->opened_us);
}

int tr_index_block_is_same(const TrIndex *index, size_t number, bool *is_same) {
  const TrIndexBlock *block = &index->block[number];
  unsigned char now[TR_INDEX_HASH_BYTES];
  TrFastHash *hash = tr_fast_hash_new();
  *is_same = false;
  if (hash == NULL) return SQLITE_NOMEM;
  tr_fast_hash_begin(hash, index->saved.seed);
  if (tr_fast_hash_add_file(hash, index->fd, block->from, block->to)) {
    tr_fast_hash_end(hash, now);
    *is_same = memcmp(now, block->hash, sizeof now) == 0;
  }
  tr_fast_hash_free(hash);
  return SQLITE_OK;
}

static uint64_t next_random(TrIndexPlace *place) { /* xorshift */
  place->random ^= place->random << 13;
  place->random ^= place->random >> 7;
  place->random ^= place->random << 17;
  return place->random;
}

/* So an edit in the middle is noticed sooner or later, and a question reads few blocks for it, however many files. */
static int check_at_random(TrIndexPlace *place, const TrIndex *index, bool *is_same) {
  *is_same = true;
  if (place->samples_none || next_random(place) % ++place->unread != 0) return SQLITE_OK;
  return tr_index_block_is_same(index, next_random(place) % index->count, is_same);
}

static int blocks_are_same(const TrIndex *index, TrPoll *poll, bool *are_same) {
  int code = SQLITE_OK;
  *are_same = true;
  for (size_t i = 0; i < index->count && code == SQLITE_OK && *are_same; i++) {
    code = tr_poll(poll);
    if (code == SQLITE_OK) code = tr_index_block_is_same(index, i, are_same);
  }
  return code;
}

static int believe(TrIndexPlace *place, TrIndex *index, const TrIndexHead *head, TrPoll *poll, bool *is_believed) {
  const TrIndexIdentity *now = &index->identity, *then = &head->identity;
  *is_believed = false;
  if (index->count == 0 || now->inode != then->inode || now->born_ns != then->born_ns) return SQLITE_OK;
  if (now->size < head->end || !pages_are_same(index, head)) return SQLITE_OK;
  if (now->size <= then->size && !is_untouched(index, head)) {
    index->wants_save = is_settled(now, index->opened_us);
    return blocks_are_same(index, poll, is_believed);
  }
  return check_at_random(place, index, is_believed);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static void start_anew(TrIndex *index) {
  index->count = index->saved_count = 0;
  index->end = index->saved_end = 0;
  index->wants_save = false;
  index->saved.whole = index->saved.outdated = 0;
  if (tr_random_bytes(&index->saved.seed, sizeof index->saved.seed) != 0) index->saved.seed = (uint64_t)tr_clock_us();
}

/* Is a prune of the job at work, or was it killed? This is asked after the file was opened: if not, then one that
** begins later fills in another file, which takes this one's name. */
static bool is_draining(const TrIndexPlace *place, const char *file_name) {
  char journal[TR_LEFTOVER_NAME_SIZE];
  struct stat found;
  size_t length = strlen(file_name);
  if (length >= TR_SUFFIX_LEN && strcmp(file_name + length - TR_SUFFIX_LEN, TR_SUFFIX) == 0) length -= TR_SUFFIX_LEN;
  tr_leftover_name(file_name, length, ".journal", journal);
  return fstatat(place->dir_fd, journal, &found, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int read_index(TrIndexPlace *place, const char *file_name, TrIndex *index) {
  TrIndexSaved *saved = &index->saved;
  struct stat found;
  int64_t most_bytes = index->identity.size < TR_INDEX_MOST_BYTES ? index->identity.size : TR_INDEX_MOST_BYTES;
  if (place->fd < 0) return SQLITE_OK;
  int fd = tr_index_file_open(place, file_name, O_RDONLY, &found, &saved->is_unusable);
  if (fd < 0) return SQLITE_OK;
  int code = read_saved(saved, fd, &found, most_bytes);
  close(fd);
  return code;
}

static int take_believed(TrIndexPlace *place, TrIndex *index, TrPoll *poll) {
  TrIndexHead head;
  bool is_believed = false;
  int code = SQLITE_OK;
  if (index->saved.bytes) code = tr_index_decode(index, &head, &is_believed);
  if (code == SQLITE_OK && is_believed) code = believe(place, index, &head, poll, &is_believed);
  if (code != SQLITE_OK) return code;
  if (!is_believed) {
    start_anew(index);
    return SQLITE_OK;
  }
  index->end = index->saved_end = head.end;
  index->saved_count = index->count;
  index->known_us = head.opened_us;
  for (size_t i = 0; i < index->count; i++) index->packed_bytes += index->block[i].packed_bytes;
  return SQLITE_OK;
}

/* Lines will be added, and the last block goes on with them. */
static int prepare_last_block(TrIndex *index) {
  bool is_same = true;
  if (index->count == 0 || !index->takes_lines) return SQLITE_OK;
  const TrIndexBlock *last = &index->block[index->count - 1];
  if (last->to - last->from >= TR_INDEX_BLOCK_BYTES) return SQLITE_OK;
  int code = tr_index_resume(index, &is_same);
  if (code != SQLITE_OK || is_same) return code;
  tr_index_builder_free(index);
  index->packed_bytes = 0;
  start_anew(index);
  return SQLITE_OK;
}

int tr_index_load(TrIndexPlace *place, const char *file_name, const TrFile *file, TrPoll *poll, TrIndex *index) {
  *index = (TrIndex){.fd = file->fd};
  if (!tr_index_is_on(place) || file->stat.st_size < TR_INDEX_LEAST_BYTES) return SQLITE_OK;
  index->opened_us = tr_clock_us();
  identify_file(file, &index->identity);
  int code = tr_poll(poll);
  if (code == SQLITE_OK) code = read_index(place, file_name, index);
  if (code == SQLITE_OK) code = take_believed(place, index, poll);
  bool is_worth_it = index->identity.size - index->end >= TR_INDEX_LEAST_NEW_BYTES;
  index->takes_lines = is_worth_it && !index->saved.is_unusable && !tr_index_is_full(index);
  if (code == SQLITE_OK) code = prepare_last_block(index);
  if (code == SQLITE_OK && index->takes_lines) index->is_draining = is_draining(place, file_name);
  if (code != SQLITE_OK) tr_index_free(index);
  return code;
}
