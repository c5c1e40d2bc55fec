/*
** archive_writer.c - a segment as it is written: its frames, their times, and a segment that is taken into another one.
** What it holds is judged by zstd itself, and by tests/oracles/archive_segment.py.
*/
#include "tr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define SEGMENT_TEXT_BYTES (5 << 20)
#define LONG_BYTES (2 * TR_FRAME_BYTES + 1000) /* of a line */

static char place[64] = "/tmp/archive_writer-XXXXXX";
static char written[2 * SEGMENT_TEXT_BYTES]; /* all lines of the segment */
static size_t written_length;

static const char *path_of(const char *name) {
  static char path[4][128];
  static unsigned next;
  snprintf(path[next % 4], sizeof path[0], "%s/%s", place, name);
  return path[next++ % 4];
}

static int create(const char *name) {
  int fd = open(path_of(name), O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  return fd;
}

/* A line of `length` bytes. minute < 0: it is not a record, or has no time. */
static void add_line(TrArchiveWriter *writer, int minute, size_t length) {
  static char line[LONG_BYTES + 1];
  TrArchivedLine about = {.length = length, .is_timed = minute >= 0, .is_odd = minute < 0};
  memset(line, 'x', length);
  line[length - 1] = '\n';
  if (minute >= 0) {
    int begun = snprintf(line, length, "{\"timestamp\": \"2026-01-01T%02d:%02d:00Z\", \"output\": \"", minute / 60,
                         minute % 60);
    line[begun] = 'x';
    memcpy(line + length - 3, "\"}\n", 3);
    about.time_us = INT64_C(1767225600000000) + minute * INT64_C(60000000);
  }
  CHECK(tr_archive_writer_begin_line(writer, &about) == SQLITE_OK);
  for (size_t at = 0; at < length; at += 70000) { /* as a long line comes: piece by piece */
    CHECK(tr_archive_writer_add(writer, line + at, length - at < 70000 ? length - at : 70000) == SQLITE_OK);
  }
  memcpy(written + written_length, line, length);
  written_length += length;
}

static void add_short_lines(TrArchiveWriter *writer, int first_minute, int count) {
  for (int i = 0; i < count; i++) add_line(writer, first_minute + i, 200 + (size_t)(i * 37 % 1500));
}

/* What the program zstd, and the oracle, read is what was written. */
static void check_segment(const char *name) {
  char command[600];
  const char *root = getenv("TASKRESULTS_ROOT");
  FILE *out = fopen(path_of("expected"), "w");
  CHECK(out && fwrite(written, 1, written_length, out) == written_length);
  if (out) fclose(out);
  snprintf(command, sizeof command, "zstd -dqc <%s | cmp - %s", path_of(name), path_of("expected"));
  CHECK(system(command) == 0);
  if (root == NULL) root = ".";
  snprintf(command, sizeof command, "/usr/bin/python3 %s/tests/oracles/archive_segment.py text %s | cmp - %s", root,
           path_of(name), path_of("expected"));
  CHECK(system(command) == 0);
}

/* Closes both. *taken: what tr_archive_writer_take said. */
static void begin(TrArchiveWriter *writer, const char *name, const char *before, bool *taken) {
  CHECK(tr_archive_writer_open(writer, create(name)) == SQLITE_OK);
  if (before == NULL) return;
  struct stat found;
  int old = open(path_of(before), O_RDONLY);
  CHECK(old >= 0 && fstat(old, &found) == 0);
  CHECK(tr_archive_writer_take(writer, old, found.st_size, taken) == SQLITE_OK);
  close(old);
}

static void end(TrArchiveWriter *writer) {
  CHECK(tr_archive_writer_end(writer) == SQLITE_OK);
  close(writer->fd);
  tr_archive_writer_close(writer);
}

static size_t count_frames(const char *name) {
  TrSeekTable table = {0};
  struct stat found;
  bool is_ours;
  int fd = open(path_of(name), O_RDONLY);
  CHECK(fd >= 0 && fstat(fd, &found) == 0);
  CHECK(tr_seek_table_read(&table, fd, found.st_size, &is_ours) == SQLITE_OK && is_ours);
  size_t count = table.count;
  tr_seek_table_free(&table);
  close(fd);
  return count;
}

static void frames_end_at_a_lines_end_or_inside_a_line_that_is_longer(void) {
  TrArchiveWriter writer;
  written_length = 0;
  begin(&writer, "frames", NULL, NULL);
  add_short_lines(&writer, 100, 1200); /* more than a frame */
  add_line(&writer, -1, 50);
  add_line(&writer, 7, LONG_BYTES); /* from a frame of its own on, and into a third one */
  add_line(&writer, -1, 1);         /* only a newline: told as odd here, so that the flag is seen */
  add_line(&writer, 3, TR_FRAME_BYTES);
  add_short_lines(&writer, 2, 3);
  end(&writer);
  CHECK(count_frames("frames") == 2 + 3 + 1 + 1);
  CHECK(unlink(path_of("frames")) == 0);
}

static void a_segment_is_what_was_written(void) {
  TrArchiveWriter writer;
  written_length = 0;
  begin(&writer, "whole", NULL, NULL);
  add_short_lines(&writer, 100, 1200);
  add_line(&writer, -1, 50);
  add_line(&writer, 7, LONG_BYTES);
  add_short_lines(&writer, 2, 3);
  end(&writer);
  check_segment("whole");
}

/* Again and again: the last frame goes on, the others stay as they are. */
static void a_segment_is_taken_into_the_next_one(void) {
  TrArchiveWriter writer;
  bool taken = false;
  char last[16] = "whole", next[16];
  for (int i = 0; i < 20; i++) {
    snprintf(next, sizeof next, "taken%d", i);
    begin(&writer, next, last, &taken);
    CHECK(taken);
    add_short_lines(&writer, 10 * i, 100);
    end(&writer);
    strcpy(last, next);
  }
  check_segment(last);
  CHECK(count_frames(last) == 2 + 2 + 2); /* not 20 more */
}

static void what_is_not_of_our_form_or_damaged_is_not_taken(void) {
  TrArchiveWriter writer;
  bool taken = true;
  char command[400];
  written_length = 0;
  snprintf(command, sizeof command, "echo '{}' | zstd -q >%s", path_of("foreign"));
  CHECK(system(command) == 0);
  begin(&writer, "one", "foreign", &taken);
  CHECK(!taken);
  add_short_lines(&writer, 1, 10);
  end(&writer);
  check_segment("one");
  size_t kept = written_length;
  int fd = open(path_of("one"), O_RDWR); /* a bit of its only frame */
  char byte;
  CHECK(pread(fd, &byte, 1, 60) == 1);
  byte ^= 4;
  CHECK(pwrite(fd, &byte, 1, 60) == 1);
  close(fd);
  written_length = 0;
  taken = true;
  begin(&writer, "two", "one", &taken);
  CHECK(!taken);
  add_short_lines(&writer, 1, 10);
  CHECK(written_length == kept);
  end(&writer);
  check_segment("two");
}

static void a_disk_that_is_full_is_an_error_with_its_reason(void) {
  TrArchiveWriter writer;
  int full = open("/dev/full", O_WRONLY), code = SQLITE_OK;
  TrArchivedLine line = {.length = 3};
  CHECK(tr_archive_writer_open(&writer, full) == SQLITE_OK);
  CHECK(tr_archive_writer_begin_line(&writer, &line) == SQLITE_OK);
  CHECK(tr_archive_writer_add(&writer, "{}\n", 3) == SQLITE_OK);
  code = tr_archive_writer_end(&writer);
  CHECK(code == SQLITE_FULL && writer.reason == ENOSPC);
  close(full);
  tr_archive_writer_close(&writer);
}

int main(void) {
  char command[100];
  if (mkdtemp(place) == NULL) return 1;
  RUN(frames_end_at_a_lines_end_or_inside_a_line_that_is_longer);
  RUN(a_segment_is_what_was_written);
  RUN(a_segment_is_taken_into_the_next_one);
  RUN(what_is_not_of_our_form_or_damaged_is_not_taken);
  RUN(a_disk_that_is_full_is_an_error_with_its_reason);
  snprintf(command, sizeof command, "rm -r %s", place);
  return system(command) != 0 || check_result();
}
