/*
** seek_table.c - what stands at the end of an archived segment: the size of each of its frames, and the times in it.
**
** The tables are a shortcut: they tell where a frame begins, and which frames a query can do without. Both are in
** frames that zstd skips, so any program that knows zstd reads the records. Therefore tables that are missing or wrong
** are no error: the file is then read from its start. They count only if everything adds up exactly to the size of the
** file, which a file that was cut, or that has something behind its end, does not.
**
**   data frames ...
**   0x184D2A54, length, "TRTIMES1", per data frame: first_us, last_us, flags, lines
**   0x184D2A5E, length, per frame, and for the one with the times: compressed, decompressed;
**               how many, 0, 0x8F92EAB1                                 (zstd's seekable format)
**
** All numbers are little-endian.
*/
#include "codec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_OF_TIMES 0x184D2A54U
#define MAGIC_OF_TABLE 0x184D2A5EU
#define MAGIC_OF_FOOTER 0x8F92EAB1U
#define TIMES_WORD "TRTIMES1"
#define TIMES_WORD_BYTES 8
#define SKIPPABLE_HEADER_BYTES 8
#define TIMES_BYTES 24 /* of a frame */
#define SIZES_BYTES 8  /* of a frame */
#define FOOTER_BYTES 9
#define MOST_FRAMES ((size_t)1 << 17) /* 128 GiB of records, and 4 MiB of memory */

/* --- numbers <-> bytes ---------------------------------------------------------------------------------------------*/

static uint64_t take_little_endian(const unsigned char **at, unsigned bytes) {
  uint64_t number = 0;
  for (unsigned i = 0; i < bytes; i++) number |= (uint64_t)(*at)[i] << (8 * i);
  *at += bytes;
  return number;
}

static void put_number(unsigned char **at, uint64_t number, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) (*at)[i] = (unsigned char)(number >> (8 * i));
  *at += bytes;
}

static size_t times_length(size_t frames) {
  return SKIPPABLE_HEADER_BYTES + TIMES_WORD_BYTES + TIMES_BYTES * frames;
}

