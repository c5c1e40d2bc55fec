/*
** listing.c - the names of a directory that are segments of jobs, listed again only when the directory has changed.
**
** A query reads one job after the other, and a rotation may rename files at any time. So for each job the names must be
** those of that moment. To list a directory of thousands of files once for each job would take too long. A directory's
** time of change tells whether any entry was added, removed or renamed. But its clock ticks every few milliseconds, and
** two changes within one tick have the same time: so the time is believed only if it was old when we listed
** (is_settled).
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LISTING_SETTLED_US 100000 /* no file system's clock ticks more slowly */

void tr_listing_free(TrListing *listing) {
  sqlite3_free(listing->path);
  tr_name_list_free(&listing->names);
  *listing = (TrListing){0};
}

static int list_segment(void *context, const char *text) {
  TrListing *listing = context;
  TrSegmentName name;
  if (!tr_segment_name_parse_in(listing->store, text, &name)) return SQLITE_OK;
  return tr_name_list_add(&listing->names, text, strlen(text));
}

static bool is_older(const struct timespec *time, int64_t than_us) {
  return time->tv_sec < (than_us - LISTING_SETTLED_US) / 1000000;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int list_again(TrListing *listing, TrDir *dir, const struct stat *stat, TrPoll *poll, char **message) {
  tr_name_list_free(&listing->names);
  listing->names = (TrNameList){0};
  listing->store = dir->store;
  listing->changed = stat->st_mtim;
  listing->is_settled = is_older(&stat->st_mtim, tr_clock_us());
  int code = tr_dir_list(dir, poll, list_segment, listing, message);
  tr_name_list_sort(&listing->names);
  listing->is_listed = code == SQLITE_OK;
  return code;
}

int tr_listing_refresh(TrListing *listing, TrDir *base, TrPoll *poll, bool *changed, char **message) {
  struct stat stat;
  TrDir dir = *base;
  *changed = false;
  if (listing->path[0])
    dir.fd = (int)TEMP_FAILURE_RETRY(openat(base->fd, listing->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int code = SQLITE_OK;
  if (dir.fd < 0 || fstat(dir.fd, &stat) != 0) {
    code = tr_error(message, SQLITE_IOERR_READ, "%s directory %s/%s cannot be listed: %s", base->store->word,
                    base->path, listing->path, strerror(errno));
  } else if (!listing->is_listed || !listing->is_settled || !is_same_time(&listing->changed, &stat.st_mtim)) {
    *changed = true;
    code = list_again(listing, &dir, &stat, poll, message);
  }
  if (dir.fd >= 0 && dir.fd != base->fd) close(dir.fd);
  return code;
}

/* The first name that does not sort before the job's file. */
static size_t find_first(const TrNameList *names, const char *file) {
  size_t low = 0, high = names->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(names->name[middle], file) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* All names of a job begin with that of its live file, but so may those of other jobs. */
int tr_listing_visit(const TrListing *listing, TrBytes job, int (*visit)(void *, const char *), void *context) {
  char file[TR_NAME_SIZE];
  TrSegmentName name;
  int code = SQLITE_OK;
  size_t length = tr_segment_live_name(listing->store, job, file);
  for (size_t i = find_first(&listing->names, file); i < listing->names.count && code == SQLITE_OK; i++) {
    const char *text = listing->names.name[i];
    if (strncmp(text, file, length) != 0) break;
    if (tr_segment_name_parse_in(listing->store, text, &name) && name.job.length == job.length)
      code = visit(context, text);
  }
  return code;
}
