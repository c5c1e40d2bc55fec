/*
** rotated.c - where a rotation has put a job's file, or what was in it, since a prune was killed.
**
** A rotation by renaming leaves the inode as it was: the file is found by that, under one of the names that the job's
** rotated files have. So the region that the killed prune has left in it is filled in there (region.c), and nothing of
** it is drained a second time to the file that has the job's name now. We take a write lease first: nobody else has
** the file open, and a compressor that comes now waits, and then finds the whole region.
**
** A rotation that copies, or one that has compressed the file already, leaves another inode. Then the lines are
** looked for in the files of the job that have changed since the journal was written: each line of the old file that
** stands there at the very place of the region was drained, and the rest was not. What was half a line there stays one,
** which is a reject.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COPIED_BYTES 4096
#define ROTATED_PATIENCE_MS 2000
#define CLOCK_SLACK_S 2 /* a file system's clock ticks slowly, and another machine may have written the copy */

static int rotated_error(const TrPrune *prune, int reason, const char *name, char **message) {
  if (reason == EAGAIN) {
    return tr_prune_error(prune, SQLITE_BUSY, message, 0, "is busy: another program has leased %s", name);
  }
  return tr_prune_error(
      prune, tr_error_code(reason), message, reason,
      "was rotated while a prune of it was interrupted, and %s, which may have its lines, cannot be read: give "
      "access to it, or move it elsewhere",
      name);
}

/* --- by its inode ------------------------------------------------------------------------------------------------- */

typedef struct RotatedNames {
  const TrPrune *prune;
  TrNameList names;
} RotatedNames;

static int add_rotated(void *context, const char *text) {
  RotatedNames *found = context;
  TrSegmentName name;
  if (!tr_segment_name_parse_in(found->prune->dir->store, text, &name) || name.kind != TR_SEGMENT_ROTATED ||
      name.job.length != found->prune->job_length ||
      memcmp(name.job.text, found->prune->job_id, name.job.length) != 0) {
    return SQLITE_OK;
  }
  return tr_name_list_add(&found->names, text, strlen(text));
}

static int list_rotated(const TrPrune *prune, RotatedNames *found, char **message) {
  char *what = NULL;
  *found = (RotatedNames){.prune = prune};
  int code = tr_dir_list(prune->dir, prune->poll, add_rotated, found, &what);
  if (what) tr_prune_error(prune, code, message, 0, "may have been rotated while a prune was under way: %s", what);
  sqlite3_free(what);
  return code;
}

