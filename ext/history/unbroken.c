/*
** unbroken.c - from which byte of a job's file on no run is missing.
**
** A prune may remove lines from the middle of a file: then two failures that it keeps stand side by side, as if nothing
** had run between them. So its receipt has the byte of the new file from which on no run is missing, and a hash of what
** stands before that byte. A later prune carries the byte on. Only the last receipt of a file counts: the others are of
** files that it has replaced.
**
** The hash tells whether the file is the one that the receipt is about. So the byte is not taken for one of a file that
** has been begun anew (by logrotate's create or copytruncate), and it is found in a copy of the directory.
**
** Beside a prune, after the file was opened, and in this order:
**
**   1  the pending receipt. It counts if our file is the one that the prune has made: then the exchange is behind us
**   2  the receipts, from the last one on. One of a prune of our very file is passed over: the exchange came later.
**      (Its inode alone does not tell that: a file that was restored since may have got it. So the name is looked up)
**
** If the prune ends between 1 and 2, its receipt is among those of 2. Lines that are no receipts are passed over, too:
** task_prunes and task_days tell of them.
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASHED_BYTES 256 /* before the byte: usually the last line, or a good part of it */

int tr_unbroken_hash(int fd, int64_t from, uint64_t *hash) {
  unsigned char bytes[HASHED_BYTES];
  size_t count = from < HASHED_BYTES ? (size_t)from : HASHED_BYTES;
  bool whole = true;
  int reason = count ? tr_read_at(fd, bytes, count, from - (int64_t)count, &whole) : 0;
  if (reason == 0 && !whole) reason = ENODATA;
  *hash = tr_hash_bytes(bytes, reason ? 0 : count);
  return reason;
}

/* --- does a receipt tell it of this file? ------------------------------------------------------------------------- */

typedef struct FileSearch {
  const TrFile *file; /* borrowed, as all of this */
  int dir_fd;         /* its directory */
  const char *name;   /* of the job's live file */
  bool is_pending;    /* the receipt has not been appended yet */
} FileSearch;

