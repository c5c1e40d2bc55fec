/*
** moves.c - tells `taskresults ship` where a prune has moved the lines that it has not read yet.
**
** Before the exchange, a prune appends one line to .taskresults/shipped/moves:
**
**   {"file":"JOB.jsonl","dev":D,"inode":OLD,"end":A,"new_inode":NEW,"new_end":B}
**
** What was at byte A of the old file, and everything behind it, is in the new one from byte B on; before A, something
** was dropped. (A is at most the slowest mark of ship_marks.c, unless the prune was told to drop what is not shipped.)
**
** The line is on disk before the exchange. So a prune that is killed may leave a line of a move that never happened;
** whoever reads it finds that no file of that inode has the job's name. It never leaves a move without its line. When
** the file has grown large, it becomes moves.1 and a new one begins, under a lock on the file itself.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MOVES "moves"
#define OLDER_MOVES "moves.1"
#define MOVES_PATIENCE_MS 2000
#ifndef TR_MAX_MOVES_BYTES
#define TR_MAX_MOVES_BYTES (1024 * 1024)
#endif

static int moves_error(const TrPrune *prune, int reason, const char *what, char **message) {
  int code = reason == EAGAIN ? SQLITE_BUSY : reason ? tr_error_code(reason) : SQLITE_ERROR;
  return tr_prune_error(prune, code, message, reason,
                        "cannot be pruned: " TR_OWN_FOLDER "/" TR_SHIPPED "/" MOVES
                        ", which tells taskresults ship where its lines go, %s",
                        what);
}

/* A file that root makes has to be the shipper's, who reads it. */
static int adopt_moves(const TrPrune *prune, int fd, char **message) {
  const struct stat *folder = &prune->marks->folder.found;
  bool is_ours = folder->st_uid == geteuid();
  if (!is_ours && fchown(fd, folder->st_uid, folder->st_gid) != 0) {
    return moves_error(prune, errno, "cannot be given to the folder's owner", message);
  }
  if (TEMP_FAILURE_RETRY(fsync(prune->marks->folder.fd)) == 0) return SQLITE_OK;
  return moves_error(prune, errno, "cannot be secured", message);
}

static int check_moves(const TrPrune *prune, const struct stat *found, char **message) {
  if (!S_ISREG(found->st_mode)) return moves_error(prune, 0, "is not a regular file", message);
  if (found->st_nlink > 1) return moves_error(prune, 0, "has several names (hard links)", message);
  if (tr_own_folder_trusts(&prune->marks->folder, found->st_uid)) return SQLITE_OK;
  return moves_error(prune, 0, "belongs to another user", message);
}

static int lock_moves(const TrPrune *prune, int fd, char **message) {
  int64_t deadline_ms = tr_clock_ms() + MOVES_PATIENCE_MS;
  while (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) != 0) {
    if (errno != EWOULDBLOCK || tr_clock_ms() >= deadline_ms) {
      return moves_error(prune, errno, "cannot be locked", message);
    }
    tr_lease_pause();
  }
  return SQLITE_OK;
}

