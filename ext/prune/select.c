/*
** select.c - the lines that a prune keeps, as ranges of the file's bytes.
**
** The file is read backwards, newest first, and no further than the rules need: to keep the last 1,000 records of a
** gigabyte, a few hundred KB are read. Somebody may still be writing a last line without a newline: the selection ends
** before it, and the drain copies it.
**
** If a rule decides each line by itself and has to read all of a large file, a second thread reads the older half
** meanwhile. This helper calls no function of SQLite, allocates nothing, and stops at anything unusual (a read error, a
** very long line, no room for another range). When the caller's thread has finished its own half, it goes on where the
** helper stopped. So the caller's thread handles every error and every unusual line, and can do all of the work if no
** thread can be started. It never outlives tr_select().
*/
#include "prune.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define HELPER_MAX_LINE (128 * 1024) /* bytes; the scheduler's longest lines are 120,000 */
#define HELPER_RANGES 4096

/* One pass over a part of the file, from its end to its start. */
typedef struct Pass {
  TrSelection *selection; /* borrowed */
  TrRules rules;
  TrLines lines;
  int64_t reached;  /* start of the line read last, or where the pass began */
  int64_t until;    /* the pass ends with the line that starts here */
  int error_number; /* of a read that failed */
} Pass;

typedef struct Helper {
  Pass pass;
  TrSelection selection; /* of the helper's part; allocated beforehand */
  pthread_t thread;
  atomic_bool stop;
  bool runs;
} Helper;

/* --- ranges, newest first ----------------------------------------------------------------------------------------- */

static bool touches_last(const TrSelection *selection, int64_t to) {
  return selection->count > 0 && selection->range[selection->count - 1].from == to;
}

