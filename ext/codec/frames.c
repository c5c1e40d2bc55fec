/*
** frames.c - an archived segment -> its text, from any place on, forwards or backwards; or one frame of it.
**
** With the table of its frames (seek_table.c), a compressed file is like a plain one: its text has a size, and any part
** of it can be read, for the price of one frame. So whoever reads plain files, in blocks or backwards, reads these in
** the same way. And where a frame is damaged, it is known where the next one begins.
**
** A frame is decompressed whole, into memory of its size, which is at most 1 MiB. So nothing in it is believed before
** its checksum has been compared, and neither a window nor a bomb needs more than that.
*/
#include "codec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- which frame is where ----------------------------------------------------------------------------------------- */

static void frames_free(TrFrames *frames) {
  tr_seek_table_free(&frames->table);
  sqlite3_free(frames->place);
  sqlite3_free(frames);
}

static void add_up(TrFrames *frames) {
  TrFramePlace place = {0};
  for (size_t i = 0; i < frames->table.count; i++) {
    frames->place[i] = place;
    place.at += frames->table.frame[i].compressed;
    place.from += frames->table.frame[i].decompressed;
  }
  frames->place[frames->table.count] = place;
}

/* Takes over the table. */
static int frames_new(TrSeekTable *table, TrFrames **frames) {
  *frames = sqlite3_malloc64(sizeof **frames);
  TrFramePlace *place = sqlite3_malloc64((table->count + 1) * sizeof *place);
  if (*frames == NULL || place == NULL) {
    tr_seek_table_free(table);
    sqlite3_free(*frames);
    sqlite3_free(place);
    return SQLITE_NOMEM;
  }
  **frames = (TrFrames){.table = *table, .place = place};
  add_up(*frames);
  return SQLITE_OK;
}

int tr_frames_open(TrFile *file) {
  TrSeekTable table;
  bool found;
  if (file->codec != TR_CODEC_ZSTD || tr_codec_obstacle(TR_CODEC_ZSTD)) return SQLITE_OK;
  int code = tr_seek_table_read(&table, file->fd, file->stat.st_size, &found);
  if (code != SQLITE_OK || !found) return code;
  code = frames_new(&table, &file->frames);
  if (code != SQLITE_OK) {
    file->frames = NULL;
    return code;
  }
  file->free_frames = frames_free;
  file->stat.st_size = file->frames->place[file->frames->table.count].from;
  return SQLITE_OK;
}