static size_t table_length(size_t frames) {
  return SKIPPABLE_HEADER_BYTES + SIZES_BYTES * (frames + 1) + FOOTER_BYTES;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

int tr_seek_table_add(TrSeekTable *table, const TrFrameEntry *entry) {
  TrFrameEntry *grown = tr_array_reserve(table->frame, &table->room, table->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  table->frame = grown;
  grown[table->count++] = *entry;
  return SQLITE_OK;
}

static void put_times(const TrSeekTable *table, unsigned char **at) {
  put_number(at, MAGIC_OF_TIMES, 4);
  put_number(at, times_length(table->count) - SKIPPABLE_HEADER_BYTES, 4);
  memcpy(*at, TIMES_WORD, TIMES_WORD_BYTES);
  *at += TIMES_WORD_BYTES;
  for (size_t i = 0; i < table->count; i++) {
    const TrFrameEntry *frame = &table->frame[i];
    put_number(at, (uint64_t)frame->first_us, 8);
    put_number(at, (uint64_t)frame->last_us, 8);
    put_number(at, frame->flags, 4);
    put_number(at, frame->lines, 4);
  }
}

static void put_table(const TrSeekTable *table, unsigned char **at) {
  put_number(at, MAGIC_OF_TABLE, 4);
  put_number(at, table_length(table->count) - SKIPPABLE_HEADER_BYTES, 4);
  for (size_t i = 0; i < table->count; i++) {
    put_number(at, table->frame[i].compressed, 4);
    put_number(at, table->frame[i].decompressed, 4);
  }
  put_number(at, times_length(table->count), 4);
  put_number(at, 0, 4);
  put_number(at, table->count + 1, 4);
  put_number(at, 0, 1);
  put_number(at, MAGIC_OF_FOOTER, 4);
}

int tr_seek_table_encode(const TrSeekTable *table, unsigned char **bytes, size_t *length) {
  *length = 0;
  *bytes = NULL;
  if (table->count > UINT32_MAX / TIMES_BYTES - 2) return SQLITE_TOOBIG; /* a length has 32 bits */
  *bytes = sqlite3_malloc64(times_length(table->count) + table_length(table->count));
  if (*bytes == NULL) return SQLITE_NOMEM;
  unsigned char *at = *bytes;
  put_times(table, &at);
  put_table(table, &at);
  *length = (size_t)(at - *bytes);
  return SQLITE_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_all(int fd, unsigned char *into, size_t count, int64_t offset) {
  while (count > 0) {
    ssize_t got = TEMP_FAILURE_RETRY(pread(fd, into, count, offset));
    if (got <= 0) return false;
    into += got;
    offset += got;
    count -= (size_t)got;
  }
  return true;
}

/* How many data frames there are, by the footer. 0: it is none of ours. */
static size_t read_count(int fd, int64_t size) {
  unsigned char footer[FOOTER_BYTES];
  const unsigned char *at = footer;
  if (size < FOOTER_BYTES || !read_all(fd, footer, FOOTER_BYTES, size - FOOTER_BYTES)) return 0;
  size_t frames = (size_t)take_little_endian(&at, 4);
  if (take_little_endian(&at, 1) != 0 || take_little_endian(&at, 4) != MAGIC_OF_FOOTER) return 0;
  return frames >= 2 && frames <= MOST_FRAMES + 1 ? frames - 1 : 0;
}

static bool take_header(const unsigned char **at, uint32_t magic, size_t length) {
  bool is_magic = take_little_endian(at, 4) == magic;
  return take_little_endian(at, 4) == length - SKIPPABLE_HEADER_BYTES && is_magic;
}

static bool take_times(const unsigned char **at, TrSeekTable *table) {
  const unsigned known = TR_FRAME_STARTS_LINE | TR_FRAME_IS_TIMED | TR_FRAME_HAS_UNTIMED;
  if (!take_header(at, MAGIC_OF_TIMES, times_length(table->count))) return false;
  if (memcmp(*at, TIMES_WORD, TIMES_WORD_BYTES) != 0) return false;
  *at += TIMES_WORD_BYTES;
  for (size_t i = 0; i < table->count; i++) {
    TrFrameEntry *frame = &table->frame[i];
    frame->first_us = (int64_t)take_little_endian(at, 8);
    frame->last_us = (int64_t)take_little_endian(at, 8);
    frame->flags = (uint32_t)take_little_endian(at, 4);
    frame->lines = (uint32_t)take_little_endian(at, 4);
    bool is_timed = frame->flags & TR_FRAME_IS_TIMED;
    if (frame->flags & ~known || frame->first_us > frame->last_us) return false;
    if (!is_timed && (frame->first_us != 0 || frame->last_us != 0)) return false;
  }
  return table->frame[0].flags & TR_FRAME_STARTS_LINE;
}

/* `before`: bytes of the file before both tables. */
static bool take_sizes(const unsigned char **at, TrSeekTable *table, int64_t before) {
  int64_t sum = 0;
  if (!take_header(at, MAGIC_OF_TABLE, table_length(table->count))) return false;
  for (size_t i = 0; i < table->count; i++) {
    TrFrameEntry *frame = &table->frame[i];
    frame->compressed = (uint32_t)take_little_endian(at, 4);
    frame->decompressed = (uint32_t)take_little_endian(at, 4);
    if (frame->compressed == 0 || frame->compressed > TR_FRAME_MOST_COMPRESSED) return false;
    if (frame->decompressed == 0 || frame->decompressed > TR_FRAME_BYTES) return false;
    sum += frame->compressed;
  }
  bool is_of_times = take_little_endian(at, 4) == times_length(table->count);
  return take_little_endian(at, 4) == 0 && is_of_times && sum == before;
}

/* Room for `count` frames, and the bytes of both tables. */
static int read_tables(TrSeekTable *table, int fd, int64_t from, size_t count, bool *found) {
  size_t length = times_length(count) + table_length(count);
  unsigned char *bytes = sqlite3_malloc64(length);
  TrFrameEntry *frame = sqlite3_malloc64(count * sizeof *frame);
  const unsigned char *at = bytes;
  *table = (TrSeekTable){.frame = frame, .count = count, .room = count};
  int code = bytes && frame ? SQLITE_OK : SQLITE_NOMEM;
  *found =
      code == SQLITE_OK && read_all(fd, bytes, length, from) && take_times(&at, table) && take_sizes(&at, table, from);
  sqlite3_free(bytes);
  if (!*found) tr_seek_table_free(table);
  return code;
}

int tr_seek_table_read(TrSeekTable *table, int fd, int64_t size, bool *found) {
  *found = false;
  *table = (TrSeekTable){0};
  size_t count = read_count(fd, size);
  int64_t from = size - (int64_t)(times_length(count) + table_length(count));
  if (count == 0 || from <= 0) return SQLITE_OK;
  return read_tables(table, fd, from, count, found);
}

void tr_seek_table_free(TrSeekTable *table) {
  sqlite3_free(table->frame);
  *table = (TrSeekTable){0};
}
