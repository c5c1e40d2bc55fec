/*
** receipt_files.c - which files of receipts a query wants, of one results directory or of several hosts; and their
** receipts, one after another.
**
** The list is made when a query begins; each file is opened when its turn comes, so a query needs few descriptors. Its
** folder is found anew for that, by the same safe way (base/own_folder.c).
*/
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The search in one results directory. */
typedef struct ReceiptSearch {
  TrReceiptFiles *files;  /* borrowed, */
  const TrFilter *filter; /* and this */
  const char *base;       /* borrowed: path before that of the host; NULL: there is only one directory */
  TrNameList names;       /* owned: of files, in this directory */
} ReceiptSearch;

void tr_receipt_files_init(TrReceiptFiles *files, TrNames *names, TrPoll *poll) {
  *files = (TrReceiptFiles){.names = names, .poll = poll, .dir.fd = -1, .folder.fd = -1, .receipts.file.fd = -1};
}

static void leave_directory(TrReceiptFiles *files) {
  tr_receipts_close(&files->receipts);
  tr_own_folder_close(&files->folder);
  tr_dir_close(&files->dir);
  sqlite3_free(files->folder_path);
  files->folder_path = NULL;
  files->directory = NULL;
}

void tr_receipt_files_end(TrReceiptFiles *files) {
  leave_directory(files);
  for (size_t i = 0; i < files->count; i++) {
    sqlite3_free(files->file[i].path);
    if (i == 0 || files->file[i].directory != files->file[i - 1].directory) sqlite3_free(files->file[i].directory);
  }
  sqlite3_free(files->file);
  tr_hosts_free(&files->hosts);
  tr_receipt_files_init(files, files->names, files->poll);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static int visit_receipts_entry(void *context, const char *name) {
  ReceiptSearch *search = context;
  size_t length = strlen(name);
  if (!tr_name_is_job_file(name, length) || !tr_utf8_is_valid(name, length)) return SQLITE_OK;
  if (!tr_filter_wants_job(search->filter, name, length - TR_SUFFIX_LEN)) return SQLITE_OK;
  return tr_name_list_add(&search->names, name, length);
}

/* Files that the query names need no listing. */
static int find_one_named(ReceiptSearch *search, const TrDir *folder, const char *name, char **message) {
  struct stat unused;
  if (fstatat(folder->fd, name, &unused, AT_SYMLINK_NOFOLLOW) == 0) return visit_receipts_entry(search, name);
  if (errno == ENOENT) return SQLITE_OK;
  int reason = errno;
  return tr_error(message, tr_error_code(reason),
                  TR_RECEIPTS_WHAT ", %s/" TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER "/%s: it cannot be examined: %s",
                  folder->path, name, strerror(reason));
}

static int find_named(ReceiptSearch *search, const TrDir *folder, const TrNames *jobs, char **message) {
  char name[TR_NAME_SIZE];
  const char *job_id;
  int code = SQLITE_OK;
  for (uint32_t i = 0; jobs && code == SQLITE_OK && (job_id = tr_names_get(jobs, i)) != NULL; i++) {
    if (!tr_job_id_is_usable(job_id, strlen(job_id))) continue;
    sqlite3_snprintf(sizeof name, name, "%s" TR_SUFFIX, job_id);
    code = find_one_named(search, folder, name, message);
  }
  return code;
}

/* Its ordinal is that of its own path, so that its rowids are no other file's. */
static int intern_receipts(TrReceiptFiles *files, TrReceiptPath *file, const char *host_path, char **message) {
  const char *name = tr_hosts_file_name(file->path);
  char *path = sqlite3_mprintf("%s/" TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER "/%s", host_path, name);
  int code = path ? tr_names_intern(files->names, path, strlen(path), &file->ordinal) : SQLITE_NOMEM;
  sqlite3_free(path);
  return code == SQLITE_FULL ? tr_error(message, SQLITE_ERROR, "this connection has seen too many files") : code;
}

/* The list owns `directory` from the first file on. */
static int add_receipt_file(TrReceiptFiles *files, char *directory, const char *host_path, const char *name,
                            char **message) {
  TrReceiptPath *grown = tr_array_reserve(files->file, &files->room, files->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  files->file = grown;
  TrReceiptPath *file = &grown[files->count];
  *file = (TrReceiptPath){.directory = directory};
  file->path = sqlite3_mprintf("%s%s%s", host_path, *host_path ? "/" : "", name);
  if (file->path == NULL) return SQLITE_NOMEM;
  files->count++;
  return intern_receipts(files, file, host_path, message);
}

static int add_receipt_files(ReceiptSearch *search, const char *host_path, char **message) {
  TrReceiptFiles *files = search->files;
  size_t before = files->count;
  if (search->names.count == 0) return SQLITE_OK;
  char *directory =
      search->base ? sqlite3_mprintf("%s/%s", search->base, host_path) : sqlite3_mprintf("%s", files->dir.path);
  int code = directory ? SQLITE_OK : SQLITE_NOMEM;
  tr_name_list_sort(&search->names);
  for (size_t i = 0; i < search->names.count && code == SQLITE_OK; i++) {
    code = add_receipt_file(files, directory, search->base ? host_path : "", search->names.name[i], message);
  }
  if (files->count == before) sqlite3_free(directory);
  return code;
}

static int find_in_directory(void *context, TrDir *dir, TrBytes host, char **message) {
  (void)host;
  ReceiptSearch *search = context;
  TrOwnFolder folder;
  int code = tr_receipts_enter(&folder, dir->fd, dir->path, false, message);
  if (code != SQLITE_OK || folder.fd < 0) return code;
  const TrJobTerm *exact = tr_filter_exact_jobs(search->filter);
  TrDir receipts = {.fd = folder.fd, .store = dir->store, .path = dir->path};
  code = exact ? find_named(search, &receipts, exact->names, message)
               : tr_dir_list(&receipts, search->files->poll, visit_receipts_entry, search, message);
  tr_own_folder_close(&folder);
  if (code == SQLITE_OK) code = add_receipt_files(search, dir->path, message);
  tr_name_list_free(&search->names);
  return code;
}

int tr_receipt_files_find(TrReceiptFiles *files, const TrSettings *settings, const TrFilter *filter, char **message) {
  const char *path = tr_settings_dir(settings);
  ReceiptSearch search = {.files = files, .filter = filter};
  tr_receipt_files_end(files);
  int code = tr_hosts_init(&files->hosts, path, message);
  if (code != SQLITE_OK || (filter->host_count > 0 && files->hosts.base == NULL)) return code; /* no row has a host */
  search.base = files->hosts.base;
  code = tr_dir_open(&files->dir, settings->store, search.base ? search.base : path, message);
  if (code == SQLITE_OK) {
    code = search.base
               ? tr_hosts_visit(&files->hosts, &files->dir, files->poll, filter, find_in_directory, &search, message)
               : find_in_directory(&search, &files->dir, (TrBytes){0}, message);
  }
  tr_name_list_free(&search.names);
  tr_dir_close(&files->dir);
  files->store = settings->store;
  return code;
}

/* --- one file after another --------------------------------------------------------------------------------------- */

static int enter_directory(TrReceiptFiles *files, const char *directory, char **message) {
  if (files->directory == directory) return SQLITE_OK;
  leave_directory(files);
  files->folder_path = tr_receipts_path(directory);
  int code = files->folder_path ? tr_dir_open(&files->dir, files->store, directory, message) : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    code = tr_receipts_enter(&files->folder, files->dir.fd, directory, false, message);
  }
  if (code != SQLITE_OK) return code;
  tr_dir_close(&files->dir);
  files->dir = (TrDir){.fd = files->folder.fd, .store = files->store, .path = files->folder_path};
  files->folder.fd = -1; /* its descriptor is dir's now */
  files->directory = directory;
  return SQLITE_OK;
}

int tr_receipt_files_next(TrReceiptFiles *files, char **message) {
  int code = tr_receipts_next(&files->receipts, message);
  while (code == SQLITE_DONE && files->at < files->count) {
    files->current = &files->file[files->at++];
    code = enter_directory(files, files->current->directory, message);
    if (code == SQLITE_OK && files->dir.fd >= 0) {
      code = tr_receipts_open(&files->receipts, &files->dir, tr_hosts_file_name(files->current->path), files->poll,
                              message);
    }
    if (code == SQLITE_OK) code = tr_receipts_next(&files->receipts, message);
  }
  return code;
}

int64_t tr_receipt_files_rowid(const TrReceiptFiles *files) {
  return (int64_t)((uint64_t)files->current->ordinal << TR_OFFSET_BITS | (uint64_t)files->receipts.line.offset);
}

TrBytes tr_receipt_files_job(const TrReceiptFiles *files) {
  const char *name = tr_hosts_file_name(files->current->path);
  return (TrBytes){name, strlen(name) - TR_SUFFIX_LEN};
}

TrBytes tr_receipt_files_host(const TrReceiptFiles *files) {
  TrBytes host;
  tr_hosts_own(&files->hosts, files->current->path, &host);
  return host;
}
