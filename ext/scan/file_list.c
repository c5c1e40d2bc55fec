/*
** file_list.c - which entries a scan looks at, and in which order.
**
** Files are sorted by ordinal (descending for newest first), so that rowids come in order, unless the query wants the
** order of job ids. Those that jobs share are all opened at once (held_files.c). The files of several hosts (hosts.c)
** are one list. A filter that names its jobs exactly needs no directory listing, and opens only their files.
**
** With a history, the list is one of jobs, known by the paths of their live files, which need not exist. A job's
** segments (history/segments.c) are found when its turn comes.
*/
#include "scan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int list_ordinal(TrFileList *list, uint32_t ordinal) {
  uint32_t *grown = tr_array_reserve(list->ordinal, &list->room, list->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  list->ordinal = grown;
  list->ordinal[list->count++] = ordinal;
  return SQLITE_OK;
}

static int too_many_names(const TrFileList *list, char **message) {
  return tr_error(message, SQLITE_ERROR,
                  "%s: this connection has seen %lld different files, more than rowids can tell apart; open a new one",
                  list->dir_path, (long long)TR_MAX_ORDINAL + 1);
}

static int list_name(TrFileList *list, const char *name, char **message) {
  uint32_t ordinal;
  int code = tr_names_intern(list->names, name, strlen(name), &ordinal);
  if (code == SQLITE_FULL) return too_many_names(list, message);
  return code == SQLITE_OK ? list_ordinal(list, ordinal) : code;
}

static bool wants_job_of(const TrFileList *list, const TrFilter *filter, const char *name, size_t length) {
  size_t prefix = list->store->prefix_length;
  return tr_filter_wants_job(filter, name + prefix, length - prefix - list->store->suffix_length);
}

/* Does this scan want the entry? Leftovers are only for task_rejects, and entries with bad names not for tables of
** records. */
static bool wants_entry(const TrFileList *list, const TrFilter *filter, const char *name) {
  size_t length = strlen(name);
  if (!tr_store_has_name(list->store, name, length))
    return list->purpose == TR_FOR_REJECTS && tr_leftover_is_named(name);
  if (list->purpose == TR_FOR_RECORDS && !tr_utf8_is_valid(name, length)) return false;
  return filter->jobs_in_records || wants_job_of(list, filter, name, length);
}

/* Names seen for the first time get their ordinals in alphabetical order, not in the directory's. */
typedef struct NewNames {
  TrFileList *list;
  const TrFilter *filter;
  const char *directory; /* borrowed: of the host, below the base; NULL: there is only one */
  TrNameList names;      /* owned */
} NewNames;

static int list_file_of_host(NewNames *fresh, const char *name) {
  TrFileList *list = fresh->list;
  uint32_t ordinal;
  char *path = sqlite3_mprintf("%s/%s", fresh->directory, name);
  if (path == NULL) return SQLITE_NOMEM;
  bool is_known = tr_names_find(list->names, path, strlen(path), &ordinal);
  int code = is_known ? list_ordinal(list, ordinal) : tr_name_list_add(&fresh->names, path, strlen(path));
  sqlite3_free(path);
  return code;
}

/* A rotated file stands for its job. Others stay as they are. */
static const char *name_of_live_file(const TrFileList *list, const char *name, char live[TR_NAME_SIZE]) {
  TrSegmentName parsed;
  if (list->history == NULL || !tr_segment_name_parse_in(list->store, name, &parsed)) return name;
  tr_segment_live_name(list->store, parsed.job, live);
  return live;
}

static int list_entry(void *context, const char *entry) {
  NewNames *fresh = context;
  TrFileList *list = fresh->list;
  uint32_t ordinal;
  char live[TR_NAME_SIZE];
  const char *name = name_of_live_file(list, entry, live);
  if (!wants_entry(list, fresh->filter, name)) return SQLITE_OK;
  if (fresh->directory) return list_file_of_host(fresh, name);
  if (tr_names_find(list->names, name, strlen(name), &ordinal)) return list_ordinal(list, ordinal);
  return tr_name_list_add(&fresh->names, name, strlen(name));
}

