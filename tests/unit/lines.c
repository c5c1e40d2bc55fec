/*
** lines.c - every line of a file comes out once, whole and with its offset, forwards and backwards; and a file that
** changes under the reader never yields a line that was not in it.
**
** What ought to come out is worked out by splitting a copy of the file in memory. The files put lines and newlines
** around every boundary of the reader: 64 KiB for the first read, which doubles up to TR_READ_BYTES, and max_line.
** bats/differential.bats compares rows with a build that reads 7 bytes at a time.
*/
#include "tr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "random.h"

#define KIB 1024
#define UNLIMITED TR_HIGHEST_MAX_LINE

/* A file without a name, and what is in it. */
typedef struct File {
  int fd;
  unsigned char *text; /* owned */
  size_t length, room;
} File;

static File new_file(void) {
  char path[] = "/tmp/taskresults-lines-XXXXXX";
  File file = {.fd = mkstemp(path)};
  CHECK(file.fd >= 0);
  unlink(path);
  return file;
}

static void free_file(File *file) {
  close(file->fd);
  free(file->text);
}

static void add(File *file, const void *bytes, size_t length) {
  if (file->length + length > file->room) {
    file->room = 2 * (file->length + length);
    file->text = realloc(file->text, file->room);
  }
  memcpy(file->text + file->length, bytes, length);
  file->length += length;
}

/* A line that differs from all others and has no two equal halves, so that a piece of it is noticed. */
static void add_line(File *file, size_t length, bool terminated) {
  static unsigned serial;
  unsigned char *line = malloc(length + 1);
  serial++;
  for (size_t i = 0; i < length; i++) line[i] = (unsigned char)(' ' + (i * 7 + i / 90 + serial) % 90);
  line[length] = '\n';
  add(file, line, length + terminated);
  free(line);
}

static void store(const File *file) {
  CHECK(ftruncate(file->fd, 0) == 0);
  CHECK(pwrite(file->fd, file->text, file->length, 0) == (ssize_t)file->length);
}

/* --- a file that stays as it is ----------------------------------------------------------------------------------- */

static unsigned load_padding(const TrLine *line) {
  unsigned sum = 0;
  for (size_t i = 0; line->text && i < line->length + TR_PADDING; i++) sum += line->text[i];
  return sum;
}
static volatile unsigned padding_sum; /* for a sanitizer to see the loads */

/* The line of text[0, size) that begins at `from`. */
static TrLine expected_line(const unsigned char *text, size_t size, size_t from, size_t max_line) {
  const unsigned char *newline = memchr(text + from, '\n', size - from);
  size_t end = newline ? (size_t)(newline - text) : size;
  return (TrLine){.text = text + from,
                  .length = end - from,
                  .offset = (int64_t)from,
                  .terminated = newline != NULL,
                  .too_long = end - from > max_line};
}

static bool same_line(const TrLine *line, const TrLine *expected) {
  padding_sum += load_padding(line);
  if (line->offset != expected->offset || line->length != expected->length) return false;
  if (line->terminated != expected->terminated || line->too_long != expected->too_long) return false;
  /* The fast lanes need bytes after a line that do not continue it. */
  if (line->text && line->text[line->length] != (line->terminated ? '\n' : '\0')) return false;
  return line->too_long ? line->text == NULL : memcmp(line->text, expected->text, line->length) == 0;
}

static bool reads_forwards(const File *file, size_t from, size_t size, size_t max_line, TrLines *lines) {
  TrLine line, expected;
  bool good = tr_lines_open(lines, file->fd, (int64_t)from, (int64_t)size, max_line, false, NULL) == SQLITE_OK;
  for (size_t at = from; good && at < size; at += expected.length + expected.terminated) {
    expected = expected_line(file->text, size, at, max_line);
    good = tr_lines_next(lines, &line) == SQLITE_ROW && same_line(&line, &expected);
  }
  return good && tr_lines_next(lines, &line) == SQLITE_DONE && tr_lines_next(lines, &line) == SQLITE_DONE;
}