/* Opens and locks the file. *is_current: no other prune has renamed it meanwhile, nor did we. */
static int open_moves(const TrPrune *prune, int *fd, struct stat *found, bool *is_current, char **message) {
  int dir = prune->marks->folder.fd,
      flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  struct stat named;
  *fd = (int)TEMP_FAILURE_RETRY(openat(dir, MOVES, flags, 0600));
  if (*fd < 0) return moves_error(prune, errno, "cannot be opened", message);
  int code = lock_moves(prune, *fd, message);
  if (code != SQLITE_OK) return code;
  if (fstat(*fd, found) != 0) return moves_error(prune, errno, "cannot be examined", message);
  code = check_moves(prune, found, message);
  *is_current = fstatat(dir, MOVES, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == found->st_dev &&
                named.st_ino == found->st_ino;
  if (code != SQLITE_OK || !*is_current || found->st_size <= TR_MAX_MOVES_BYTES) return code;
  *is_current = false;
  if (TEMP_FAILURE_RETRY(renameat(dir, MOVES, dir, OLDER_MOVES)) == 0) return SQLITE_OK;
  return moves_error(prune, errno, "cannot be renamed to " OLDER_MOVES, message);
}

/* From where on everything stays: the last kept range, if nothing behind it is dropped. */
static int64_t find_kept_end(const TrSelection *selection) {
  const TrRange *last = selection->count ? &selection->range[selection->count - 1] : NULL;
  return last && last->to == selection->end ? last->from : selection->end;
}

/* NULL: out of memory. */
static char *move_line(const TrPrune *prune, const struct stat *live, bool is_torn) {
  const TrSelection *selection = &prune->selection;
  int64_t end = find_kept_end(selection);
  sqlite3_str *out = sqlite3_str_new(NULL);
  sqlite3_str_appendall(out, is_torn ? "\n{\"file\":" : "{\"file\":");
  tr_json_append_string(out, prune->file_name, strlen(prune->file_name));
  sqlite3_str_appendchar(out, 1, ',');
  tr_json_append_exact(out, "dev", prune->old_stat.st_dev);
  sqlite3_str_appendchar(out, 1, ',');
  tr_json_append_exact(out, "inode", prune->old_stat.st_ino);
  sqlite3_str_appendf(out, ",\"end\":%lld,", (long long)end);
  tr_json_append_exact(out, "new_inode", live->st_ino);
  sqlite3_str_appendf(out, ",\"new_end\":%lld}\n", (long long)(selection->kept_bytes - (selection->end - end)));
  return sqlite3_str_finish(out);
}

static int write_move(const TrPrune *prune, int fd, int64_t size, char **message) {
  struct stat live;
  char last = '\n';
  bool whole = true;
  if (fstat(prune->live_fd, &live) != 0) return moves_error(prune, errno, "cannot be written", message);
  int reason = size > 0 ? tr_read_at(fd, &last, 1, size - 1, &whole) : 0;
  if (reason) return moves_error(prune, reason, "cannot be read", message);
  char *line = move_line(prune, &live, last != '\n');
  if (line == NULL) return SQLITE_NOMEM;
  reason = tr_write_at(fd, line, strlen(line), size); /* O_APPEND: at the end, wherever that is */
  if (reason == 0 && TEMP_FAILURE_RETRY(fdatasync(fd)) != 0) reason = errno;
  sqlite3_free(line);
  return reason ? moves_error(prune, reason, "cannot be written", message) : SQLITE_OK;
}

static int append_move(const TrPrune *prune, char **message) {
  int fd = -1, code = SQLITE_OK;
  bool is_current = false;
  struct stat found, after;
  while (code == SQLITE_OK && !is_current) {
    if (fd >= 0) close(fd);
    code = open_moves(prune, &fd, &found, &is_current, message);
  }
  if (code == SQLITE_OK && found.st_size == 0) code = adopt_moves(prune, fd, message);
  if (code == SQLITE_OK) code = write_move(prune, fd, found.st_size, message);
  if (code == SQLITE_OK && fstat(fd, &after) == 0) tr_marks_note_move(prune->marks, &found, &after);
  if (fd >= 0) close(fd);
  return code;
}

int tr_moves_append(const TrPrune *prune, char **message) {
  if (prune->marks->sinks.count == 0) return SQLITE_OK;
  /* Ship sends names that are UTF-8. */
  if (!tr_utf8_is_valid(prune->file_name, strlen(prune->file_name))) return SQLITE_OK;
  int code = append_move(prune, message);
  bool is_needed = !prune->options->unshipped || code == SQLITE_NOMEM;
  if (code == SQLITE_OK || is_needed) return code;
  /* Without the line, ship sends the file once more, which it knows how to do. */
  sqlite3_free(*message);
  *message = NULL;
  return SQLITE_OK;
}
