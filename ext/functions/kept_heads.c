/*
** kept_heads.c - the heads that were kept elsewhere: lines of JOB=HEAD -> a list in which a job finds its own.
**
** Such a text may have a line for each job and hour, so it is read once, and sorted.
*/
#include "functions.h"

#include <string.h>

/* A line up to its newline or the end. False: it is none. */
static bool split_head(const char *line, size_t length, TrKeptHead *kept) {
  char digits[TR_DIGEST_TEXT_SIZE];
  size_t width = sizeof digits - 1;
  if (length < width + 2 || line[length - width - 1] != '=') return false;
  memcpy(digits, line + length - width, width);
  digits[width] = '\0';
  kept->job = (TrBytes){line, length - width - 1};
  return tr_digest_parse(digits, kept->head);
}

static int compare_kept_jobs(TrBytes a, TrBytes b) {
  int order = memcmp(a.text, b.text, a.length < b.length ? a.length : b.length);
  return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_kept_heads(const void *left, const void *right) {
  const TrKeptHead *a = left, *b = right;
  int order = compare_kept_jobs(a->job, b->job);
  return order ? order : (a->job.text > b->job.text) - (a->job.text < b->job.text); /* as the lines are */
}

static int add_kept_head(TrKeptHeads *heads, const TrKeptHead *kept) {
  TrKeptHead *grown = tr_array_reserve(heads->head, &heads->room, heads->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  heads->head = grown;
  grown[heads->count++] = *kept;
  return SQLITE_OK;
}

int tr_kept_heads_parse(TrKeptHeads *heads, const char *text, TrPoll *poll, char **message) {
  int code = SQLITE_OK;
  tr_kept_heads_free(heads);
  heads->is_given = true;
  for (int number = 1; *text && code == SQLITE_OK; number++) {
    size_t length = strcspn(text, "\n");
    TrKeptHead kept;
    if (length > 0 && !split_head(text, length, &kept)) {
      return tr_error(message, SQLITE_ERROR,
                      "line %d of the heads is not JOB=HEAD, with the 64 digits that `taskresults seal` has printed",
                      number);
    }
    if (length > 0) code = add_kept_head(heads, &kept);
    if (code == SQLITE_OK) code = tr_poll(poll);
    text += length + (text[length] == '\n');
  }
  if (heads->count) tr_array_sort(heads->head, heads->count, sizeof *heads->head, compare_kept_heads);
  return code;
}

/* The first one that is not before the job, or, if `behind`, that is behind it. */
static size_t bisect(const TrKeptHeads *heads, TrBytes job, bool behind) {
  size_t low = 0, high = heads->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = compare_kept_jobs(heads->head[middle].job, job);
    if (order < 0 || (behind && order == 0))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

size_t tr_kept_heads_find(const TrKeptHeads *heads, TrBytes job, size_t *end) {
  *end = bisect(heads, job, true);
  return bisect(heads, job, false);
}

void tr_kept_heads_free(TrKeptHeads *heads) {
  sqlite3_free(heads->head);
  *heads = (TrKeptHeads){0};
}