static bool has_name(const FileSearch *search) {
  struct stat now;
  return fstatat(search->dir_fd, search->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
         now.st_ino == search->file->stat.st_ino;
}

static bool counts_for(const FileSearch *search, const TrReceipt *receipt) {
  uint64_t inode = search->file->stat.st_ino;
  if (search->is_pending) return receipt->new.inode == inode;
  return !receipt->is_replaced && (receipt->old.inode != inode || has_name(search));
}

static bool is_of_file(const TrReceipt *receipt, const TrFile *file) {
  uint64_t hash;
  if (receipt->unbroken_from == 0) return true;
  if (receipt->unbroken_from > file->stat.st_size) return false;
  if (!receipt->has_unbroken) return receipt->new.inode == file->stat.st_ino; /* see take_unbroken() */
  return tr_unbroken_hash(file->fd, receipt->unbroken_from, &hash) == 0 && hash == receipt->unbroken_hash;
}

/* SQLITE_OK: the line says nothing of the file. */
static int take_receipt_of_file(const FileSearch *search, const TrLine *line, int64_t *from) {
  TrReceipt receipt;
  if (line->too_long || !line->terminated) return SQLITE_OK;
  int code = tr_receipt_parse((const char *)line->text, (size_t)line->length, &receipt, NULL);
  if (code != SQLITE_OK) return code == SQLITE_CORRUPT ? SQLITE_OK : code;
  bool counts = counts_for(search, &receipt);
  if (counts && is_of_file(&receipt, search->file)) *from = receipt.unbroken_from;
  tr_receipt_free(&receipt);
  return counts ? SQLITE_DONE : SQLITE_OK;
}

/* SQLITE_DONE: one of them counts. */
static int search_receipts(const FileSearch *search, int fd, int64_t size, TrPoll *poll, int64_t *from) {
  TrLines lines = {.fd = -1};
  TrLine line;
  int found = SQLITE_OK;
  int code = tr_lines_open(&lines, fd, 0, size, TR_RECEIPT_MAX_BYTES, true, poll);
  while (code == SQLITE_OK && found == SQLITE_OK && (code = tr_lines_next(&lines, &line)) == SQLITE_ROW) {
    found = take_receipt_of_file(search, &line, from);
    code = SQLITE_OK;
  }
  tr_lines_close(&lines);
  return code == SQLITE_DONE || code == SQLITE_OK ? found : code;
}

int tr_unbroken_of_receipts(int fd, int dir_fd, const char *name, const TrFile *file, TrPoll *poll, int64_t *from) {
  FileSearch search = {.file = file, .dir_fd = dir_fd, .name = name};
  struct stat receipts;
  *from = 0;
  if (fstat(fd, &receipts) != 0) return SQLITE_IOERR_FSTAT;
  int code = search_receipts(&search, fd, receipts.st_size, poll, from);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- the folder of receipts --------------------------------------------------------------------------------------- */

void tr_unbroken_init(TrUnbroken *unbroken, TrPoll *poll) {
  *unbroken = (TrUnbroken){.poll = poll, .folder.fd = -1};
}

void tr_unbroken_end(TrUnbroken *unbroken) {
  tr_own_folder_close(&unbroken->folder);
  tr_name_list_free(&unbroken->names);
  sqlite3_free(unbroken->directory);
  sqlite3_free(unbroken->folder_path);
  tr_unbroken_init(unbroken, unbroken->poll);
}

static int add_receipts_name(void *context, const char *name) {
  return tr_name_list_add(context, name, strlen(name));
}

static TrDir receipts_folder(const TrUnbroken *unbroken) {
  return (TrDir){.fd = unbroken->folder.fd, .store = &tr_results_store, .path = unbroken->folder_path};
}

static int list_receipts_folder(TrUnbroken *unbroken, char **message) {
  TrDir folder = receipts_folder(unbroken);
  int code = tr_dir_list(&folder, unbroken->poll, add_receipts_name, &unbroken->names, message);
  tr_name_list_sort(&unbroken->names);
  unbroken->is_listed = true;
  return code;
}

static int enter_folder(TrUnbroken *unbroken, int dir_fd, const char *directory, bool lists, char **message) {
  tr_unbroken_end(unbroken);
  unbroken->directory = sqlite3_mprintf("%s", directory);
  unbroken->folder_path = tr_receipts_path(directory);
  if (unbroken->directory == NULL || unbroken->folder_path == NULL) return SQLITE_NOMEM;
  int code = tr_receipts_enter(&unbroken->folder, dir_fd, directory, false, message);
  return code == SQLITE_OK && lists && unbroken->folder.fd >= 0 ? list_receipts_folder(unbroken, message) : code;
}

static int compare_receipts_names(const void *key, const void *element) {
  return strcmp(key, *(char *const *)element);
}

static bool has_receipts(const TrUnbroken *unbroken, const char *name) {
  const TrNameList *names = &unbroken->names;
  if (unbroken->folder.fd < 0) return false;
  if (!unbroken->is_listed) return true;
  return names->count && bsearch(name, names->name, names->count, sizeof *names->name, compare_receipts_names);
}

static int search_one(const TrUnbroken *unbroken, const FileSearch *search, const char *name, int64_t *from,
                      char **message) {
  TrDir folder = receipts_folder(unbroken);
  TrFile receipts = {.fd = -1};
  int code = tr_receipts_open_file(&folder, name, unbroken->poll, &receipts, message);
  if (code != SQLITE_OK || receipts.fd < 0) return code;
  code = search_receipts(search, receipts.fd, receipts.stat.st_size, unbroken->poll, from);
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT)
    tr_error(message, code, TR_RECEIPTS_WHAT ", %s/%s: %s", unbroken->folder_path, name, strerror(errno));
  tr_file_close(&receipts);
  return code;
}

/* Both steps. */
static int search_folder(const TrUnbroken *unbroken, FileSearch *search, int64_t *from, char **message) {
  char pending[TR_PENDING_NAME_SIZE];
  tr_receipts_pending_name(search->name, strlen(search->name) - TR_SUFFIX_LEN, pending);
  search->is_pending = true;
  int code = search_one(unbroken, search, pending, from, message);
  search->is_pending = false;
  if (code == SQLITE_OK) code = search_one(unbroken, search, search->name, from, message);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

int tr_unbroken_find(TrUnbroken *unbroken, int dir_fd, const char *directory, bool lists, const char *name,
                     const TrFile *file, int64_t *from, char **message) {
  FileSearch search = {.file = file, .dir_fd = dir_fd, .name = name};
  int code = SQLITE_OK;
  *from = 0;
  if (unbroken->directory == NULL || strcmp(unbroken->directory, directory) != 0) {
    code = enter_folder(unbroken, dir_fd, directory, lists, message);
  }
  if (code != SQLITE_OK || !has_receipts(unbroken, name)) return code;
  return search_folder(unbroken, &search, from, message);
}