static size_t line_start(const unsigned char *text, size_t behind) {
  const unsigned char *newline = behind > 1 ? memrchr(text, '\n', behind - 1) : NULL;
  return newline ? (size_t)(newline - text) + 1 : 0;
}

static bool reads_backwards(const File *file, size_t size, size_t max_line, TrLines *lines) {
  TrLine line, expected;
  bool good = tr_lines_open(lines, file->fd, 0, (int64_t)size, max_line, true, NULL) == SQLITE_OK;
  for (size_t at = size; good && at > 0; at = (size_t)expected.offset) {
    expected = expected_line(file->text, size, line_start(file->text, at), max_line);
    good = tr_lines_next(lines, &line) == SQLITE_ROW && same_line(&line, &expected);
  }
  return good && tr_lines_next(lines, &line) == SQLITE_DONE && tr_lines_next(lines, &line) == SQLITE_DONE;
}

static TrLines used; /* a reader that has read other files */

/* The first `size` bytes of the file, both ways, with a buffer of its own and with a used one. */
static bool reads_well(const File *file, size_t size, size_t max_line) {
  TrLines fresh = {.fd = -1};
  bool good = reads_forwards(file, 0, size, max_line, &fresh) && reads_backwards(file, size, max_line, &fresh);
  tr_lines_close(&fresh);
  good = good && reads_backwards(file, size, max_line, &fresh);
  tr_lines_close(&fresh);
  good = good && reads_forwards(file, 0, size, max_line, &used) && reads_backwards(file, size, max_line, &used);
  if (random_below(16) == 0) tr_lines_close(&used);
  return good;
}

static void empty_files_and_files_of_newlines(void) {
  static const size_t counts[] = {0, 1, 2, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    File file = new_file();
    for (size_t k = 0; k < counts[i]; k++) add(&file, "\n", 1);
    store(&file);
    CHECK(reads_well(&file, file.length, 10));
    free_file(&file);
  }
}

static void lines_of_every_short_length(void) {
  for (int terminated = 0; terminated < 2; terminated++) {
    File file = new_file();
    for (size_t length = 0; length < 700; length++) add_line(&file, length, true);
    add_line(&file, 33, terminated);
    store(&file);
    static const size_t max_lines[] = {1, 2, 32, 33, 34, 699, 700, UNLIMITED};
    for (size_t i = 0; i < sizeof max_lines / sizeof *max_lines; i++)
      CHECK(reads_well(&file, file.length, max_lines[i]));
    for (size_t from = 0; from < file.length; from = (size_t)(expected_line(file.text, file.length, from, 1).offset) +
                                                     expected_line(file.text, file.length, from, 1).length + 1) {
      TrLines lines = {.fd = -1};
      if (random_below(20) == 0) CHECK(reads_forwards(&file, from, file.length, 500, &lines));
      tr_lines_close(&lines);
    }
    free_file(&file);
  }
}

/* A first line that ends around each place where a read, the buffer or max_line ends; short and long ones behind it. */
static void newlines_around_every_boundary(void) {
  static const size_t boundaries[] = {64 * KIB,  128 * KIB, 192 * KIB, 256 * KIB,
                                      448 * KIB, 512 * KIB, 704 * KIB, 1024 * KIB};
  for (size_t i = 0; i < sizeof boundaries / sizeof *boundaries; i++) {
    for (int around = -3; around <= 3; around++) {
      File file = new_file();
      size_t length = boundaries[i] + (size_t)(around + 3) - 3;
      add_line(&file, length, true);
      add_line(&file, 5, true);
      add_line(&file, 100 * KIB, true);
      add_line(&file, length, true);
      add_line(&file, 0, true);
      add_line(&file, 7, around % 2 == 0);
      store(&file);
      CHECK(reads_well(&file, file.length, UNLIMITED));
      for (int more = -1; more <= 1; more++) CHECK(reads_well(&file, file.length, length + (size_t)(more + 1) - 1));
      CHECK(reads_well(&file, file.length, boundaries[i]));
      CHECK(reads_well(&file, file.length, 50));
      free_file(&file);
    }
  }
}