static bool has_inode(const TrPrune *prune, const char *name, uint64_t inode) {
  struct stat found;
  return fstatat(prune->dir->fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
         (uint64_t)found.st_ino == inode;
}

int tr_rotated_find(const TrPrune *prune, uint64_t inode, char name[TR_NAME_SIZE], char **message) {
  RotatedNames rotated;
  name[0] = '\0';
  int code = list_rotated(prune, &rotated, message);
  for (size_t i = 0; code == SQLITE_OK && i < rotated.names.count && name[0] == '\0'; i++) {
    const char *text = rotated.names.name[i];
    if (strlen(text) < TR_NAME_SIZE && has_inode(prune, text, inode)) memcpy(name, text, strlen(text) + 1);
  }
  tr_name_list_free(&rotated.names);
  return code;
}

static int settle_there(TrPrune *prune, const char *name, char **message) {
  struct stat found;
  int reason = fstat(prune->live_fd, &found) == 0 ? 0 : errno;
  if (reason) return rotated_error(prune, reason, name, message);
  int code = tr_trust_drain(prune, &prune->old_stat, &found, prune->journal.owner, message);
  if (code == SQLITE_OK) code = tr_lease_claim_live(prune, tr_clock_ms() + ROTATED_PATIENCE_MS, message);
  if (code == SQLITE_OK) code = tr_region_settle(prune, message);
  tr_lease_release_live(prune);
  return code;
}

/* The rotated file takes the live one's part meanwhile. */
static int settle_in(TrPrune *prune, const char *name, char **message) {
  int live_fd = prune->live_fd;
  prune->live_fd = tr_lease_open(prune, name);
  int code = prune->live_fd < 0 ? rotated_error(prune, errno, name, message) : settle_there(prune, name, message);
  if (prune->live_fd >= 0) close(prune->live_fd);
  prune->live_fd = live_fd;
  return code;
}

int tr_rotated_settle_region(TrPrune *prune, char **message) {
  char name[TR_NAME_SIZE];
  if (prune->journal.state.region_length == 0) return SQLITE_OK;
  int code = tr_rotated_find(prune, prune->journal.state.live_ino, name, message);
  if (code != SQLITE_OK) return code;
  return name[0] ? settle_in(prune, name, message) : tr_region_lose(prune, message);
}

/* --- by its lines ------------------------------------------------------------------------------------------------- */

/* *same: the old file has this line there; its newline may be missing where `range` ends. 0, or errno. */
static int compare_with_old(const TrPrune *prune, const TrLine *line, int64_t at, TrRange range, bool *same) {
  char old[COPIED_BYTES];
  int64_t end = at + (int64_t)line->length;
  int reason = 0;
  *same = true;
  for (int64_t to = at; to < end && *same && reason == 0; at = to) {
    to = end - at < COPIED_BYTES ? end : at + COPIED_BYTES;
    reason = tr_read_at(prune->old_fd, old, (size_t)(to - at), at, same);
    *same = *same && memcmp(old, line->text + line->length - (end - at), (size_t)(to - at)) == 0;
  }
  if (reason || !*same || end == range.to) return reason;
  reason = tr_read_at(prune->old_fd, old, 1, end, same);
  *same = *same && old[0] == '\n';
  return reason;
}

/* *copied: how many bytes of `range` stand in these lines, where the region was. */
static int count_lines(const TrPrune *prune, TrLines *lines, TrRange range, int64_t *copied) {
  const int64_t region_at = prune->journal.state.region_at;
  TrLine line;
  bool same = true;
  int code = SQLITE_DONE;
  *copied = 0;
  while (range.from + *copied < range.to && (code = tr_lines_next(lines, &line)) == SQLITE_ROW) {
    int64_t at = range.from + *copied;
    if (line.offset < region_at) continue;
    if (line.offset != region_at + *copied || line.too_long || !line.terminated) break;
    if (line.length > (uint64_t)(range.to - at)) break;
    errno = compare_with_old(prune, &line, at, range, &same);
    if (errno) return SQLITE_IOERR_READ;
    if (!same) break;
    int64_t end = at + (int64_t)line.length;
    *copied = end - range.from + (end < range.to);
  }
  return code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_CORRUPT ? SQLITE_OK : code;
}

static int count_in_file(const TrPrune *prune, const TrFile *file, TrRange range, int64_t *copied) {
  TrLines lines = {.fd = -1};
  TrDecompressor decompressor = {.fd = -1};
  bool is_plain = file->codec == TR_CODEC_PLAIN;
  int64_t from = is_plain ? prune->journal.state.region_at : 0, size = is_plain ? file->stat.st_size : INT64_MAX;
  int code = is_plain ? SQLITE_OK : tr_decompressor_open(&decompressor, file->fd, file->codec, prune->poll);
  if (code == SQLITE_OK) code = tr_lines_open(&lines, file->fd, from, size, prune->max_line, false, prune->poll);
  if (!is_plain) lines.source = &decompressor.source;
  if (code == SQLITE_OK) code = count_lines(prune, &lines, range, copied);
  int reason = errno;
  tr_lines_close(&lines);
  tr_decompressor_close(&decompressor);
  tr_decompressor_end(&decompressor);
  errno = reason;
  return code;
}

/* Has it got its bytes since the journal was written? Whoever compresses or copies sets the time of the bytes back, but
** not that of the entry. */
static bool may_be_copy(const TrPrune *prune, const struct stat *found) {
  struct stat journal;
  if (fstat(prune->journal.fd, &journal) != 0) return true;
  return found->st_ctime + CLOCK_SLACK_S >= journal.st_mtime;
}

/* The one whose region is being settled, which we may have leased. */
static bool is_taken(const TrPrune *prune, const char *text) {
  struct stat taken;
  return prune->live_fd >= 0 && fstat(prune->live_fd, &taken) == 0 && has_inode(prune, text, taken.st_ino);
}

/* What is gone meanwhile, is no file, or cannot be decompressed, is no copy. */
static int count_in_name(const TrPrune *prune, const char *text, TrRange range, int64_t *copied, char **message) {
  TrSegmentName name;
  TrFile file = {.fd = -1};
  TrEntry entry;
  *copied = 0;
  if (!tr_segment_name_parse_in(prune->dir->store, text, &name) || tr_codec_obstacle(name.codec) ||
      is_taken(prune, text))
    return SQLITE_OK;
  int code = tr_dir_open_file(prune->dir, text, prune->poll, &file, &entry);
  if (code != SQLITE_OK) return code;
  file.codec = name.codec;
  if (entry == TR_ENTRY_READABLE && may_be_copy(prune, &file.stat)) code = count_in_file(prune, &file, range, copied);
  if (entry == TR_ENTRY_UNREADABLE) code = SQLITE_IOERR_READ;
  int reason = entry == TR_ENTRY_UNREADABLE ? file.error_number : errno;
  tr_file_close(&file);
  return (code & 0xff) == SQLITE_IOERR ? rotated_error(prune, reason, text, message) : code;
}

int tr_rotated_count_copied(const TrPrune *prune, TrRange range, int64_t *copied, char **message) {
  RotatedNames rotated;
  int code = list_rotated(prune, &rotated, message);
  *copied = 0;
  for (size_t i = 0; code == SQLITE_OK && i < rotated.names.count; i++) {
    int64_t here;
    code = count_in_name(prune, rotated.names.name[i], range, &here, message);
    if (here > *copied) *copied = here;
  }
  tr_name_list_free(&rotated.names);
  return code;
}
