/*
** segments.c - fuzz target: any bytes as a compressed segment, and segments of the archive with any damage.
**
** What libzstd and zlib make of all the bytes at once is the oracle. A file that they take must be read to its end,
** with the same text; of one that they refuse, the text up to the damage at most. If the file ends with tables that
** count, the text of its frames must be that of the whole, from its start, from its end, and line by line from both;
** and a damaged frame must take nothing with it but itself.
**
** The first byte of the input chooses: a file as it is, or a segment that is made of the rest, with damage.
**
** Aimed at ext/codec/decompress.c, seek_table.c, frames.c and rewind.c.
*/
#include "tr.h"

#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "fuzz.h"

#define MOST_TEXT ((size_t)1 << 17) /* of a bomb, no more is compared */
#define MOST_FRAMES 64
#define PIECE 7 /* less than a frame */

typedef struct Text {
  unsigned char *bytes; /* owned; MOST_TEXT of them */
  size_t length;
  bool is_whole, is_cut; /* taken to its end; longer than MOST_TEXT */
  bool is_too_wide;      /* libzstd refuses its window, unless it has all of a frame, and room for it */
} Text;

static TrPoll poll_of_nobody;

static Text new_text(void) {
  Text text = {.bytes = malloc(MOST_TEXT)};
  MUST(text.bytes != NULL);
  return text;
}