size_t tr_frames_find(const TrFrames *frames, int64_t offset) {
  size_t low = 0, high = frames->table.count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (frames->place[middle + 1].from <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* --- one frame ---------------------------------------------------------------------------------------------------- */

static int read_packed(TrUnpacker *unpacker, int fd, size_t length, int64_t at) {
  size_t had = 0;
  while (had < length) {
    ssize_t got = TEMP_FAILURE_RETRY(pread(fd, unpacker->packed + had, length - had, at + (int64_t)had));
    if (got < 0) return SQLITE_IOERR_READ;
    if (got == 0) return SQLITE_CORRUPT;
    had += (size_t)got;
  }
  return SQLITE_OK;
}

#ifndef TR_WITHOUT_ARCHIVE

#include <zstd.h>

int tr_unpacker_open(TrUnpacker *unpacker) {
  if (unpacker->packed == NULL) unpacker->packed = sqlite3_malloc64(TR_FRAME_MOST_COMPRESSED);
  if (unpacker->context == NULL) unpacker->context = ZSTD_createDCtx();
  return unpacker->packed && unpacker->context ? SQLITE_OK : SQLITE_NOMEM;
}

void tr_unpacker_close(TrUnpacker *unpacker) {
  ZSTD_freeDCtx(unpacker->context);
  sqlite3_free(unpacker->packed);
  *unpacker = (TrUnpacker){0};
}

static int unpack(TrUnpacker *unpacker, const TrFrameEntry *frame, unsigned char *into, const char **why) {
  size_t got = ZSTD_decompressDCtx(unpacker->context, into, frame->decompressed, unpacker->packed, frame->compressed);
  *why = ZSTD_isError(got) ? ZSTD_getErrorName(got) : "it has another size than the table says";
  return got == frame->decompressed ? SQLITE_OK : SQLITE_CORRUPT;
}

#else

int tr_unpacker_open(TrUnpacker *unpacker) {
  (void)unpacker;
  return SQLITE_OK;
}

void tr_unpacker_close(TrUnpacker *unpacker) {
  (void)unpacker;
}

static int unpack(TrUnpacker *unpacker, const TrFrameEntry *frame, unsigned char *into, const char **why) {
  (void)unpacker, (void)frame, (void)into;
  *why = tr_codec_obstacle(TR_CODEC_ZSTD);
  return SQLITE_CORRUPT;
}

#endif

int tr_unpacker_read(TrUnpacker *unpacker, const TrFrames *frames, int fd, size_t which, unsigned char *into,
                     const char **why) {
  const TrFrameEntry *frame = &frames->table.frame[which];
  *why = "it ends in the middle";
  int code = read_packed(unpacker, fd, frame->compressed, frames->place[which].at);
  return code == SQLITE_OK ? unpack(unpacker, frame, into, why) : code;
}

/* --- any part of the text ----------------------------------------------------------------------------------------- */

/* The text of that frame, in reader->text. */
static int load_frame(TrFrameReader *reader, size_t which) {
  if (reader->loaded == which + 1) return SQLITE_OK;
  if (reader->damaged == which + 1) return SQLITE_CORRUPT;
  const char *why;
  reader->loaded = 0;
  int code = tr_unpacker_read(&reader->unpacker, reader->frames, reader->fd, which, reader->text, &why);
  if (code == SQLITE_OK) reader->loaded = which + 1;
  if (code != SQLITE_CORRUPT) return code;
  reader->damaged = which + 1;
  reader->why = why;
  return code;
}

static size_t least(size_t a, int64_t b) {
  return (int64_t)a < b ? a : (size_t)b;
}

/* What is wrong comes after the bytes before it. */
static int read_frames(TrSource *source, unsigned char *into, size_t room, int64_t offset, size_t *got) {
  TrFrameReader *reader = (TrFrameReader *)source;
  const TrFramePlace *place = reader->frames->place;
  *got = 0;
  for (size_t i = tr_frames_find(reader->frames, offset); *got < room && i < reader->frames->table.count; i++) {
    int code = load_frame(reader, i);
    if (code != SQLITE_OK) return *got > 0 ? SQLITE_OK : code;
    int64_t from = offset + (int64_t)*got;
    size_t count = least(room - *got, place[i + 1].from - from);
    memcpy(into + *got, reader->text + (from - place[i].from), count);
    *got += count;
  }
  return SQLITE_OK;
}

static int read_frames_back(TrSource *source, unsigned char *into, size_t room, int64_t offset, size_t *got) {
  TrFrameReader *reader = (TrFrameReader *)source;
  const TrFramePlace *place = reader->frames->place;
  *got = 0;
  while (*got < room && offset > 0) {
    size_t i = tr_frames_find(reader->frames, offset - 1);
    int code = load_frame(reader, i);
    if (code != SQLITE_OK) return *got > 0 ? SQLITE_OK : code;
    size_t count = least(room - *got, offset - place[i].from);
    offset -= (int64_t)count;
    *got += count;
    memcpy(into + room - *got, reader->text + (offset - place[i].from), count);
  }
  return SQLITE_OK;
}

int tr_frame_reader_open(TrFrameReader *reader, const TrFile *file) {
  reader->source = (TrSource){read_frames, read_frames_back};
  reader->frames = file->frames;
  reader->fd = file->fd;
  reader->loaded = reader->damaged = reader->reported = 0;
  if (reader->text == NULL) reader->text = sqlite3_malloc64(TR_FRAME_BYTES);
  return reader->text ? tr_unpacker_open(&reader->unpacker) : SQLITE_NOMEM;
}

void tr_frame_reader_close(TrFrameReader *reader) {
  tr_unpacker_close(&reader->unpacker);
  sqlite3_free(reader->text);
  *reader = (TrFrameReader){0};
}
