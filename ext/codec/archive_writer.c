/*
** archive_writer.c - lines -> a segment of the archive: frames of zstd, then the two tables of seek_table.c.
**
** Each frame is compressed by itself, so that a reader can begin at any of them. It holds at most 1 MiB, and ends at a
** line's end; only a line that is longer than a frame goes through several. What is known of the lines that begin
** in a frame, its times above all, goes to the table of times. The lines come from whoever has read and judged them:
** they are not parsed again.
**
** A segment that is still small is taken into the next one. Its frames are copied as they are, but for the last one: it
** is short if little was archived at a time, and goes on with the new lines. A segment that is not of our form, or is
** damaged in its last frame, is not taken.
**
** Memory: one frame, once plain and once compressed, and what zstd needs for that (1.3 MB); 32 bytes a frame for the
** tables.
*/
#include "codec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifdef TR_WITHOUT_ARCHIVE

const char *tr_archive_obstacle(void) {
  return "this build (WITH_ARCHIVE=0) has no zstd";
}

int tr_archive_writer_open(TrArchiveWriter *writer, int fd) {
  *writer = (TrArchiveWriter){.fd = fd};
  return SQLITE_ERROR;
}

int tr_archive_writer_take(TrArchiveWriter *writer, int fd, int64_t size, bool *taken) {
  (void)writer, (void)fd, (void)size;
  *taken = false;
  return SQLITE_OK;
}

int tr_archive_writer_begin_line(TrArchiveWriter *writer, const TrArchivedLine *line) {
  (void)writer, (void)line;
  return SQLITE_ERROR;
}

int tr_archive_writer_add(TrArchiveWriter *writer, const void *bytes, size_t length) {
  (void)writer, (void)bytes, (void)length;
  return SQLITE_ERROR;
}

int tr_archive_writer_end(TrArchiveWriter *writer) {
  (void)writer;
  return SQLITE_ERROR;
}

void tr_archive_writer_close(TrArchiveWriter *writer) {
  *writer = (TrArchiveWriter){.fd = -1};
}

#else

#include <zstd.h>

#ifdef TR_ARCHIVE_FRAME_BYTES
#define MOST_FRAME_BYTES ((size_t)(TR_ARCHIVE_FRAME_BYTES))
#else
#define MOST_FRAME_BYTES ((size_t)TR_FRAME_BYTES)
#endif
#define LEVEL 3 /* 0.03 of what the scheduler writes, at 1 GB/s; level 12 comes to 0.023, and takes ten times as long */