static bool is_prefix(const Text *a, const Text *b) {
  return a->length <= b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* --- the oracle --------------------------------------------------------------------------------------------------- */

static Text expect_zstd(const uint8_t *data, size_t size) {
  Text text = new_text();
  ZSTD_DCtx *context = ZSTD_createDCtx();
  ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer in = {data, 0, 0};
  ZSTD_outBuffer out = {text.bytes, MOST_TEXT, 0};
  size_t left = 1, left_now, before;
  do {
    before = in.pos + out.pos;
    in.size = in.pos + PIECE < size ? in.pos + PIECE : size;
    left_now = ZSTD_decompressStream(context, &out, &in);
    if (in.pos + out.pos > before || ZSTD_isError(left_now)) left = left_now; /* else it asks for another frame */
  } while (!ZSTD_isError(left) && in.pos + out.pos > before && out.pos < out.size);
  text.length = out.pos;
  text.is_cut = out.pos == out.size;
  text.is_whole = size > 0 && left == 0 && in.pos == size;
  text.is_too_wide = ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge;
  ZSTD_freeDCtx(context);
  return text;
}

static Text expect_gzip(const uint8_t *data, size_t size) {
  Text text = new_text();
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
  MUST(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_out = text.bytes;
  stream.avail_out = (uInt)MOST_TEXT;
  bool is_inside = true;
  while (stream.avail_in > 0 && stream.avail_out > 0) {
    int result = inflate(&stream, Z_NO_FLUSH);
    is_inside = result != Z_STREAM_END;
    if (is_inside && result != Z_OK) break;
    while (!is_inside && stream.avail_in > 0 && *stream.next_in == 0) stream.next_in++, stream.avail_in--;
    if (!is_inside && stream.avail_in > 0 && inflateReset(&stream) == Z_OK) is_inside = true;
  }
  text.length = MOST_TEXT - stream.avail_out;
  text.is_cut = stream.avail_out == 0;
  text.is_whole = size > 0 && stream.avail_in == 0 && !is_inside;
  inflateEnd(&stream);
  return text;
}

/* --- as a stream -------------------------------------------------------------------------------------------------- */

static Text read_stream(int fd, uint8_t codec, size_t step) {
  Text text = new_text();
  TrDecompressor decompressor = {0};
  size_t got = 0;
  int code = tr_decompressor_open(&decompressor, fd, codec, &poll_of_nobody);
  while (code == SQLITE_OK && text.length < MOST_TEXT) {
    size_t room = MOST_TEXT - text.length < step ? MOST_TEXT - text.length : step;
    code = decompressor.source.read(&decompressor.source, text.bytes + text.length, room, 0, &got);
    if (code == SQLITE_OK && got == 0) text.is_whole = true;
    text.length += got;
    if (text.is_whole) break;
  }
  MUST(code == SQLITE_OK || (code == SQLITE_CORRUPT && decompressor.why[0]));
  text.is_cut = text.length == MOST_TEXT;
  tr_decompressor_end(&decompressor);
  return text;
}

static void check_stream(int fd, uint8_t codec, const Text *wanted, size_t step) {
  Text got = read_stream(fd, codec, step);
  MUST(is_prefix(&got, wanted) || is_prefix(wanted, &got));
  bool is_comparable = !wanted->is_cut && !got.is_cut;
  if (is_comparable && wanted->is_whole) MUST(got.is_whole && got.length == wanted->length);
  if (is_comparable && !wanted->is_too_wide) MUST(got.is_whole <= wanted->is_whole);
  free(got.bytes);
}

/* Backwards it is the same, up to the last line before the damage. */
static void check_rewound(int fd, uint8_t codec, const Text *wanted, size_t step) {
  TrDecompressor decompressor = {0};
  TrRewinder rewinder = {0};
  TrFile file = {.fd = fd, .codec = codec};
  unsigned char piece[4096];
  size_t got;
  int64_t at;
  if (wanted->is_cut || step > sizeof piece) return;
  MUST(tr_rewinder_open(&rewinder, &decompressor, &file, &poll_of_nobody, &at) == SQLITE_OK);
  if (wanted->is_whole) MUST(at == (int64_t)wanted->length);
  while (at > 0) {
    int code = rewinder.source.read_back(&rewinder.source, piece, step, at, &got);
    MUST(code == SQLITE_OK && got > 0 && got <= step && (int64_t)got <= at);
    at -= (int64_t)got;
    for (size_t i = 0; i < got && at + (int64_t)i < (int64_t)wanted->length; i++)
      MUST(piece[step - got + i] == wanted->bytes[at + (int64_t)i]);
  }
  tr_rewinder_close(&rewinder);
  tr_decompressor_end(&decompressor);
}

/* --- by frames ---------------------------------------------------------------------------------------------------- */

static size_t count_lines(TrLines *lines, TrFrameReader *reader, const TrFile *file, bool backwards, int64_t *sum) {
  TrLine line;
  size_t count = 0;
  int code = tr_lines_open(lines, file->fd, 0, file->stat.st_size, 1000, backwards, &poll_of_nobody);
  lines->source = &reader->source;
  *sum = 0;
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = tr_lines_next(lines, &line);
    if (code != SQLITE_ROW) break;
    *sum += line.offset * 3 + (int64_t)line.length * 5 + line.terminated;
    count++;
  }
  MUST(code == SQLITE_DONE);
  return count;
}

static void check_lines(TrFrameReader *reader, const TrFile *file) {
  TrLines lines = {0};
  int64_t forwards, backwards;
  size_t count = count_lines(&lines, reader, file, false, &forwards);
  MUST(count_lines(&lines, reader, file, true, &backwards) == count && forwards == backwards);
  tr_lines_close(&lines);
}

/* Reads it all, over damaged frames, and returns how many there are. */
static size_t read_frames(TrFrameReader *reader, const TrFrames *frames, Text *text, size_t step) {
  int64_t at = 0, end = frames->place[frames->table.count].from;
  size_t damaged = 0, got;
  while (at < end) {
    size_t room = end - at < (int64_t)step ? (size_t)(end - at) : step;
    int code = reader->source.read(&reader->source, text->bytes + at, room, at, &got);
    MUST(code == SQLITE_CORRUPT || (code == SQLITE_OK && got > 0 && got <= room));
    if (code == SQLITE_CORRUPT) {
      size_t which = tr_frames_find(frames, at);
      MUST(reader->damaged == which + 1 && at == frames->place[which].from && reader->why);
      got = (size_t)(frames->place[which + 1].from - at);
      memset(text->bytes + at, 0, got);
      damaged++;
    }
    at += (int64_t)got;
  }
  text->length = (size_t)end;
  return damaged;
}

static void check_back(TrFrameReader *reader, const TrFrames *frames, const Text *text, size_t step) {
  unsigned char piece[4096];
  size_t got;
  int64_t at = frames->place[frames->table.count].from;
  if (step > sizeof piece) return;
  while (at > 0) {
    int code = reader->source.read_back(&reader->source, piece, step, at, &got);
    MUST(code == SQLITE_CORRUPT || (code == SQLITE_OK && got > 0));
    if (code == SQLITE_OK) MUST(memcmp(piece + step - got, text->bytes + at - got, got) == 0);
    at = code == SQLITE_OK ? at - (int64_t)got : frames->place[tr_frames_find(frames, at - 1)].from;
  }
}

/* `wanted`: the text, if there is no damage. Returns false if the file has no tables. */
static bool check_frames(int fd, int64_t size, const Text *wanted, size_t most_damaged, size_t step) {
  TrFile file = {.fd = fd, .codec = TR_CODEC_ZSTD, .stat.st_size = size};
  TrFrameReader reader = {0};
  MUST(tr_frames_open(&file) == SQLITE_OK);
  const TrFrames *frames = file.frames;
  if (frames == NULL) return false;
  if (frames->place[frames->table.count].from <= (int64_t)MOST_TEXT) {
    Text text = new_text();
    MUST(tr_frame_reader_open(&reader, &file) == SQLITE_OK);
    size_t damaged = read_frames(&reader, frames, &text, step);
    MUST(damaged <= most_damaged);
    if (damaged == 0 && wanted->is_whole) MUST(is_prefix(wanted, &text) && text.length == wanted->length);
    check_back(&reader, frames, &text, step);
    if (damaged == 0) check_lines(&reader, &file);
    free(text.bytes);
  }
  tr_frame_reader_close(&reader);
  file.fd = -1;
  tr_file_close(&file);
  return true;
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static int file_of(const void *bytes, size_t size) {
  int fd = memfd_create("segment", MFD_CLOEXEC);
  MUST(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
  return fd;
}

static void check_file(const uint8_t *data, size_t size, size_t step) {
  int fd = file_of(data, size);
  Text zstd = expect_zstd(data, size), gzip = expect_gzip(data, size);
  check_stream(fd, TR_CODEC_ZSTD, &zstd, step);
  check_stream(fd, TR_CODEC_GZIP, &gzip, step);
  if (step % 4 == 3) check_rewound(fd, size % 2 ? TR_CODEC_ZSTD : TR_CODEC_GZIP, size % 2 ? &zstd : &gzip, step);
  check_frames(fd, (int64_t)size, &zstd, SIZE_MAX, step);
  free(zstd.bytes);
  free(gzip.bytes);
  close(fd);
}

/* Frames of the text, each of `most` bytes; their lines are not looked for, so all times are left out. */
static size_t write_segment(uint8_t *into, size_t room, const uint8_t *text, size_t size, size_t most,
                            TrSeekTable *table) {
  ZSTD_CCtx *context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  size_t length = 0;
  for (size_t at = 0; at < size; at += most) {
    size_t count = size - at < most ? size - at : most;
    size_t packed = ZSTD_compress2(context, into + length, room - length, text + at, count);
    MUST(!ZSTD_isError(packed));
    TrFrameEntry entry = {
        .compressed = (uint32_t)packed, .decompressed = (uint32_t)count, .flags = TR_FRAME_HAS_UNTIMED};
    if (at == 0 || text[at - 1] == '\n') entry.flags |= TR_FRAME_STARTS_LINE;
    MUST(tr_seek_table_add(table, &entry) == SQLITE_OK);
    length += packed;
  }
  ZSTD_freeCCtx(context);
  return length;
}

/* Bits of the frames are flipped; the tables behind them stay. */
static size_t damage(uint8_t *segment, size_t length, const uint8_t **data, size_t *size) {
  size_t flips = fuzz_byte(data, size) % 4;
  for (size_t i = 0; i < flips; i++) {
    size_t at = (size_t)fuzz_byte(data, size) << 8 | fuzz_byte(data, size);
    segment[at % length] ^= (uint8_t)(1 << fuzz_byte(data, size) % 8);
  }
  return flips;
}

static void check_segment(const uint8_t *data, size_t size, size_t step) {
  TrSeekTable table = {0};
  uint8_t segment[65536];
  uint8_t head[16] = {0}, *tables;
  size_t tables_length, head_size = size < sizeof head ? size : sizeof head;
  const uint8_t *choices = head;
  memcpy(head, data, head_size);
  data += head_size, size -= head_size;
  if (size == 0 || size > 16000) return;
  size_t most = 1 + head[15] * (size_t)4;
  if (size / most >= MOST_FRAMES) most = size / MOST_FRAMES + 1;
  size_t length = write_segment(segment, sizeof segment, data, size, most, &table), left = sizeof head - 1;
  size_t flips = damage(segment, length, &choices, &left);
  MUST(tr_seek_table_encode(&table, &tables, &tables_length) == SQLITE_OK);
  MUST(length + tables_length <= sizeof segment);
  memcpy(segment + length, tables, tables_length);
  int fd = file_of(segment, length + tables_length);
  Text wanted = {.bytes = (unsigned char *)(uintptr_t)data, .length = size, .is_whole = true};
  MUST(check_frames(fd, (int64_t)(length + tables_length), &wanted, flips, step));
  check_file(segment, length + tables_length, step);
  sqlite3_free(tables);
  tr_seek_table_free(&table);
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t choice = fuzz_byte(&data, &size);
  size_t step = choice < 64 ? 4096 : choice % 61 + 1;
  if (choice % 2)
    check_segment(data, size, step);
  else
    check_file(data, size, step);
  return 0;
}