/* Jobs of which nothing is left but an archive. */
static int list_archives(NewNames *fresh, TrDir *dir, char **message) {
  TrDir archive = *dir;
  if (fresh->list->history == NULL) return SQLITE_OK;
  int code = tr_archive_open(dir, (TrBytes){0}, &archive.fd, message);
  if (code == SQLITE_OK && archive.fd >= 0) code = tr_dir_list(&archive, fresh->list->poll, list_entry, fresh, message);
  tr_dir_close(&archive);
  return code;
}

/* Jobs of which nothing is left but receipts. */
static int list_receipts(NewNames *fresh, TrDir *dir, char **message) {
  TrOwnFolder folder;
  if (fresh->list->visitor.visit == NULL) return SQLITE_OK;
  int code = tr_receipts_enter(&folder, dir->fd, dir->path, false, message);
  TrDir receipts = {.fd = folder.fd, .store = dir->store, .path = dir->path};
  if (code == SQLITE_OK && folder.fd >= 0) code = tr_dir_list(&receipts, fresh->list->poll, list_entry, fresh, message);
  tr_own_folder_close(&folder);
  return code;
}

static int list_entries(NewNames *fresh, TrDir *dir, char **message) {
  int code = tr_dir_list(dir, fresh->list->poll, list_entry, fresh, message);
  if (code == SQLITE_OK) code = list_archives(fresh, dir, message);
  return code == SQLITE_OK ? list_receipts(fresh, dir, message) : code;
}

static int list_host(void *context, TrDir *dir, TrBytes unused, char **message) {
  (void)unused;
  NewNames *fresh = context;
  fresh->directory = dir->path;
  return list_entries(fresh, dir, message);
}

/* The number at the end of what the star of the mapping stands for. False: there is none, as in the name of the file
** that is written to. */
static bool number_of_file(const TrFileList *list, const char *path, uint64_t *number) {
  const char *name = tr_hosts_file_name(path);
  const char *end = name + strlen(name) - list->store->suffix_length, *start = name + list->store->prefix_length;
  const char *digits = end;
  if (list->store->is_one_name) return false;
  while (digits > start && tr_is_digit(digits[-1])) digits--;
  *number = 0;
  for (const char *p = digits; p < end && *number < UINT64_MAX / 100; p++)
    *number = *number * 10 + (uint64_t)(*p - '0');
  return digits < end;
}

/* The files of a log that several jobs share: the oldest first. Those of each host together. */
static int compare_shared(const TrFileList *list, const char *x, const char *y) {
  uint64_t x_number, y_number;
  size_t x_directory = (size_t)(tr_hosts_file_name(x) - x), y_directory = (size_t)(tr_hosts_file_name(y) - y);
  bool is_same = x_directory == y_directory && memcmp(x, y, x_directory) == 0;
  if (!is_same || !list->mapping->by_number) return strcmp(x, y);
  bool x_has = number_of_file(list, x, &x_number), y_has = number_of_file(list, y, &y_number);
  if (x_has != y_has) return x_has ? -1 : 1;
  if (x_has && x_number != y_number) return x_number > y_number ? -1 : 1;
  return strcmp(x, y);
}

static int compare_shared_names(const void *a, const void *b, void *list) {
  return compare_shared(list, *(char *const *)a, *(char *const *)b);
}

static int compare_shared_ordinals(const void *a, const void *b, void *context) {
  const TrFileList *list = context;
  return compare_shared(list, tr_names_get(list->names, *(const uint32_t *)a),
                        tr_names_get(list->names, *(const uint32_t *)b));
}

static bool is_of_shared_files(const TrFileList *list) {
  return list->mapping && list->mapping->job_in_record;
}