static size_t random_length(void) {
  static const size_t centers[] = {64 * KIB, 128 * KIB, 256 * KIB, 300 * KIB};
  switch (random_below(12)) {
  case 0: return centers[random_below(4)] - 2 + random_below(5);
  case 1: return random_below(200 * KIB);
  case 2:
  case 3: return random_below(20 * KIB);
  default: return random_below(300);
  }
}

static void random_files_with_random_limits(void) {
  static const size_t max_lines[] = {1, 100, 299, 1000, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB, UNLIMITED};
  for (int i = 0; i < 250; i++) {
    File file = new_file();
    for (size_t count = random_below(40); count > 0; count--) add_line(&file, random_length(), true);
    if (random_below(2)) add_line(&file, 1 + random_length(), false);
    store(&file);
    size_t max_line = max_lines[random_below(sizeof max_lines / sizeof *max_lines)];
    CHECK(reads_well(&file, file.length, max_line));
    if (file.length) CHECK(reads_well(&file, random_below(file.length), max_line)); /* a snapshot of a growing file */
    free_file(&file);
  }
}

/* --- a file that changes while it is read ------------------------------------------------------------------------- */

/* The lines that are still given are lines of the file as it was; then the end, and it stays the end. */
static bool gives_only_old_lines(const unsigned char *old, size_t size, TrLines *lines, size_t *count) {
  TrLine line;
  int code;
  *count = 0;
  while ((code = tr_lines_next(lines, &line)) == SQLITE_ROW) {
    size_t from = (size_t)line.offset;
    if (from >= size || (from > 0 && old[from - 1] != '\n')) return false;
    TrLine expected = expected_line(old, size, from, lines->max_line);
    if (!same_line(&line, &expected)) return false;
    ++*count;
  }
  return code == SQLITE_DONE && tr_lines_next(lines, &line) == SQLITE_DONE;
}

typedef enum Change { TRUNCATED, EMPTIED, REWRITTEN_SHORTER, GROWN, GROWN_THEN_TRUNCATED, CHANGES } Change;

static void change_file(const File *file, Change change) {
  size_t less = random_below(file->length);
  char other[5000];
  memset(other, 'Z', sizeof other);
  for (size_t i = 0; i < sizeof other; i += 1 + random_below(700)) other[i] = '\n';
  ssize_t size = (ssize_t)sizeof other;
  switch (change) {
  case TRUNCATED: CHECK(ftruncate(file->fd, (off_t)less) == 0); break;
  case EMPTIED: CHECK(ftruncate(file->fd, 0) == 0); break;
  case REWRITTEN_SHORTER: /* the old lines are gone; others of other lengths stand in their place */
    CHECK(ftruncate(file->fd, 0) == 0);
    for (off_t at = 0; at + size < (off_t)file->length; at += size)
      CHECK(pwrite(file->fd, other, sizeof other, at) == size);
    break;
  case GROWN: CHECK(pwrite(file->fd, other, sizeof other, (off_t)file->length) == size); break;
  case GROWN_THEN_TRUNCATED: /* to less than what the reader knows of */
    CHECK(pwrite(file->fd, other, sizeof other, (off_t)file->length) == size);
    CHECK(ftruncate(file->fd, (off_t)less) == 0);
    break;
  default: break;
  }
}

static void check_change(Change change, bool backwards, size_t max_line) {
  File file = new_file();
  size_t total = 0, rest;
  while (file.length < 900 * KIB) {
    add_line(&file, random_below(60) ? random_below(3000) : random_length(), true);
    total++;
  }
  if (random_below(2)) add_line(&file, 40, false), total++;
  store(&file);
  TrLines lines = {.fd = -1};
  TrLine line;
  CHECK(tr_lines_open(&lines, file.fd, 0, (int64_t)file.length, max_line, backwards, NULL) == SQLITE_OK);
  size_t first = random_below(total);
  for (size_t i = 0; i < first; i++) CHECK(tr_lines_next(&lines, &line) == SQLITE_ROW);
  change_file(&file, change);
  CHECK(gives_only_old_lines(file.text, file.length, &lines, &rest));
  if (change == GROWN) CHECK(first + rest == total);
  tr_lines_close(&lines);
  free_file(&file);
}

