/*
** block.c - a range of a file -> its lines, parsed, all in memory at once.
**
** A line belongs to the block in which it begins; so the search for the first line starts at the byte before the block,
** and goes to the first newline; the last line may reach far into the next block. Anything unusual (a read error, a
** line that is too long for the buffer, too many lines) ends the work early. The block says where, and the caller reads
** the rest line by line, as if there were no blocks. So only the caller handles errors.
**
** Runs on any thread: no call to SQLite, no allocation.
*/
#include "scan.h"

#include <string.h>

#define TAIL_BYTES (TR_BLOCK_BYTES / 32) /* read together with the block: most last lines end within it */
#define MORE_BYTES (TR_BLOCK_BYTES / 4)  /* read for longer last lines */

/* Others, of a mapping, are only counted. */
static bool wants_no_record(TrWant want, TrReason reason) {
  if (reason == TR_BLANK) return false;
  return reason == TR_OTHER ? want == TR_WANT_FILES : want != TR_WANT_RECORDS;
}

bool tr_wants_line(TrWant want, const TrFilter *filter, const TrParsed *parsed, uint64_t *untimed) {
  if (parsed->reason != TR_OK) return wants_no_record(want, parsed->reason);
  if (want == TR_WANT_REJECTS) return false;
  return !filter->of_records || !tr_filter_skips(filter, &parsed->line, &parsed->record, untimed);
}

/* Does the line end at the buffer's end, although the file goes on? */
static bool is_cut(const TrLines *lines, const TrLine *line, int64_t size) {
  return !line->terminated && lines->end < size;
}

static bool append_read(TrBlock *block, TrLines *lines, size_t count) {
  size_t got, most = block->room - lines->length;
  if (count > most) count = most;
  if ((int64_t)count > block->file.stat.st_size - lines->end) count = (size_t)(block->file.stat.st_size - lines->end);
  if (count == 0 || tr_lines_read_again(lines, lines->buffer + lines->length, count, lines->end, &got) != SQLITE_OK)
    return false;
  block->shrunk = got < count;
  if (block->shrunk) return false;
  lines->length += count;
  lines->end += (int64_t)count;
  memset(lines->buffer + lines->length, 0, TR_PADDING);
  return true;
}

/* The block is a frame of an archived segment, or the end of one. */
static bool open_frame(TrBlock *block, TrLines *lines, size_t max_line, TrUnpacker *unpacker) {
  const TrFrames *frames = block->file.frames;
  size_t which = tr_frames_find(frames, block->from);
  int64_t start = frames->place[which].from;
  size_t length = (size_t)(frames->place[which + 1].from - start);
  const char *why;
  if (tr_unpacker_read(unpacker, frames, block->file.fd, which, block->buffer, &why) != SQLITE_OK) return false;
  memset(block->buffer + length, 0, TR_PADDING);
  *lines = (TrLines){.fd = -1,
                     .buffer = block->buffer,
                     .length = length,
                     .base = start,
                     .end = start + (int64_t)length,
                     .seen_size = block->file.stat.st_size,
                     .max_line = max_line};
  block->ends_line = block->buffer[length - 1] == '\n';
  if (block->from == start && frames->table.frame[which].flags & TR_FRAME_STARTS_LINE) return true;
  size_t before = block->from == start ? 0 : (size_t)(block->from - 1 - start);
  const unsigned char *newline = memchr(block->buffer + before, '\n', length - before);
  lines->mark = lines->searched = newline ? (size_t)(newline - block->buffer) + 1 : length;
  return true;
}

/* Reads the block, and moves to the first line that begins in it. */
static bool open_block(TrBlock *block, TrLines *lines, size_t max_line) {
  int64_t start = block->from < TR_BLOCK_ALIGNMENT ? 0 : block->from - TR_BLOCK_ALIGNMENT;
  *lines = (TrLines){.fd = block->file.fd,
                     .buffer = block->buffer,
                     .base = start,
                     .end = start,
                     .seen_size = block->file.stat.st_size,
                     .max_line = max_line};
  if (!append_read(block, lines, (size_t)(block->to - start) + TAIL_BYTES)) return false;
  if (block->from > 0) {
    size_t before = (size_t)(block->from - 1 - start);
    const unsigned char *newline = memchr(lines->buffer + before, '\n', lines->length - before);
    lines->mark = newline ? (size_t)(newline - lines->buffer) + 1 : lines->length;
  }
  lines->searched = lines->mark;
  return true;
}

static void parse_lines(TrBlock *block, TrLines *lines, const TrWanted *wanted, TrParser *parser) {
  while (tr_lines_following(lines) < block->to) {
    TrParsed *parsed = &block->parsed[block->count];
    block->stopped_at = tr_lines_following(lines);
    if (block->count == block->most) return;
    if (tr_parse_next(parser, lines, parsed) != SQLITE_ROW) return;
    if (parsed->line.too_long) return;
    if (is_cut(lines, &parsed->line, block->file.stat.st_size)) {
      if (block->file.frames || !append_read(block, lines, MORE_BYTES)) return;
      lines->mark = (size_t)(parsed->line.offset - lines->base);
      continue;
    }
    block->count += tr_wants_line(wanted->want, wanted->filter, parsed, &block->untimed);
  }
  block->stopped_at = block->to;
}

bool tr_block_make_room(TrBlock *block, size_t bytes, unsigned lines) {
  if (bytes > block->room) {
    sqlite3_free(block->allocated);
    block->room = bytes;
    block->allocated = sqlite3_malloc64(TR_BLOCK_ALIGNMENT + bytes + TR_PADDING);
    block->buffer = block->allocated + -(uintptr_t)block->allocated % TR_BLOCK_ALIGNMENT;
  }
  if (lines > block->most) {
    sqlite3_free(block->parsed);
    block->most = lines;
    block->parsed = sqlite3_malloc64((lines + 1) * sizeof *block->parsed);
  }
  if (block->allocated && block->parsed) return true;
  tr_block_free(block);
  return false;
}

void tr_block_free(TrBlock *block) {
  sqlite3_free(block->allocated);
  sqlite3_free(block->parsed);
  *block = (TrBlock){0};
}

void tr_block_parse(TrBlock *block, const TrWanted *wanted, TrParser *parser, TrUnpacker *unpacker) {
  TrLines lines;
  block->count = 0;
  block->untimed = 0;
  block->shrunk = false;
  block->unread = false;
  block->stopped_at = block->from;
  if (block->from == block->to) return;
  block->unread = block->file.frames ? !open_frame(block, &lines, wanted->max_line, unpacker)
                                     : !open_block(block, &lines, wanted->max_line);
  if (!block->unread) parse_lines(block, &lines, wanted, parser);
}