const char *tr_archive_obstacle(void) {
  return NULL;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static int write_segment(TrArchiveWriter *writer, const void *bytes, size_t length) {
  writer->reason = tr_write_at(writer->fd, bytes, length, writer->written);
  if (writer->reason) return tr_error_code(writer->reason);
  writer->written += (int64_t)length;
  return SQLITE_OK;
}

static int end_frame(TrArchiveWriter *writer) {
  if (writer->length == 0) return SQLITE_OK;
  size_t size = ZSTD_compress2(writer->compressor, writer->compressed, writer->room, writer->plain, writer->length);
  if (ZSTD_isError(size)) return SQLITE_NOMEM; /* the room is large enough: nothing else can fail */
  writer->frame.compressed = (uint32_t)size;
  writer->frame.decompressed = (uint32_t)writer->length;
  int code = write_segment(writer, writer->compressed, size);
  if (code == SQLITE_OK) code = tr_seek_table_add(&writer->table, &writer->frame);
  writer->frame = (TrFrameEntry){0};
  writer->length = 0;
  return code;
}

static void note_time(TrFrameEntry *frame, int64_t first_us, int64_t last_us) {
  bool is_first = !(frame->flags & TR_FRAME_IS_TIMED);
  frame->flags |= TR_FRAME_IS_TIMED;
  if (is_first || first_us < frame->first_us) frame->first_us = first_us;
  if (is_first || last_us > frame->last_us) frame->last_us = last_us;
}

int tr_archive_writer_begin_line(TrArchiveWriter *writer, const TrArchivedLine *line) {
  bool fits = line->length <= MOST_FRAME_BYTES - writer->length;
  int code = fits ? SQLITE_OK : end_frame(writer);
  TrFrameEntry *frame = &writer->frame;
  if (writer->length == 0) frame->flags |= TR_FRAME_STARTS_LINE;
  frame->lines++;
  if (line->is_timed) note_time(frame, line->time_us, line->time_us);
  if (line->is_odd) frame->flags |= TR_FRAME_HAS_UNTIMED;
  return code;
}

int tr_archive_writer_add(TrArchiveWriter *writer, const void *bytes, size_t length) {
  const unsigned char *from = bytes;
  int code = SQLITE_OK;
  while (length > 0 && code == SQLITE_OK) {
    size_t room = MOST_FRAME_BYTES - writer->length, count = length < room ? length : room;
    memcpy(writer->plain + writer->length, from, count);
    writer->length += count;
    from += count;
    length -= count;
    if (length > 0) code = end_frame(writer);
  }
  return code;
}

int tr_archive_writer_end(TrArchiveWriter *writer) {
  unsigned char *bytes = NULL;
  size_t length = 0;
  int code = end_frame(writer);
  if (code == SQLITE_OK) code = tr_seek_table_encode(&writer->table, &bytes, &length);
  if (code == SQLITE_OK) code = write_segment(writer, bytes, length);
  sqlite3_free(bytes);
  return code;
}

int tr_archive_writer_open(TrArchiveWriter *writer, int fd) {
  *writer = (TrArchiveWriter){.fd = fd, .room = ZSTD_compressBound(MOST_FRAME_BYTES)};
  writer->plain = sqlite3_malloc64(MOST_FRAME_BYTES);
  writer->compressed = sqlite3_malloc64(writer->room);
  writer->compressor = ZSTD_createCCtx();
  if (writer->plain == NULL || writer->compressed == NULL || writer->compressor == NULL) return SQLITE_NOMEM;
  size_t level = ZSTD_CCtx_setParameter(writer->compressor, ZSTD_c_compressionLevel, LEVEL);
  size_t sum = ZSTD_CCtx_setParameter(writer->compressor, ZSTD_c_checksumFlag, 1);
  return ZSTD_isError(level) || ZSTD_isError(sum) ? SQLITE_ERROR : SQLITE_OK;
}

void tr_archive_writer_close(TrArchiveWriter *writer) {
  ZSTD_freeCCtx(writer->compressor);
  sqlite3_free(writer->plain);
  sqlite3_free(writer->compressed);
  tr_seek_table_free(&writer->table);
  *writer = (TrArchiveWriter){.fd = -1};
}

/* --- a segment that is taken into this one ------------------------------------------------------------------------ */

static int read_segment(TrArchiveWriter *writer, int fd, void *bytes, size_t length, int64_t at) {
  bool whole;
  writer->reason = tr_read_at(fd, bytes, length, at, &whole);
  if (writer->reason) return SQLITE_IOERR_READ;
  return whole ? SQLITE_OK : SQLITE_CORRUPT;
}

static int copy_frames(TrArchiveWriter *writer, int fd, int64_t end) {
  int code = SQLITE_OK;
  while (writer->written < end && code == SQLITE_OK) {
    int64_t left = end - writer->written;
    size_t count = left < (int64_t)writer->room ? (size_t)left : writer->room;
    code = read_segment(writer, fd, writer->compressed, count, writer->written);
    if (code == SQLITE_OK) code = write_segment(writer, writer->compressed, count);
  }
  return code;
}

/* Its text becomes the beginning of the current frame. SQLITE_CORRUPT: it is damaged. */
static int open_last_frame(TrArchiveWriter *writer, int fd, const TrFrameEntry *last, int64_t at) {
  if (last->compressed > writer->room || last->decompressed > MOST_FRAME_BYTES) return SQLITE_CORRUPT;
  int code = read_segment(writer, fd, writer->compressed, last->compressed, at);
  if (code != SQLITE_OK) return code;
  size_t length = ZSTD_decompress(writer->plain, MOST_FRAME_BYTES, writer->compressed, last->compressed);
  if (ZSTD_isError(length) || length != last->decompressed || length == 0) return SQLITE_CORRUPT;
  if (writer->plain[length - 1] != '\n') return SQLITE_CORRUPT; /* the next line would be glued to it */
  writer->length = length;
  writer->frame = *last;
  return SQLITE_OK;
}

static int take_frames(TrArchiveWriter *writer, int fd, const TrSeekTable *old) {
  int64_t end = 0;
  if (old->count == 0) return SQLITE_CORRUPT;
  for (size_t i = 0; i + 1 < old->count; i++) end += old->frame[i].compressed;
  int code = open_last_frame(writer, fd, &old->frame[old->count - 1], end);
  for (size_t i = 0; i + 1 < old->count && code == SQLITE_OK; i++) {
    code = tr_seek_table_add(&writer->table, &old->frame[i]);
  }
  return code == SQLITE_OK ? copy_frames(writer, fd, end) : code;
}

static void forget_frames(TrArchiveWriter *writer) {
  tr_seek_table_free(&writer->table);
  writer->frame = (TrFrameEntry){0};
  writer->length = 0;
}

int tr_archive_writer_take(TrArchiveWriter *writer, int fd, int64_t size, bool *taken) {
  TrSeekTable old = {0};
  *taken = false;
  int code = tr_seek_table_read(&old, fd, size, taken);
  if (code == SQLITE_OK && *taken) code = take_frames(writer, fd, &old);
  if (code == SQLITE_CORRUPT && writer->written == 0) { /* it is damaged, and nothing has been written yet */
    *taken = false;
    forget_frames(writer);
    code = SQLITE_OK;
  }
  tr_seek_table_free(&old);
  return code;
}

#endif
