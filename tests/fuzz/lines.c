/*
** lines.c - fuzz target: a file's lines, forwards, backwards, and as the fast lane takes them, through a buffer of a
** few bytes. Put together they are the file, whichever way it was read.
**
** Aimed at ext/read/lines.c and ext/read/record.c.
*/
#include "tr.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

typedef struct Seen {
  int64_t offset;
  uint64_t length;
  bool terminated, too_long;
  TrReason reason; /* of what was parsed; TR_OK otherwise */
} Seen;

typedef struct List {
  Seen *line;
  size_t count;
} List;

static void check_line(const uint8_t *file, size_t size, size_t max_line, const TrLine *line) {
  MUST(line->offset >= 0 && (uint64_t)line->offset + line->length <= size);
  MUST(line->too_long == (line->length > max_line));
  MUST(line->too_long || memcmp(line->text, file + line->offset, line->length) == 0);
  MUST(memchr(file + line->offset, '\n', line->length) == NULL);
  MUST(line->terminated == ((uint64_t)line->offset + line->length < size));
}

static List read_all(int fd, const uint8_t *file, size_t size, size_t max_line, bool backwards, bool parse) {
  List list = {malloc((size + 1) * sizeof(Seen)), 0};
  TrLines lines = {0};
  TrPoll poll = {0};
  TrParser parser;
  int code;
  tr_parser_init(&parser);
  MUST(tr_lines_open(&lines, fd, 0, (int64_t)size, max_line, backwards, &poll) == SQLITE_OK);
  for (;;) {
    TrParsed parsed = {.reason = TR_OK};
    const TrLine *line = &parsed.line;
    code = parse ? tr_parse_next(&parser, &lines, &parsed) : tr_lines_next(&lines, &parsed.line);
    if (code != SQLITE_ROW) break;
    check_line(file, size, max_line, line);
    MUST(list.count <= size);
    list.line[list.count++] = (Seen){line->offset, line->length, line->terminated, line->too_long, parsed.reason};
  }
  MUST(code == SQLITE_DONE);
  tr_lines_close(&lines);
  return list;
}

static bool same_line(const Seen *a, const Seen *b) {
  return a->offset == b->offset && a->length == b->length && a->terminated == b->terminated &&
         a->too_long == b->too_long;
}

/* Parsed while it was read, a line gets the verdict that it gets by itself. */
static void check_verdict(const uint8_t *file, const Seen *seen) {
  if (seen->too_long) {
    MUST(seen->reason == TR_TOO_LONG);
    return;
  }
  TrRecord record;
  TrReason reason = tr_slow_lane(file + seen->offset, seen->length, &record);
  if (reason != TR_OK && reason != TR_BLANK && !seen->terminated) reason = TR_UNFINISHED;
  MUST(seen->reason == reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t max_line = 1 + (size_t)fuzz_byte(&data, &size) * 4;
  int fd = memfd_create("lines", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  List forwards = read_all(fd, data, size, max_line, false, false);
  List backwards = read_all(fd, data, size, max_line, true, false);
  List parsed = read_all(fd, data, size, max_line, false, true);
  MUST(forwards.count == backwards.count && forwards.count == parsed.count);
  uint64_t at = 0;
  for (size_t i = 0; i < forwards.count; i++) {
    const Seen *line = &forwards.line[i];
    MUST((uint64_t)line->offset == at);
    MUST(same_line(line, &backwards.line[backwards.count - 1 - i]));
    MUST(same_line(line, &parsed.line[i]));
    check_verdict(data, &parsed.line[i]);
    at += line->length + line->terminated;
  }
  MUST(at == size);
  free(forwards.line);
  free(backwards.line);
  free(parsed.line);
  close(fd);
  return 0;
}
