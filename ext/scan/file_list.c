/*
** file_list.c - which entries a scan looks at, and in which order.
**
** As ordinals in ascending order (descending for newest first), so that rowids come out in order, unless the jobs have to.
** A filter that names its jobs exactly needs no listing, and opens just their files.
*/
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int enqueue(TrScan *scan, uint32_t ordinal) {
  if (scan->queue_count == scan->queue_room) {
    size_t room = scan->queue_room ? 2 * scan->queue_room : 16;
    uint32_t *queue = sqlite3_realloc64(scan->queue, room * sizeof *queue);
    if (queue == NULL) return SQLITE_NOMEM;
    scan->queue = queue;
    scan->queue_room = room;
  }
  scan->queue[scan->queue_count++] = ordinal;
  return SQLITE_OK;
}

static int intern_and_enqueue(TrScan *scan, const char *name, char **message) {
  uint32_t ordinal;
  int code = tr_names_intern(scan->connection->names, name, strlen(name), &ordinal);
  if (code == SQLITE_FULL) {
    return tr_error(
        message, SQLITE_ERROR,
        "%s: this connection has seen %lld different files, more than rowids can tell apart; open a new one",
        scan->dir_path, (long long)TR_MAX_ORDINAL + 1);
  }
  return code == SQLITE_OK ? enqueue(scan, ordinal) : code;
}

/* Is the entry anything for this scan? Leftovers are for task_rejects only, and bad names not for tables of records. */
static bool wants_entry(const TrScan *scan, const char *name) {
  size_t length = strlen(name);
  if (!tr_store_has_name(scan->store, name, length)) return scan->want == TR_WANT_REJECTS && tr_leftover_is_named(name);
  bool needs_job = scan->want == TR_WANT_RECORDS || scan->want == TR_WANT_FILES;
  if (needs_job && !tr_utf8_is_valid(name, length)) return false;
  return tr_filter_wants_job(&scan->filter, name, length - scan->store->suffix_length);
}

/* Names seen for the first time get their ordinals in alphabetical order, not in the directory's. */
typedef struct NewNames {
  TrScan *scan;
  char **name; /* owned */
  size_t count, room;
} NewNames;

static int visit_entry(void *context, const char *name) {
  NewNames *fresh = context;
  TrScan *scan = fresh->scan;
  uint32_t ordinal;
  if (!wants_entry(scan, name)) return SQLITE_OK;
  if (tr_names_find(scan->connection->names, name, strlen(name), &ordinal)) return enqueue(scan, ordinal);
  if (fresh->count == fresh->room) {
    size_t room = fresh->room ? 2 * fresh->room : 16;
    char **grown = sqlite3_realloc64(fresh->name, room * sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    fresh->name = grown;
    fresh->room = room;
  }
  fresh->name[fresh->count] = sqlite3_mprintf("%s", name);
  return fresh->name[fresh->count] ? (fresh->count++, SQLITE_OK) : SQLITE_NOMEM;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int enqueue_listing(TrScan *scan, char **message) {
  NewNames fresh = {.scan = scan};
  int code = tr_dir_list(&scan->dir, scan->poll, visit_entry, &fresh, message);
  if (fresh.count > 1) qsort(fresh.name, fresh.count, sizeof *fresh.name, compare_names);
  for (size_t i = 0; i < fresh.count; i++) {
    if (code == SQLITE_OK) code = intern_and_enqueue(scan, fresh.name[i], message);
    sqlite3_free(fresh.name[i]);
  }
  sqlite3_free(fresh.name);
  return code;
}

/* Only names that exist are interned, or a join on many unknown jobs would fill the map. */
static int enqueue_job(TrScan *scan, const char *job_id, char **message) {
  char name[TR_NAME_SIZE];
  struct stat unused;
  size_t length = strlen(job_id);
  if (!tr_store_has_job(scan->store, job_id, length)) return SQLITE_OK;
  memcpy(name, job_id, length);
  memcpy(name + length, scan->store->suffix, scan->store->suffix_length + 1);
  if (!wants_entry(scan, name)) return SQLITE_OK;
  if (fstatat(scan->dir.fd, name, &unused, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return SQLITE_OK;
  return intern_and_enqueue(scan, name, message);
}

#define POLL_EVERY 256 /* files that are looked for */

static int enqueue_jobs(TrScan *scan, const TrNames *jobs, char **message) {
  const char *job_id;
  int code = SQLITE_OK;
  for (uint32_t i = 0; jobs && code == SQLITE_OK && (job_id = tr_names_get(jobs, i)) != NULL; i++) {
    code = enqueue_job(scan, job_id, message);
    if (code == SQLITE_OK && i % POLL_EVERY == POLL_EVERY - 1) code = tr_poll(scan->poll);
  }
  return code;
}

static int enqueue_rowid(TrScan *scan) {
  int64_t ordinal = scan->filter.rowid >> TR_OFFSET_BITS;
  if (ordinal < 0) return SQLITE_OK; /* and no rowid has an ordinal beyond TR_MAX_ORDINAL */
  const char *name = tr_names_get(scan->connection->names, (uint32_t)ordinal);
  return name && wants_entry(scan, name) ? enqueue(scan, (uint32_t)ordinal) : SQLITE_OK;
}

/* A list of exact names is enough; but a leftover in task_rejects may belong to one of them all the same. */
static int fill(TrScan *scan, char **message) {
  if (scan->filter.nothing) return SQLITE_OK;
  if (scan->filter.by_rowid) return enqueue_rowid(scan);
  const TrJobTerm *exact = scan->want != TR_WANT_REJECTS ? tr_filter_exact_jobs(&scan->filter) : NULL;
  if (exact == NULL) return enqueue_listing(scan, message);
  return enqueue_jobs(scan, exact->names, message);
}

static int compare_ordinals(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* As SQLite compares texts in UTF-8. */
static int compare_jobs(const void *a, const void *b, void *context) {
  const TrScan *scan = context;
  const char *x = tr_names_get(scan->connection->names, *(const uint32_t *)a);
  const char *y = tr_names_get(scan->connection->names, *(const uint32_t *)b);
  size_t x_length = strlen(x) - scan->store->suffix_length, y_length = strlen(y) - scan->store->suffix_length;
  int order = memcmp(x, y, x_length < y_length ? x_length : y_length);
  return order ? order : (x_length > y_length) - (x_length < y_length);
}

static void turn_round(uint32_t *queue, size_t count) {
  for (size_t i = 0; i < count / 2; i++) {
    uint32_t swapped = queue[i];
    queue[i] = queue[count - 1 - i];
    queue[count - 1 - i] = swapped;
  }
}

static void put_in_order(TrScan *scan) {
  if (scan->queue_count < 2) return;
  uint32_t *queue = scan->queue;
  qsort(queue, scan->queue_count, sizeof *queue, compare_ordinals);
  size_t kept = 1; /* IN ('a', 'a') in another collation, or a file renamed while it was listed */
  for (size_t i = 1; i < scan->queue_count; i++) {
    if (queue[i] != queue[kept - 1]) queue[kept++] = queue[i];
  }
  scan->queue_count = kept;
  TrOrder order = scan->filter.order;
  if (order == TR_ORDER_JOB || order == TR_ORDER_JOB_DESC) qsort_r(queue, kept, sizeof *queue, compare_jobs, scan);
  if (order == TR_ORDER_ROWID_DESC || order == TR_ORDER_JOB_DESC) turn_round(queue, kept);
}

int tr_queue_fill(TrScan *scan, char **message) {
  int code = fill(scan, message);
  put_in_order(scan);
  return code;
}