/* Adds a range before those kept so far. */
static int add_range(TrSelection *selection, TrRange range) {
  selection->kept_bytes += range.to - range.from;
  if (touches_last(selection, range.to)) {
    selection->range[selection->count - 1].from = range.from;
    return SQLITE_OK;
  }
  TrRange *grown = tr_array_reserve(selection->range, &selection->room, selection->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  selection->range = grown;
  selection->range[selection->count++] = range;
  return SQLITE_OK;
}

static void reverse(TrSelection *selection) {
  for (size_t i = 0, j = selection->count; i + 1 < j; i++) {
    TrRange swapped = selection->range[--j];
    selection->range[j] = selection->range[i];
    selection->range[i] = swapped;
  }
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

static int take_line(Pass *pass, const TrLine *line) {
  TrSelection *selection = pass->selection;
  pass->reached = line->offset;
  if (!line->terminated) {
    selection->end = line->offset;
    return SQLITE_OK;
  }
  if (tr_rules_keep(&pass->rules, line)) {
    return add_range(selection, (TrRange){line->offset, line->offset + (int64_t)line->length + 1});
  }
  selection->dropped += selection->dropped >= 0;
  return SQLITE_OK;
}

/* SQLITE_DONE: the pass ends here, or nothing older matters. */
static int select_line(Pass *pass) {
  TrLine line;
  const TrSelection *selection = pass->selection;
  /* The last line is read even if nothing is to be kept: it may be unfinished. */
  bool matters = selection->dropped >= 0 || !tr_rules_are_done(&pass->rules) || pass->reached == selection->end ||
                 pass->reached > pass->rules.shipped_to;
  if (pass->reached == pass->until || !matters) return SQLITE_DONE;
  int code = tr_lines_next(&pass->lines, &line);
  /* The reader also ends early if the file shrank. That is not the start of the file, so we cannot decide, and give
  ** up. */
  if (code == SQLITE_DONE) return SQLITE_ABORT;
  if (code == SQLITE_ROW) return take_line(pass, &line);
  pass->error_number = errno;
  return code;
}

static int select_lines(Pass *pass) {
  int code = SQLITE_OK;
  while (code == SQLITE_OK) code = select_line(pass);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- the helper --------------------------------------------------------------------------------------------------- */

/* pass->reached tells where the helper stopped; the line there is left to the caller. */
static void *help_select(void *argument) {
  Helper *helper = argument;
  Pass *pass = &helper->pass;
  TrLine line;
  while (pass->reached > 0 && !atomic_load_explicit(&helper->stop, memory_order_relaxed)) {
    if (helper->selection.count == helper->selection.room) break;
    if (tr_lines_next(&pass->lines, &line) != SQLITE_ROW || line.too_long) break;
    take_line(pass, &line);
  }
  return NULL;
}

/* A line's start near the middle of the file; 0 if none is found soon. The line before it ends in a brace, so it is not
** blank: the line that decides about a blank one would be in the other part. */
static int64_t find_middle(const Helper *helper, int fd, int64_t size) {
  const TrLines *lines = &helper->pass.lines;
  ssize_t n = pread(fd, lines->buffer, lines->capacity, size / 2);
  const unsigned char *end = n > 0 ? memmem(lines->buffer, (size_t)n, "}\n", 2) : NULL;
  return end ? size / 2 + (end - lines->buffer) + 2 : 0;
}

/* Allocates all that the helper may need, because it cannot allocate by itself. */
static bool prepare_helper(Helper *helper, const Pass *whole, int fd, size_t max_line) {
  TrLines *lines = &helper->pass.lines;
  size_t longest = max_line < HELPER_MAX_LINE ? max_line : HELPER_MAX_LINE;
  helper->selection = (TrSelection){.dropped = whole->selection->dropped, .room = HELPER_RANGES};
  helper->selection.range = sqlite3_malloc64(HELPER_RANGES * sizeof(TrRange));
  lines->capacity = 2 * longest + TR_READ_BYTES + 2; /* a line, its newline, and a read of that size, or more */
  lines->buffer = sqlite3_malloc64(lines->capacity + TR_PADDING);
  if (lines->buffer == NULL || helper->selection.range == NULL) return false;
  int64_t middle = find_middle(helper, fd, whole->reached);
  if (middle == 0) return false;
  helper->pass.selection = &helper->selection;
  helper->pass.rules = whole->rules;
  helper->pass.reached = middle;
  return tr_lines_open(lines, fd, 0, middle, longest, true, NULL) == SQLITE_OK;
}

/* Starts a helper for the older part of the pass, if that is worth it and possible. */
static void start_helper(Helper *helper, Pass *whole, int fd, size_t max_line) {
  const TrPruneOptions *options = whole->rules.options;
  if (whole->reached < TR_SHARE_BYTES || options->one_thread || !tr_rules_need_no_order(options)) return;
  if (!prepare_helper(helper, whole, fd, max_line)) return;
  int64_t middle = helper->pass.reached; /* read before the start: then the field belongs to the thread */
  helper->runs = tr_thread_start(&helper->thread, help_select, helper);
  if (helper->runs) whole->until = middle;
}

static void end_helper(Helper *helper) {
  if (helper->runs) {
    atomic_store(&helper->stop, true);
    pthread_join(helper->thread, NULL);
  }
  helper->runs = false;
}

/* Waits until the helper stops, or an interrupt stops it, and takes over its result. */
static int take_over(Helper *helper, Pass *whole, TrPoll *poll) {
  int code = SQLITE_OK;
  while (code == SQLITE_OK && !tr_thread_join_ended(helper->thread)) code = tr_poll_sleep(poll, 1);
  if (code != SQLITE_OK) return code;
  helper->runs = false;
  for (size_t i = 0; i < helper->selection.count && code == SQLITE_OK; i++) {
    code = add_range(whole->selection, helper->selection.range[i]);
  }
  if (whole->selection->dropped >= 0) whole->selection->dropped += helper->selection.dropped;
  whole->rules.kept += helper->pass.rules.kept;
  whole->rules.unshipped += helper->pass.rules.unshipped;
  whole->rules.keeps_last = helper->pass.rules.keeps_last;
  whole->reached = helper->pass.reached;
  whole->until = 0;
  return code;
}

static void free_helper(Helper *helper) {
  end_helper(helper);
  tr_lines_close(&helper->pass.lines);
  sqlite3_free(helper->selection.range);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int select_all(Pass *whole, int fd, size_t max_line, TrPoll *poll) {
  Helper helper = {0};
  int64_t size = whole->reached;
  start_helper(&helper, whole, fd, max_line);
  int code = tr_lines_open(&whole->lines, fd, 0, size, max_line, true, poll);
  if (code == SQLITE_OK) code = select_lines(whole);
  if (code == SQLITE_OK && helper.runs) {
    code = take_over(&helper, whole, poll);
    if (code == SQLITE_OK) code = tr_lines_open(&whole->lines, fd, 0, whole->reached, max_line, true, poll);
    if (code == SQLITE_OK) code = select_lines(whole);
  }
  free_helper(&helper);
  return code;
}

int tr_select(TrSelection *selection, int fd, const TrPruneOptions *options, int64_t shipped_to, size_t max_line,
              TrPoll *poll, char **message) {
  struct stat now;
  *selection = (TrSelection){.dropped = options->count || options->dry_run ? 0 : -1};
  if (fstat(fd, &now) != 0) return tr_error(message, SQLITE_IOERR_FSTAT, "cannot be examined: %s", strerror(errno));
  Pass whole = {.selection = selection, .reached = now.st_size};
  tr_rules_begin(&whole.rules, options);
  whole.rules.shipped_to = shipped_to;
  selection->end = now.st_size;
  int code = select_all(&whole, fd, max_line, poll);
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT) {
    tr_error(message, code, "cannot be read at byte %lld: %s", (long long)tr_lines_position(&whole.lines),
             strerror(whole.error_number));
  } else if (code == SQLITE_ABORT) {
    tr_error(message, code, "shrank while it was being read: somebody else truncates it; stop that, or prune later");
  }
  tr_lines_close(&whole.lines);
  selection->kept = whole.rules.kept;
  selection->unshipped = whole.rules.unshipped;
  reverse(selection);
  return code;
}

void tr_selection_free(TrSelection *selection) {
  sqlite3_free(selection->range);
  *selection = (TrSelection){0};
}