static void check_changes(Change change) {
  for (int i = 0; i < 30; i++) {
    check_change(change, i % 2, i % 3 ? UNLIMITED : 1000);
  }
}

static void a_truncated_file_ends_with_a_complete_line(void) {
  check_changes(TRUNCATED);
}
static void an_emptied_file_ends_with_a_complete_line(void) {
  check_changes(EMPTIED);
}
static void a_file_rewritten_shorter_ends_with_a_complete_line(void) {
  check_changes(REWRITTEN_SHORTER);
}
static void a_file_that_grows_ends_where_it_ended(void) {
  check_changes(GROWN);
}
static void a_file_that_grows_and_shrinks_ends_with_a_complete_line(void) {
  check_changes(GROWN_THEN_TRUNCATED);
}

/* Seen at its larger size by a read, then cut back to more than the snapshot: what follows cannot be trusted either. */
static void a_file_that_shrinks_from_a_size_seen_later_ends(void) {
  for (int backwards = 0; backwards < 2; backwards++) {
    File file = new_file();
    for (int i = 0; i < 300; i++) add_line(&file, 3000, true);
    store(&file);
    TrLines lines = {.fd = -1};
    TrLine line;
    size_t rest;
    CHECK(tr_lines_open(&lines, file.fd, 0, (int64_t)file.length, UNLIMITED, backwards, NULL) == SQLITE_OK);
    CHECK(ftruncate(file.fd, (off_t)file.length + 9000) == 0);
    CHECK(tr_lines_next(&lines, &line) == SQLITE_ROW);
    CHECK(ftruncate(file.fd, (off_t)file.length + 1000) == 0);
    CHECK(gives_only_old_lines(file.text, file.length, &lines, &rest));
    CHECK(rest < 299);
    tr_lines_close(&lines);
    free_file(&file);
  }
}

static void a_failed_read_is_not_the_end(void) {
  for (int backwards = 0; backwards < 2; backwards++) {
    TrLines lines = {.fd = -1};
    TrLine line;
    int fd = open("/dev/null", O_WRONLY);
    CHECK(fd >= 0);
    CHECK(tr_lines_open(&lines, fd, 0, 100, UNLIMITED, backwards, NULL) == SQLITE_OK);
    errno = 0;
    CHECK(tr_lines_next(&lines, &line) == SQLITE_IOERR_READ && errno == EBADF);
    tr_lines_close(&lines);
    close(fd);
  }
}

/* However long the line, the buffer holds little more than max_line. */
static void a_long_line_takes_little_memory(void) {
  for (int backwards = 0; backwards < 2; backwards++) {
    File file = new_file();
    add_line(&file, 10, true);
    add_line(&file, 20000 * KIB, true);
    add_line(&file, 10, true);
    store(&file);
    TrLines lines = {.fd = -1};
    size_t count;
    CHECK(tr_lines_open(&lines, file.fd, 0, (int64_t)file.length, 1024 * KIB, backwards, NULL) == SQLITE_OK);
    CHECK(gives_only_old_lines(file.text, file.length, &lines, &count) && count == 3);
    CHECK(lines.capacity <= 4096 * KIB);
    tr_lines_close(&lines);
    free_file(&file);
  }
}

int main(void) {
  RUN(empty_files_and_files_of_newlines);
  RUN(lines_of_every_short_length);
  RUN(newlines_around_every_boundary);
  RUN(random_files_with_random_limits);
  RUN(a_truncated_file_ends_with_a_complete_line);
  RUN(an_emptied_file_ends_with_a_complete_line);
  RUN(a_file_rewritten_shorter_ends_with_a_complete_line);
  RUN(a_file_that_grows_ends_where_it_ended);
  RUN(a_file_that_grows_and_shrinks_ends_with_a_complete_line);
  RUN(a_file_that_shrinks_from_a_size_seen_later_ends);
  RUN(a_failed_read_is_not_the_end);
  RUN(a_long_line_takes_little_memory);
  tr_lines_close(&used);
  return check_result();
}