static int list_directory(TrFileList *list, const TrFilter *filter, char **message) {
  NewNames fresh = {.list = list, .filter = filter};
  int code = list->hosts.base ? tr_hosts_visit(&list->hosts, &list->dir, list->poll, filter, list_host, &fresh, message)
                              : list_entries(&fresh, &list->dir, message);
  tr_name_list_sort(&fresh.names);
  if (is_of_shared_files(list))
    tr_sort(fresh.names.name, fresh.names.count, sizeof *fresh.names.name, compare_shared_names, list);
  for (size_t i = 0; i < fresh.names.count && code == SQLITE_OK; i++) {
    code = list_name(list, fresh.names.name[i], message);
  }
  tr_name_list_free(&fresh.names);
  return code;
}

/* Only names that exist are added to the map, or a join on many unknown jobs would fill it. */
static int list_named_job(TrFileList *list, const TrFilter *filter, const TrDir *dir, const char *job_id,
                          char **message) {
  char name[TR_NAME_SIZE];
  struct stat unused;
  size_t length = strlen(job_id);
  if (!tr_store_has_job(list->store, job_id, length)) return SQLITE_OK;
  memcpy(name, list->store->prefix, list->store->prefix_length);
  memcpy(name + list->store->prefix_length, job_id, length);
  memcpy(name + list->store->prefix_length + length, list->store->suffix, list->store->suffix_length + 1);
  if (!wants_entry(list, filter, name)) return SQLITE_OK;
  if (fstatat(dir->fd, name, &unused, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return SQLITE_OK;
  if (list->hosts.base == NULL) return list_name(list, name, message);
  char *path = sqlite3_mprintf("%s/%s", dir->path, name);
  int code = path ? list_name(list, path, message) : SQLITE_NOMEM;
  sqlite3_free(path);
  return code;
}

#define POLL_EVERY 256 /* files looked up */

static int list_named_jobs(TrFileList *list, const TrFilter *filter, const TrDir *dir, const TrNames *jobs,
                           char **message) {
  const char *job_id;
  int code = SQLITE_OK;
  for (uint32_t i = 0; jobs && code == SQLITE_OK && (job_id = tr_names_get(jobs, i)) != NULL; i++) {
    code = list_named_job(list, filter, dir, job_id, message);
    if (code == SQLITE_OK && i % POLL_EVERY == POLL_EVERY - 1) code = tr_poll(list->poll);
  }
  return code;
}

typedef struct NamedJobs {
  TrFileList *list;
  const TrFilter *filter;
  const TrNames *jobs;
} NamedJobs;

static int list_named_jobs_of_host(void *context, TrDir *dir, TrBytes unused, char **message) {
  (void)unused;
  const NamedJobs *named = context;
  return list_named_jobs(named->list, named->filter, dir, named->jobs, message);
}

static int list_rowid(TrFileList *list, const TrFilter *filter) {
  int64_t ordinal = filter->rowid >> TR_OFFSET_BITS;
  if (ordinal < 0) return SQLITE_OK; /* an ordinal above TR_MAX_ORDINAL is impossible, too */
  const char *path = tr_names_get(list->names, (uint32_t)ordinal);
  TrBytes host;
  if (path == NULL || !tr_hosts_own(&list->hosts, path, &host)) return SQLITE_OK;
  if (strstr(path, "/" TR_OWN_FOLDER "/")) return SQLITE_OK; /* a rowid of task_prunes: receipts are no results */
  if (!wants_entry(list, filter, tr_hosts_file_name(path))) return SQLITE_OK;
  return list_ordinal(list, (uint32_t)ordinal);
}

/* Exact names need no listing, unless for task_rejects: a leftover may belong to one of the jobs; or for a history:
** there may be no live file. */
static int fill_list(TrFileList *list, const TrFilter *filter, char **message) {
  if (filter->nothing) return SQLITE_OK;
  if (filter->by_rowid) return list_rowid(list, filter);
  bool needs_listing = list->purpose == TR_FOR_REJECTS || list->history || filter->jobs_in_records;
  const TrJobTerm *exact = needs_listing ? NULL : tr_filter_exact_jobs(filter);
  if (exact == NULL) return list_directory(list, filter, message);
  if (list->hosts.base == NULL) return list_named_jobs(list, filter, &list->dir, exact->names, message);
  NamedJobs named = {list, filter, exact->names};
  return tr_hosts_visit(&list->hosts, &list->dir, list->poll, filter, list_named_jobs_of_host, &named, message);
}

static int compare_ordinals(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* As SQLite compares texts in UTF-8. The files of one job, of several hosts, by rowid. */
static int compare_jobs(const void *a, const void *b, void *context) {
  const TrFileList *list = context;
  const char *x = tr_hosts_file_name(tr_names_get(list->names, *(const uint32_t *)a)) + list->store->prefix_length;
  const char *y = tr_hosts_file_name(tr_names_get(list->names, *(const uint32_t *)b)) + list->store->prefix_length;
  size_t x_length = strlen(x) - list->store->suffix_length, y_length = strlen(y) - list->store->suffix_length;
  int order = memcmp(x, y, x_length < y_length ? x_length : y_length);
  if (order == 0) order = (x_length > y_length) - (x_length < y_length);
  if (order) return list->is_descending ? -order : order;
  return compare_ordinals(a, b);
}

static void turn_round(uint32_t *ordinal, size_t count) {
  for (size_t i = 0; i < count / 2; i++) {
    uint32_t swapped = ordinal[i];
    ordinal[i] = ordinal[count - 1 - i];
    ordinal[count - 1 - i] = swapped;
  }
}

static void put_in_order(TrFileList *list, TrOrder order) {
  if (list->count < 2) return;
  uint32_t *ordinal = list->ordinal;
  qsort(ordinal, list->count, sizeof *ordinal, compare_ordinals);
  size_t kept = 1; /* IN ('a', 'a') in another collation, or a file renamed while it was listed */
  for (size_t i = 1; i < list->count; i++) {
    if (ordinal[i] != ordinal[kept - 1]) ordinal[kept++] = ordinal[i];
  }
  list->count = kept;
  list->is_descending = order == TR_ORDER_JOB_DESC || order == TR_ORDER_SEGMENTS_DESC;
  if (order >= TR_ORDER_JOB) tr_sort(ordinal, kept, sizeof *ordinal, compare_jobs, list);
  if (order == TR_ORDER_ANY && is_of_shared_files(list))
    tr_sort(ordinal, kept, sizeof *ordinal, compare_shared_ordinals, list);
  if (order == TR_ORDER_ROWID_DESC) turn_round(ordinal, kept);
}

#define MOST_LOOKS_AT_SHARED_FILES 100

/* Lists the files again, with those that were listed open. *agrees: it is the same list, of the same files. */
static int look_again(TrFileList *list, const TrFilter *filter, bool *agrees, char **message) {
  uint32_t *before = list->ordinal;
  size_t count = list->count;
  list->ordinal = NULL;
  list->count = list->room = 0;
  int code = fill_list(list, filter, message);
  put_in_order(list, filter->order);
  *agrees = code == SQLITE_OK && count == list->count &&
            (count == 0 || memcmp(before, list->ordinal, count * sizeof *before) == 0);
  sqlite3_free(before);
  return *agrees ? tr_held_files_compare(list, agrees, message) : code;
}

static int hold_files(TrFileList *list, const TrFilter *filter, char **message) {
  bool agrees = false;
  int code = SQLITE_OK;
  for (unsigned looks = 0; looks < MOST_LOOKS_AT_SHARED_FILES && code == SQLITE_OK && !agrees; looks++) {
    tr_held_files_close(list);
    code = tr_held_files_open(list);
    if (code == SQLITE_OK) code = look_again(list, filter, &agrees, message);
  }
  if (code != SQLITE_OK || agrees) return code;
  return tr_error(message, SQLITE_BUSY, "%s: the files are renamed again and again", list->dir_path);
}

/* --- for the scans ------------------------------------------------------------------------------------------------ */

void tr_file_list_init(TrFileList *list, TrNames *names, TrPoll *poll, TrListPurpose purpose) {
  *list = (TrFileList){.names = names, .poll = poll, .purpose = purpose, .dir.fd = -1};
}

static int begin_history(TrFileList *list, const TrSettings *settings, TrOrder order, char **message) {
  size_t max_line;
  int code = tr_settings_max_line(settings, &max_line, message);
  if (code != SQLITE_OK) return code;
  list->history = sqlite3_malloc64(sizeof *list->history);
  if (list->history == NULL) return SQLITE_NOMEM;
  tr_history_init(list->history, &list->dir, list->poll, max_line);
  list->history->mapping = list->mapping;
  list->history->is_descending = order == TR_ORDER_SEGMENTS_DESC;
  return SQLITE_OK;
}

int tr_file_list_open(TrFileList *list, const TrSettings *settings, const TrFilter *filter, char **message) {
  list->store = tr_settings_store(settings, list->mapping, &list->mapped_store);
  const char *path = tr_settings_dir(settings);
  int code = tr_hosts_init(&list->hosts, path, message);
  if (code != SQLITE_OK) return code;
  list->dir_path = sqlite3_mprintf("%s", list->hosts.base ? list->hosts.base : path);
  if (list->dir_path == NULL) return SQLITE_NOMEM;
  code = filter->host_count > 0 && list->hosts.base == NULL ? SQLITE_DONE : SQLITE_OK; /* no row has a host */
  if (code == SQLITE_DONE) return SQLITE_OK;
  code = tr_dir_open(&list->dir, list->store, list->dir_path, message);
  if (code == SQLITE_OK && filter->all_segments) code = begin_history(list, settings, filter->order, message);
  if (code == SQLITE_OK) code = fill_list(list, filter, message);
  put_in_order(list, filter->order);
  bool may_be_rotated = is_of_shared_files(list) && list->mapping->has_star && !filter->by_rowid;
  return code == SQLITE_OK && may_be_rotated ? hold_files(list, filter, message) : code;
}

void tr_file_list_close(TrFileList *list) {
  tr_held_files_close(list);
  if (list->history) tr_history_end(list->history);
  sqlite3_free(list->history);
  list->history = NULL;
  tr_dir_close(&list->dir);
  tr_hosts_free(&list->hosts);
  sqlite3_free(list->dir_path);
  sqlite3_free(list->ordinal);
  list->dir_path = NULL;
  list->ordinal = NULL;
  list->count = list->room = list->at = 0;
}

static const TrSegment *next_segment_of(const TrFileList *list) {
  return list->history ? tr_history_next(list->history) : NULL;
}

static int name_segments(TrFileList *list, char **message) {
  TrHistory *history = list->history;
  int code = SQLITE_OK;
  for (size_t i = 0; i < history->count && code == SQLITE_OK; i++) {
    const char *path = history->segment[i].path;
    code = tr_names_intern(list->names, path, strlen(path), &history->segment[i].ordinal);
    if (code == SQLITE_FULL) code = too_many_names(list, message);
  }
  return code;
}

#define MOST_VISITS 100

static int open_history(TrFileList *list, uint32_t ordinal, const char *path, char **message) {
  const TrHistoryVisitor *visitor = &list->visitor;
  bool again = true;
  int code = SQLITE_OK;
  for (unsigned visits = 0; visits < MOST_VISITS && again && code == SQLITE_OK; visits++) {
    again = false;
    code = tr_history_open(list->history, path, message);
    if (code == SQLITE_OK) code = name_segments(list, message);
    if (code == SQLITE_OK && visitor->visit)
      code = visitor->visit(visitor->context, ordinal, path, list->history, &again, message);
  }
  if (code != SQLITE_OK || !again) return code;
  return tr_error(message, SQLITE_BUSY, "%s/%s is pruned or replaced again and again", list->dir_path, path);
}

int tr_file_list_fill(TrFileList *list, char **message) {
  int code = SQLITE_OK;
  while (list->history && next_segment_of(list) == NULL && list->at < list->count && code == SQLITE_OK) {
    const char *path = tr_names_get(list->names, list->ordinal[list->at]);
    const char *name = tr_hosts_file_name(path);
    if (!tr_store_has_name(list->store, name, strlen(name))) return SQLITE_OK; /* a leftover of a prune */
    code = open_history(list, list->ordinal[list->at], path, message);
    if (code == SQLITE_OK)
      list->at++;
    else
      list->history->at = list->history->count; /* they have no names: they are opened again, if at all */
  }
  return code;
}

int tr_file_list_open_file(TrFileList *list, TrFile *file, TrEntry *entry, char **message) {
  if (next_segment_of(list)) return tr_history_take(list->history, file, entry, message);
  if (list->held) return tr_held_files_take(list, file, entry, message);
  return tr_dir_open_file(&list->dir, tr_names_get(list->names, list->ordinal[list->at]), list->poll, file, entry);
}

void tr_file_list_advance(TrFileList *list) {
  if (next_segment_of(list))
    list->history->at++;
  else
    list->at++;
}

bool tr_file_list_next(const TrFileList *list, uint32_t *ordinal, const char **name) {
  const TrSegment *segment = next_segment_of(list);
  if (segment) {
    *ordinal = segment->ordinal;
    *name = tr_names_get(list->names, *ordinal);
    return true;
  }
  if (list->at == list->count) return false;
  *ordinal = list->ordinal[list->at];
  *name = tr_names_get(list->names, *ordinal);
  return true;
}

static bool copy_job(const char *name, char job_id[TR_NAME_SIZE], size_t *length) {
  *length = strlen(name) - TR_SUFFIX_LEN;
  memcpy(job_id, name, *length);
  return true;
}

/* Without memory that can run out: the job of a leftover would be lost. A path that was listed is not longer. */
int tr_file_list_open_dir_of(const TrFileList *list, const char *path) {
  char directory[PATH_MAX];
  size_t length = (size_t)(tr_hosts_file_name(path) - path);
  if (length == 0) return list->dir.fd;
  assert(length < sizeof directory);
  sqlite3_snprintf((int)sizeof directory, directory, "%.*s", (int)length, path);
  return (int)TEMP_FAILURE_RETRY(openat(list->dir.fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static bool find_job_in_journal(const TrFileList *list, const char *path, char job_id[TR_NAME_SIZE], size_t *length) {
  int fd = tr_file_list_open_dir_of(list, path);
  bool found = fd >= 0 && tr_journal_job(fd, tr_hosts_file_name(path), job_id, length);
  if (fd >= 0 && fd != list->dir.fd) close(fd);
  return found;
}

static bool is_beside(const char *one, const char *other) {
  size_t length = (size_t)(tr_hosts_file_name(one) - one);
  return length == (size_t)(tr_hosts_file_name(other) - other) && memcmp(one, other, length) == 0;
}

/* A leftover's name holds only a hash of its job; the job is known if its file is, or if there is a journal. */
bool tr_file_list_job(const TrFileList *list, const char *path, char job_id[TR_NAME_SIZE], size_t *length) {
  const char *known, *name = tr_hosts_file_name(path);
  if (tr_name_is_job_file(name, strlen(name))) return copy_job(name, job_id, length);
  if (find_job_in_journal(list, path, job_id, length)) return true;
  for (uint32_t i = 0; (known = tr_names_get(list->names, i)) != NULL; i++) {
    const char *file = tr_hosts_file_name(known);
    if (!tr_name_is_job_file(file, strlen(file)) || !is_beside(path, known)) continue;
    if (tr_leftover_belongs(name, file, strlen(file) - TR_SUFFIX_LEN)) return copy_job(file, job_id, length);
  }
  return false;
}
