/*
** lines.c - file -> lines, forwards or backwards, through one small buffer.
**
** We use pread() into a reused buffer, never mmap(): if the file is truncated while we read it, pread() reads less, but
** a mapping would raise SIGBUS. The buffer grows only to hold one line, and never beyond max_line: a longer line is
** skipped, and only its length is kept.
**
** The size is a snapshot taken when the file was opened. After each read we check the size again. If the file is now
** smaller than the largest size seen, somebody truncated it, and the bytes just read may be new ones that do not belong
** to the line before them. So they are thrown away, and the scan ends with the last line that was whole before.
*/
#include "read.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FIRST_READ_BYTES (64 * 1024) /* reading only a file's last lines should cost little */

/* pread() copies up to 1.5 times as fast to an address that is a multiple of this; for buffers of this size, malloc()
** never returns such an address. */
#define ALIGNMENT 64

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

static int lines_reserve(TrLines *lines, size_t capacity) {
  if (capacity <= lines->capacity) return SQLITE_OK;
  unsigned char *buffer = sqlite3_realloc64(lines->buffer, capacity + TR_PADDING);
  if (buffer == NULL) return SQLITE_NOMEM;
  lines->buffer = buffer;
  lines->capacity = capacity;
  return SQLITE_OK;
}

int tr_lines_open(TrLines *lines, int fd, int64_t from, int64_t size, size_t max_line, bool backwards, TrPoll *poll) {
  lines->fd = fd;
  lines->source = NULL;
  lines->poll = poll;
  lines->length = lines->mark = lines->searched = 0;
  lines->read_bytes = smaller(FIRST_READ_BYTES, TR_READ_BYTES);
  lines->floor = 0;
  lines->base = backwards ? size : from;
  lines->end = lines->seen_size = size;
  lines->max_line = max_line;
  lines->backwards = backwards;
  lines->has_shrunk = false;
  return lines_reserve(lines, TR_READ_BYTES + ALIGNMENT);
}

void tr_lines_close(TrLines *lines) {
  sqlite3_free(lines->buffer);
  memset(lines, 0, sizeof *lines);
  lines->fd = -1;
}

/* Reads `count` bytes at `offset` into `into`. *got is less only at the (new) end of the file. */
static int read_fully(TrLines *lines, unsigned char *into, size_t count, int64_t offset, size_t *got) {
  *got = 0;
  while (*got < count) {
    ssize_t n = pread(lines->fd, into + *got, count - *got, offset + (int64_t)*got);
    if (n > 0) {
      *got += (size_t)n;
    } else if (n == 0) {
      break;
    } else if (errno != EINTR) {
      return SQLITE_IOERR_READ;
    }
    if (n < 0) {
      int code = tr_poll(lines->poll);
      if (code != SQLITE_OK) return code;
    }
  }
  return SQLITE_OK;
}

/* Has the file become smaller than a size seen earlier? Then bytes read from now on do not continue those read
** before. */
static int check_shrunk(TrLines *lines, bool *shrunk) {
  struct stat now;
  if (fstat(lines->fd, &now) != 0) return SQLITE_IOERR_FSTAT;
  *shrunk = now.st_size < lines->seen_size;
  if (!*shrunk) lines->seen_size = now.st_size;
  return SQLITE_OK;
}

static int read_checked(TrLines *lines, unsigned char *into, size_t count, int64_t offset, bool *shrunk) {
  int code = tr_poll(lines->poll);
  if (code != SQLITE_OK) return code;
  size_t got;
  code = read_fully(lines, into, count, offset, &got);
  if (code != SQLITE_OK) return code;
  code = check_shrunk(lines, shrunk);
  if (got < count) *shrunk = true;
  lines->has_shrunk |= *shrunk;
  if (lines->read_bytes < TR_READ_BYTES) lines->read_bytes = smaller(lines->read_bytes * 2, TR_READ_BYTES);
  return code;
}

int tr_lines_read_again(TrLines *lines, void *into, size_t count, int64_t offset, size_t *got) {
  bool shrunk = false;
  int code = read_fully(lines, into, count, offset, got);
  if (code == SQLITE_OK) code = check_shrunk(lines, &shrunk);
  if (shrunk) *got = 0;
  return code;
}

static void pad(TrLines *lines) {
  memset(lines->buffer + lines->length, 0, TR_PADDING);
}

static void give_line(TrLines *lines, TrLine *line, size_t start, size_t end, bool terminated) {
  line->text = lines->buffer + start;
  line->length = end - start;
  line->offset = lines->base + (int64_t)start;
  line->terminated = terminated;
  line->too_long = line->length > lines->max_line;
  if (line->too_long) line->text = NULL;
}

/* --- forwards ---------------------------------------------------------------------------------------------------- */

