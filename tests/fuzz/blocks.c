/*
** blocks.c - fuzz target: a file in blocks is the file line by line. Every line that is wanted belongs to just one block,
** or to what the block has left to its caller; verdicts, spans and bytes are those of the reader that knows no blocks.
**
** Aimed at ext/sql/block.c.
*/
#include "tr.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static TrBlock block;
static TrFilter filter = {.from_us = INT64_MIN, .to_us = INT64_MAX};

static void set_up(void) {
  if (block.buffer) return;
  block.room = TR_BLOCK_ALIGNMENT + TR_BLOCK_BYTES + 200;
  block.allocated = malloc(TR_BLOCK_ALIGNMENT + block.room + TR_PADDING);
  block.judged = malloc((TR_BLOCK_LINES + 1) * sizeof *block.judged);
  MUST(block.allocated && block.judged);
  block.buffer = block.allocated + -(uintptr_t)block.allocated % TR_BLOCK_ALIGNMENT;
}

static bool same_span(const TrSpan *a, const TrSpan *b) {
  if (a->kind != b->kind) return false;
  return a->kind == TR_ABSENT || (a->start == b->start && a->length == b->length);
}

static void check_same(const TrJudged *judged, const TrLine *line, const TrRecord *record, TrReason reason) {
  MUST(judged->reason == reason && judged->line.offset == line->offset && judged->line.length == line->length);
  MUST(judged->line.terminated == line->terminated && !judged->line.too_long);
  MUST(memcmp(judged->line.text, line->text, line->length) == 0);
  for (int i = 0; reason == TR_OK && i < TR_FIELD_COUNT; i++) {
    MUST(same_span(&judged->record.field[i], &record->field[i]));
  }
}

/* The next wanted line by the reader that knows no blocks. False: there is none before `until`. */
static bool next_wanted(TrLines *lines, TrParser *parser, const TrWanted *wanted, int64_t until, TrLine *line,
                        TrRecord *record, TrReason *reason) {
  while (tr_lines_following(lines) < until) {
    int code = tr_parse_next(parser, lines, line, record, reason);
    if (code == SQLITE_DONE) return false;
    MUST(code == SQLITE_ROW);
    if (tr_wants_line(wanted->want, wanted->filter, line, record, *reason)) return true;
  }
  return false;
}

static void check_block(TrLines *lines, TrParser *alone, TrParser *ahead, const TrWanted *wanted) {
  TrLine line;
  TrRecord record;
  TrReason reason;
  unsigned given = 0;
  tr_block_judge(&block, wanted, ahead);
  MUST(!block.shrunk && block.count <= TR_BLOCK_LINES);
  MUST(block.stopped_at >= block.from && block.stopped_at <= block.to);
  while (next_wanted(lines, alone, wanted, block.stopped_at, &line, &record, &reason)) {
    MUST(given < block.count);
    check_same(&block.judged[given++], &line, &record, reason);
  }
  MUST(given == block.count);
  while (next_wanted(lines, alone, wanted, block.to, &line, &record, &reason))
    continue; /* what is left to the caller */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const TrWant wants[] = {TR_WANT_RECORDS, TR_WANT_REJECTS, TR_WANT_FILES};
  uint8_t choice = fuzz_byte(&data, &size);
  TrWanted wanted = {.want = wants[choice % 3], .filter = &filter, .max_line = choice & 4 ? 40 : 150};
  TrLines lines = {0};
  TrPoll poll = {0};
  TrParser alone, ahead;
  set_up();
  filter.skip_true = choice & 8;
  int fd = memfd_create("blocks", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  block.file = (TrFile){.fd = fd};
  MUST(fstat(fd, &block.file.stat) == 0);
  tr_parser_init(&alone);
  tr_parser_init(&ahead);
  MUST(tr_lines_open(&lines, fd, 0, (int64_t)size, wanted.max_line, false, &poll) == SQLITE_OK);
  for (block.from = 0; block.from < (int64_t)size; block.from = block.to) {
    block.to = block.from + 1 + (int64_t)(choice >> 4) * 4; /* blocks of a few bytes, up to TR_BLOCK_BYTES */
    if (block.to > (int64_t)size) block.to = (int64_t)size;
    check_block(&lines, &alone, &ahead, &wanted);
  }
  tr_lines_close(&lines);
  close(fd);
  return 0;
}
