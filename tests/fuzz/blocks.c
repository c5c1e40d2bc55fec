/*
** blocks.c - fuzz target: a file cut into blocks, each of which is parsed by itself. Together they give each wanted
** line once, with the same spans as when parsed alone, except for lines that a block leaves to its caller: from a line
** that is too long on, or when the block is full.
**
** Aimed at ext/scan/block.c.
*/
#include "tr.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

typedef struct Line {
  int64_t offset;
  size_t length;
  bool terminated, too_long;
  TrReason reason;
  TrRecord record;
} Line;

/* --- the model ---------------------------------------------------------------------------------------------------- */

static Line parse_line(const unsigned char *file, size_t size, size_t from, size_t max_line) {
  const unsigned char *newline = memchr(file + from, '\n', size - from);
  Line line = {.offset = (int64_t)from, .terminated = newline, .reason = TR_TOO_LONG};
  line.length = newline ? (size_t)(newline - file) - from : size - from;
  line.too_long = line.length > max_line;
  if (line.too_long) return line;
  line.reason = tr_slow_lane(file + from, line.length, &line.record);
  if (line.reason != TR_OK && line.reason != TR_BLANK && !line.terminated) line.reason = TR_UNFINISHED;
  return line;
}

static Line *split(const unsigned char *file, size_t size, size_t max_line, size_t *count) {
  Line *line = malloc((size + 1) * sizeof *line);
  *count = 0;
  for (size_t from = 0; from < size; from += line[(*count)++].length + 1) {
    line[*count] = parse_line(file, size, from, max_line);
  }
  return line;
}

static bool is_wanted(const Line *line, TrWant want) {
  if (line->reason == TR_BLANK) return false;
  return line->reason == TR_OK ? want != TR_WANT_REJECTS : want != TR_WANT_RECORDS;
}

/* --- a block ------------------------------------------------------------------------------------------------------ */

static void check_parsed(const TrParsed *parsed, const Line *line, const unsigned char *file) {
  MUST(parsed->line.offset == line->offset && parsed->line.length == line->length);
  MUST(parsed->line.terminated == line->terminated && !parsed->line.too_long && parsed->reason == line->reason);
  MUST(memcmp(parsed->line.text, file + line->offset, line->length) == 0);
  for (int i = 0; line->reason == TR_OK && i < TR_FIELD_COUNT; i++) {
    const TrSpan *a = &parsed->record.field[i], *b = &line->record.field[i];
    MUST(a->kind == b->kind);
    MUST(a->kind == TR_ABSENT || (a->start == b->start && a->length == b->length && a->escaped == b->escaped));
  }
}

/* The lines that begin in the block: returns the index of the first one behind it. */
static size_t check_block(const TrBlock *block, TrWant want, const Line *line, size_t at, size_t count,
                          const unsigned char *file) {
  unsigned given = 0;
  for (; at < count && line[at].offset < block->stopped_at; at++) {
    if (!is_wanted(&line[at], want)) continue;
    MUST(given < block->count);
    check_parsed(&block->parsed[given++], &line[at], file);
  }
  MUST(given == block->count && !block->shrunk && block->stopped_at <= block->to);
  if (block->stopped_at < block->to) {
    MUST(at < count && line[at].offset == block->stopped_at);
    MUST(line[at].too_long || block->count == TR_BLOCK_LINES);
  }
  while (at < count && line[at].offset < block->to) at++;
  return at;
}

/* As in workers.c, which is what makes them. */
static void make_block(TrBlock *block, int fd, size_t size, size_t max_line) {
  *block = (TrBlock){.room = TR_BLOCK_ALIGNMENT + TR_BLOCK_BYTES + max_line + 1, .most = TR_BLOCK_LINES};
  block->file.fd = fd;
  block->file.stat.st_size = (off_t)size;
  block->allocated = malloc(TR_BLOCK_ALIGNMENT + block->room + TR_PADDING);
  block->buffer = block->allocated + -(uintptr_t)block->allocated % TR_BLOCK_ALIGNMENT;
  block->parsed = malloc((TR_BLOCK_LINES + 1) * sizeof *block->parsed);
}

/* From one of the first lines on, as a scan does that has read those before by itself. */
static void check_blocks(const unsigned char *file, size_t size, int fd, size_t max_line, TrWant want, size_t first) {
  size_t count;
  Line *line = split(file, size, max_line, &count);
  TrFilter filter = {0};
  TrWanted wanted = {.want = want, .filter = &filter, .max_line = max_line};
  TrParser parser;
  TrBlock block;
  TrUnpacker unpacker = {0};
  tr_parser_init(&parser);
  make_block(&block, fd, size, max_line);
  size_t at = first < count ? first : 0;
  int64_t from = count ? line[at].offset : 0;
  for (; from < (int64_t)size; from = block.to) {
    block.from = from;
    block.to = from - from % TR_BLOCK_BYTES + TR_BLOCK_BYTES;
    if (block.to > (int64_t)size) block.to = (int64_t)size;
    tr_block_parse(&block, &wanted, &parser, &unpacker);
    at = check_block(&block, want, line, at, count, file);
  }
  MUST(at == count);
  tr_unpacker_close(&unpacker);
  free(block.allocated);
  free(block.parsed);
  free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const TrWant wants[] = {TR_WANT_RECORDS, TR_WANT_REJECTS, TR_WANT_FILES};
  size_t max_line = 1 + (size_t)fuzz_byte(&data, &size) * 4;
  uint8_t choice = fuzz_byte(&data, &size);
  int fd = memfd_create("blocks", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  unsigned char *file = malloc(size + TR_PADDING); /* the lanes load whole blocks */
  memcpy(file, data, size);
  memset(file + size, 0, TR_PADDING);
  check_blocks(file, size, fd, max_line, wants[choice % 3], choice / 3 % 8);
  free(file);
  close(fd);
  return 0;
}