/* Moves the bytes not yet returned to the front of the buffer, such that the next read goes to an aligned address. */
static void make_room_behind(TrLines *lines) {
  size_t kept = lines->length - lines->mark;
  if (kept > 0 && lines->mark < ALIGNMENT) return; /* a long line: moving it again and again gains nothing */
  size_t mark = -((uintptr_t)lines->buffer + kept) % ALIGNMENT;
  memmove(lines->buffer + mark, lines->buffer + lines->mark, kept);
  lines->base += (int64_t)lines->mark - (int64_t)mark; /* may be negative: the bytes before lines->mark are unused */
  lines->searched = lines->searched - lines->mark + mark;
  lines->length = mark + kept;
  lines->mark = mark;
}

/* Appends what the source gives. The end of a stream becomes known when it gives nothing. */
static int fill_from_source(TrLines *lines) {
  int64_t offset = lines->base + (int64_t)lines->length;
  size_t got, count = smaller(lines->read_bytes, lines->capacity - lines->length);
  if ((int64_t)count > lines->end - offset) count = (size_t)(lines->end - offset);
  int code = tr_poll(lines->poll);
  if (code == SQLITE_OK) code = lines->source->read(lines->source, lines->buffer + lines->length, count, offset, &got);
  if (code != SQLITE_OK) return code;
  if (lines->read_bytes < TR_READ_BYTES) lines->read_bytes = smaller(lines->read_bytes * 2, TR_READ_BYTES);
  lines->length += got;
  if (got == 0) lines->end = lines->base + (int64_t)lines->length;
  pad(lines);
  return SQLITE_OK;
}

/* Appends the next read to the buffer. The bytes before lines->mark are lost. */
static int fill_forwards(TrLines *lines, bool *shrunk) {
  make_room_behind(lines);
  int code = SQLITE_OK;
  if (lines->length == lines->capacity) code = lines_reserve(lines, lines->capacity * 2);
  if (code != SQLITE_OK) return code;
  if (lines->source) return fill_from_source(lines);
  int64_t offset = lines->base + (int64_t)lines->length;
  size_t count = smaller(lines->read_bytes, lines->capacity - lines->length);
  if ((int64_t)count > lines->end - offset) count = (size_t)(lines->end - offset);
  code = read_checked(lines, lines->buffer + lines->length, count, offset, shrunk);
  if (code != SQLITE_OK || *shrunk) return code;
  lines->length += count;
  pad(lines);
  return SQLITE_OK;
}

/* The line at lines->mark is too long to keep: finds its end, keeping only one read in memory. */
static int skip_forwards(TrLines *lines, TrLine *line) {
  int64_t start = lines->base + (int64_t)lines->mark;
  for (;;) {
    lines->mark = lines->searched = lines->length; /* drop the bytes */
    int64_t at = lines->base + (int64_t)lines->length;
    const unsigned char *newline = NULL;
    if (at < lines->end) {
      bool shrunk = false;
      int code = fill_forwards(lines, &shrunk);
      if (code != SQLITE_OK) return code;
      if (shrunk) return SQLITE_DONE;
      newline = memchr(lines->buffer + lines->mark, '\n', lines->length - lines->mark);
      if (newline == NULL) continue;
      at = lines->base + (newline - lines->buffer);
      lines->mark = lines->searched = (size_t)(newline - lines->buffer) + 1;
    }
    *line =
        (TrLine){.offset = start, .length = (uint64_t)(at - start), .terminated = newline != NULL, .too_long = true};
    return SQLITE_ROW;
  }
}

static int next_line_forwards(TrLines *lines, TrLine *line) {
  for (;;) {
    const unsigned char *newline = memchr(lines->buffer + lines->searched, '\n', lines->length - lines->searched);
    if (newline) {
      size_t at = (size_t)(newline - lines->buffer);
      give_line(lines, line, lines->mark, at, true);
      lines->mark = lines->searched = at + 1;
      return SQLITE_ROW;
    }
    lines->searched = lines->length;
    if (lines->base + (int64_t)lines->length >= lines->end) {
      if (lines->mark == lines->length) return SQLITE_DONE;
      give_line(lines, line, lines->mark, lines->length, false);
      lines->mark = lines->length;
      return SQLITE_ROW;
    }
    if (lines->length - lines->mark > lines->max_line) return skip_forwards(lines, line);
    bool shrunk = false;
    int code = fill_forwards(lines, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) return SQLITE_DONE;
  }
}

/* --- backwards --------------------------------------------------------------------------------------------------- */

/* The last newline in buffer[from, to), or -1. */
static ssize_t last_newline(const TrLines *lines, size_t from, size_t to) {
  const unsigned char *newline = tr_last_byte(lines->buffer + from, '\n', to - from);
  return newline ? newline - lines->buffer : -1;
}

