/*
** marks.c - fuzz target: the marks of two sinks, and the moves that prunes have recorded. Either each line of the marks
** is understood, or all is refused with a cause; what was understood is the same when it is written anew and read
** again; and how far a file was shipped is what a walk forward, from the mark through one move after the other, comes
** to.
**
** The input is the sinks' files and then those of the moves, with a byte ff, which no line may have, between them.
**
** Aimed at ext/marks/ship_marks.c.
*/
#include "tr.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "place.h"

#define PARTS 4
#define SINKS 2
#define MOST_STATS 24 /* of a file that is asked about, for one input */

static const char *const part_name[PARTS] = {"a.jsonl", "b.jsonl", "moves", "moves.1"};
static char place[256];
static TrDir results = {.fd = -1, .store = &tr_results_store, .path = "results"};
static int folder = -1;

/* --- files -------------------------------------------------------------------------------------------------------- */

static void remove_place(void) {
  for (int i = 0; i < PARTS; i++) unlinkat(folder, part_name[i], 0);
  unlinkat(results.fd, ".taskresults/shipped", AT_REMOVEDIR);
  unlinkat(results.fd, ".taskresults", AT_REMOVEDIR);
  rmdir(place);
}

static void make_place(void) {
  results.fd = fuzz_make_place("marks", place);
  MUST(mkdirat(results.fd, ".taskresults", 0700) == 0 && mkdirat(results.fd, ".taskresults/shipped", 0700) == 0);
  folder = openat(results.fd, ".taskresults/shipped", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST(folder >= 0);
  atexit(remove_place);
}

/* NULL: there is no such file. */
static void put_file(const char *name, const void *bytes, size_t length) {
  if (bytes == NULL) {
    unlinkat(folder, name, 0);
    return;
  }
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  MUST(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
  close(fd);
}

/* How many lines the sinks' files have; a part that is not there is no file. */
static size_t put_parts(const uint8_t *data, size_t size, size_t *sinks) {
  size_t lines = 0;
  *sinks = 0;
  for (int i = 0; i < PARTS; i++) {
    const uint8_t *end = data ? memchr(data, 0xff, size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    put_file(part_name[i], data, length);
    if (data && i < SINKS) ++*sinks;
    for (size_t at = 0; data && i < SINKS && at < length; at++) lines += data[at] == '\n';
    size -= end ? length + 1 : size;
    data = end ? end + 1 : NULL;
  }
  return lines;
}

/* --- written anew ------------------------------------------------------------------------------------------------- */

static void write_entry(sqlite3_str *out, const TrMark *mark, bool is_move) {
  sqlite3_str_appendall(out, "{\"file\":");
  tr_json_append_string(out, mark->file, strlen(mark->file));
  sqlite3_str_appendf(out, ",\"dev\":\"%llu\",\"inode\":\"%llu\",\"end\":%lld", (unsigned long long)mark->dev,
                      (unsigned long long)mark->inode, (long long)mark->end);
  if (is_move) {
    sqlite3_str_appendf(out, ",\"new_inode\":\"%llu\",\"new_end\":%lld", (unsigned long long)mark->new_inode,
                        (long long)mark->new_end);
  }
  sqlite3_str_appendall(out, "}\n");
}

static void put_text(const char *name, sqlite3_str *out) {
  int length = sqlite3_str_length(out);
  char *text = sqlite3_str_finish(out);
  put_file(name, text ? text : "", (size_t)length);
  sqlite3_free(text);
}

static void write_anew(const TrMarks *marks) {
  for (size_t sink = 0; sink < marks->sinks.count; sink++) {
    sqlite3_str *out = sqlite3_str_new(NULL);
    sqlite3_str_appendall(out, "{\"taskresults_marks\":1}\n");
    for (size_t i = 0; i < marks->marks.count; i++) {
      if (marks->marks.mark[i].number == sink) write_entry(out, &marks->marks.mark[i], false);
    }
    put_text(marks->sinks.name[sink], out);
  }
  sqlite3_str *out = sqlite3_str_new(NULL);
  for (size_t number = 0; number < marks->moves.count; number++) {
    for (size_t i = 0; i < marks->moves.count; i++) {
      if (marks->moves.mark[i].number == number) write_entry(out, &marks->moves.mark[i], true);
    }
  }
  put_text("moves", out);
  put_file("moves.1", NULL, 0);
}

static bool is_same_list(const TrMarkList *one, const TrMarkList *other) {
  if (one->count != other->count) return false;
  for (size_t i = 0; i < one->count; i++) {
    const TrMark *a = &one->mark[i], *b = &other->mark[i];
    if (strcmp(a->file, b->file) || a->dev != b->dev || a->inode != b->inode || a->end != b->end) return false;
    if (a->new_inode != b->new_inode || a->new_end != b->new_end || a->number != b->number) return false;
  }
  return true;
}

static void check_written_anew(const TrMarks *marks) {
  TrMarks again;
  TrPoll poll = {0};
  char *message = NULL;
  write_anew(marks);
  MUST(tr_marks_read(&again, &results, &poll, &message) == SQLITE_OK && message == NULL);
  MUST(is_same_list(&marks->marks, &again.marks) && is_same_list(&marks->moves, &again.moves));
  tr_marks_free(&again);
}

/* --- how far a file was shipped ----------------------------------------------------------------------------------- */

/* The last move before `before` that made a file with that inode; NULL: none did. */
static const TrMark *maker_of(const TrMarks *marks, const char *file, uint64_t dev, uint64_t inode, size_t before) {
  const TrMark *maker = NULL;
  for (size_t i = 0; i < marks->moves.count; i++) {
    const TrMark *move = &marks->moves.mark[i];
    bool fits = strcmp(move->file, file) == 0 && move->dev == dev && move->new_inode == inode && move->number < before;
    if (fits && (maker == NULL || move->number > maker->number)) maker = move;
  }
  return maker;
}

/* Where the byte at the mark is in a file with that inode, as it was before the move `before`; -1: nowhere. */
static int64_t walk_forward(const TrMarks *marks, const TrMark *mark, uint64_t inode, size_t before) {
  if (inode == mark->inode) return mark->end;
  const TrMark *maker = maker_of(marks, mark->file, mark->dev, inode, before);
  if (maker == NULL) return -1;
  int64_t at = walk_forward(marks, mark, maker->inode, maker->number);
  return at < maker->end ? -1 : at - maker->end + maker->new_end;
}

static int64_t end_of_sink(const TrMarks *marks, size_t sink, const char *file, const struct stat *now) {
  int64_t least = INT64_MAX;
  for (size_t i = 0; i < marks->marks.count; i++) {
    const TrMark *mark = &marks->marks.mark[i];
    if (mark->number != sink || strcmp(mark->file, file) != 0) continue;
    int64_t at = mark->dev == now->st_dev ? walk_forward(marks, mark, now->st_ino, SIZE_MAX) : -1;
    if (at < 0 || at > now->st_size) at = 0;
    if (at < least) least = at;
  }
  return least == INT64_MAX ? 0 : least; /* it has no mark of the file */
}

static void check_end(const TrMarks *marks, const char *file, const struct stat *now) {
  const char *slowest;
  int64_t least = INT64_MAX, found = tr_marks_end(marks, file, now, &slowest);
  for (size_t sink = 0; sink < marks->sinks.count; sink++) {
    int64_t end = end_of_sink(marks, sink, file, now);
    if (end < least) least = end;
  }
  MUST(found == least && (slowest == NULL) == (marks->sinks.count == 0));
}

static void check_ends(const TrMarks *marks) {
  for (size_t i = 0, asked = 0; i < marks->marks.count + marks->moves.count && asked < MOST_STATS; i++) {
    const bool is_move = i >= marks->marks.count;
    const TrMark *entry = is_move ? &marks->moves.mark[i - marks->marks.count] : &marks->marks.mark[i];
    const int64_t size[] = {0, entry->end, TR_MAX_FILE_BYTES};
    for (int of = 0; of < 3; of++, asked++) {
      struct stat now = {.st_dev = entry->dev, .st_size = size[of]};
      now.st_ino = is_move ? entry->new_inode : entry->inode;
      check_end(marks, entry->file, &now);
      if (!is_move) MUST(tr_marks_name_inode(marks, entry->file, &now));
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  TrMarks marks;
  TrPoll poll = {0};
  char *message = NULL;
  size_t sinks;
  if (folder < 0) make_place();
  size_t lines = put_parts(data, size, &sinks);
  int code = tr_marks_read(&marks, &results, &poll, &message);
  MUST(code == SQLITE_OK ? message == NULL : code == SQLITE_ERROR && message != NULL);
  MUST(code != SQLITE_OK || (marks.sinks.count == sinks && marks.marks.count + sinks == lines));
  if (code == SQLITE_OK) {
    check_ends(&marks);
    check_written_anew(&marks);
    tr_marks_free(&marks);
  }
  sqlite3_free(message);
  return 0;
}
