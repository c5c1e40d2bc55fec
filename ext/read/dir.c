/*
** dir.c - directory -> files.
**
** Others own the directory: an entry can be a FIFO whose open() would block for ever, a link that leads elsewhere, or
** gone by the time it is opened. So we open names relative to one open directory, follow no link and wait for no peer;
** and fstat() checks the file that was opened, not the entry that was listed.
*/
#include "read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

const TrStore tr_results_store = {.prefix = "",
                                  .suffix = TR_SUFFIX,
                                  .suffix_length = TR_SUFFIX_LEN,
                                  .word = "results",
                                  .table = "task_results",
                                  .variable = "SCHEDULER_RESULTS_DIR",
                                  .default_dir = "/opt/.task-scheduler/results"};

const TrStore tr_logs_store = {.prefix = "",
                               .suffix = ".log",
                               .suffix_length = 4,
                               .word = "logs",
                               .table = "task_logs",
                               .variable = "SCHEDULER_LOGS_DIR",
                               .default_dir = "/opt/.task-scheduler/logs"};

int tr_dir_check_single(const TrStore *store, const char *path, char **message) {
  if (strchr(path, '*') == NULL) return SQLITE_OK;
  return tr_error(message, SQLITE_CANTOPEN, "%s directory %s: a * stands for several hosts, and this needs one",
                  store->word, path);
}

int tr_dir_open(TrDir *dir, const TrStore *store, const char *path, char **message) {
  dir->store = store;
  dir->path = path;
  dir->fd = -1;
  int code = tr_dir_check_single(store, path, message);
  if (code != SQLITE_OK) return code;
  do {
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (dir->fd < 0 && errno == EINTR);
  if (dir->fd >= 0) return SQLITE_OK;
  int reason = errno;
  return tr_error(message, SQLITE_CANTOPEN,
                  "%s directory %s: %s (set %s, or name one: CREATE VIRTUAL TABLE temp.r USING %s(dir='/path'))",
                  store->word, path, strerror(reason), store->variable, store->table);
}

void tr_dir_close(TrDir *dir) {
  if (dir->fd >= 0) close(dir->fd);
  dir->fd = -1;
}

static int list_error(TrDir *dir, int reason, char **message) {
  return tr_error(message, SQLITE_IOERR_READ, "%s directory %s cannot be listed: %s", dir->store->word, dir->path,
                  strerror(reason));
}

int tr_dir_list(TrDir *dir, TrPoll *poll, int (*visit)(void *context, const char *name), void *context,
                char **message) {
  /* fdopendir() takes over its descriptor, and a duplicate would share the position; so the directory is opened
  ** again. */
  int fd = (int)TEMP_FAILURE_RETRY(openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd < 0) return list_error(dir, errno, message);
  DIR *stream = fdopendir(fd);
  if (stream == NULL) {
    int reason = errno;
    close(fd);
    return reason == ENOMEM ? SQLITE_NOMEM : list_error(dir, reason, message);
  }
  int code = SQLITE_OK;
  for (unsigned count = 1; code == SQLITE_OK; count++) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (entry == NULL) {
      if (errno) code = list_error(dir, errno, message);
      break;
    }
    if (count % 1024 == 0) code = tr_poll(poll);
    if (code == SQLITE_OK) code = visit(context, entry->d_name);
  }
  closedir(stream);
  return code;
}

/* If the entry is not a regular file, a failed open only tells what the entry is; it is not an error. */
static TrEntry classify_failure(TrDir *dir, const char *name, int error_number, TrFile *file) {
  if (error_number == ENOENT) return TR_ENTRY_VANISHED;
  if (fstatat(dir->fd, name, &file->stat, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(file->stat.st_mode)) return TR_ENTRY_IRREGULAR;
  } else if (errno == ENOENT) {
    return TR_ENTRY_VANISHED;
  }
  file->error_number = error_number;
  return TR_ENTRY_UNREADABLE;
}

int tr_dir_open_file(TrDir *dir, const char *name, TrPoll *poll, TrFile *file, TrEntry *entry) {
  int reason, code = tr_poll(poll);
  file->fd = -1;
  file->error_number = 0;
  file->frames = NULL;
  file->index = NULL;
  if (code == SQLITE_OK) code = tr_open_leased(dir->fd, name, O_RDONLY, poll, &file->fd, &reason);
  if (code != SQLITE_OK) return code;
  if (file->fd < 0) {
    *entry = classify_failure(dir, name, reason, file);
    return SQLITE_OK;
  }
  *entry = TR_ENTRY_READABLE;
  if (fstat(file->fd, &file->stat) != 0) {
    file->error_number = errno;
    *entry = TR_ENTRY_UNREADABLE;
  } else if (!S_ISREG(file->stat.st_mode)) {
    *entry = TR_ENTRY_IRREGULAR;
  }
  if (*entry != TR_ENTRY_READABLE) tr_file_close(file);
  return SQLITE_OK;
}

void tr_file_close(TrFile *file) {
  if (file->fd >= 0) close(file->fd);
  file->fd = -1;
  if (file->frames) file->free_frames(file->frames);
  if (file->index) file->free_index(file->index);
  file->frames = NULL;
  file->index = NULL;
}

bool tr_store_has_name(const TrStore *store, const char *name, size_t length) {
  size_t suffix = store->suffix_length, prefix = store->prefix_length;
  if (store->is_one_name ? length != prefix : length < prefix + suffix) return false;
  if (prefix > 0 && memcmp(name, store->prefix, prefix) != 0) return false;
  return memcmp(name + length - suffix, store->suffix, suffix) == 0;
}

bool tr_store_has_job(const TrStore *store, const char *job_id, size_t length) {
  return length <= NAME_MAX - store->suffix_length - store->prefix_length && memchr(job_id, '/', length) == NULL &&
         memchr(job_id, '\0', length) == NULL;
}

bool tr_name_is_job_file(const char *name, size_t length) {
  return tr_store_has_name(&tr_results_store, name, length);
}

bool tr_job_id_is_usable(const char *job_id, size_t length) {
  return tr_store_has_job(&tr_results_store, job_id, length);
}