/* As fill_backwards(), with room for `count` bytes, of which the source may give fewer. */
static int fill_back_from_source(TrLines *lines, size_t keep, size_t count, size_t *added) {
  *added = 0;
  int code = tr_poll(lines->poll);
  memmove(lines->buffer + count, lines->buffer, keep);
  if (code == SQLITE_OK) code = lines->source->read_back(lines->source, lines->buffer, count, lines->base, added);
  memmove(lines->buffer, lines->buffer + count - *added, *added + keep);
  lines->base -= (int64_t)*added;
  lines->length = *added + keep;
  pad(lines);
  if (lines->read_bytes < TR_READ_BYTES) lines->read_bytes = smaller(lines->read_bytes * 2, TR_READ_BYTES);
  return code;
}

/* Reads the file's bytes before the buffer and puts them in front of buffer[0, keep). It reads at least `keep` bytes,
** so that a long line is not moved again and again by small reads. */
static int fill_backwards(TrLines *lines, size_t keep, size_t *added, bool *shrunk) {
  size_t count = larger(lines->read_bytes, keep);
  if ((int64_t)count > lines->base - lines->floor) count = (size_t)(lines->base - lines->floor);
  int code = SQLITE_OK;
  if (keep + count > lines->capacity) code = lines_reserve(lines, 2 * lines->capacity); /* neither is more than that */
  if (code != SQLITE_OK) return code;
  if (lines->source) return fill_back_from_source(lines, keep, count, added);
  memmove(lines->buffer + count, lines->buffer, keep);
  lines->base -= (int64_t)count;
  lines->length = keep + count;
  code = read_checked(lines, lines->buffer, count, lines->base, shrunk);
  pad(lines);
  *added = count;
  return code;
}

/* The line that ends at file offset `line_end` is too long to keep: finds its start, keeping only one read in
** memory. */
static int skip_backwards(TrLines *lines, TrLine *line, int64_t line_end, bool terminated) {
  ssize_t newline = -1;
  lines->mark = 0; /* drop the bytes */
  while (newline < 0 && lines->base > lines->floor) {
    size_t added;
    bool shrunk = false;
    int code = fill_backwards(lines, 0, &added, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) return SQLITE_DONE;
    newline = last_newline(lines, 0, added);
  }
  lines->mark = (size_t)(newline + 1);
  int64_t start = lines->base + newline + 1;
  *line = (TrLine){.offset = start, .length = (uint64_t)(line_end - start), .terminated = terminated, .too_long = true};
  return SQLITE_ROW;
}

static int next_line_backwards(TrLines *lines, TrLine *line) {
  if (lines->mark == 0 && lines->base == lines->floor) return SQLITE_DONE;
  if (lines->mark == 0) {
    size_t added;
    bool shrunk = false;
    int code = fill_backwards(lines, 0, &added, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) return SQLITE_DONE;
    lines->mark = added;
  }
  /* Only the very last line of the file can lack its newline. */
  bool terminated = lines->buffer[lines->mark - 1] == '\n';
  size_t end = terminated ? lines->mark - 1 : lines->mark;
  size_t search_to = end;
  for (;;) {
    ssize_t newline = last_newline(lines, 0, search_to);
    if (newline >= 0 || lines->base == lines->floor) {
      give_line(lines, line, (size_t)(newline + 1), end, terminated);
      lines->mark = (size_t)(newline + 1);
      return SQLITE_ROW;
    }
    if (end > lines->max_line) return skip_backwards(lines, line, lines->base + (int64_t)end, terminated);
    size_t added;
    bool shrunk = false;
    int code = fill_backwards(lines, lines->mark, &added, &shrunk);
    if (code != SQLITE_OK) return code;
    if (shrunk) return SQLITE_DONE;
    lines->mark += added;
    end += added;
    search_to = added; /* the bytes after that are searched already */
  }
}

#ifndef NDEBUG
/* A block of the read-ahead (scan/block.c) lends its buffer, whose capacity is not checked here. */
static bool is_consistent(const TrLines *lines) {
  return lines->mark <= lines->length &&
         (lines->backwards || (lines->mark <= lines->searched && lines->searched <= lines->length));
}
#endif

int tr_lines_next(TrLines *lines, TrLine *line) {
  assert(is_consistent(lines));
  int code = lines->backwards ? next_line_backwards(lines, line) : next_line_forwards(lines, line);
  if (code == SQLITE_DONE) { /* stay at the end, even if a file that shrank grows again */
    lines->base = lines->end = lines->floor = 0;
    lines->mark = lines->length = lines->searched = 0;
  }
  assert(is_consistent(lines));
  return code;
}

int64_t tr_lines_position(const TrLines *lines) {
  return lines->base + (int64_t)(lines->backwards ? 0 : lines->length);
}
