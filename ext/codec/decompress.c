/*
** decompress.c - a compressed file -> its bytes, forwards, in bounded memory.
**
** Whoever wrote the file may be hostile, or was killed. So at the first byte that is wrong we stop, and say where it
** is: what came before stays, and what follows is not guessed at. A gzip file may have several members, with zeros
** behind the last one, as gzip allows it; a zstd file may have several frames. Anything else behind them is damage, not
** an end: there may have been records.
**
** Memory: a window, which gzip limits to 32 KiB, and we for zstd to 128 MiB, as the program zstd does by default. How
** far something expands does not matter, since bytes are asked for as they are used.
**
** A library may be left out at build time (WITH_ARCHIVE=0); then a compressed file is an error.
*/
#include "codec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define INPUT_BYTES (64 * 1024)

/* Makes sure that there is input. False: none is left, or see *code. */
static bool has_input(TrDecompressor *decompressor, int *code) {
  if (decompressor->input_at < decompressor->input_length) return true;
  *code = tr_poll(decompressor->poll);
  if (*code != SQLITE_OK) return false;
  ssize_t got = TEMP_FAILURE_RETRY(pread(decompressor->fd, decompressor->input, INPUT_BYTES, decompressor->read_to));
  if (got < 0) *code = SQLITE_IOERR_READ;
  if (got <= 0) return false;
  decompressor->input_at = 0;
  decompressor->input_length = (size_t)got;
  decompressor->read_to += got;
  return true;
}

static int find_damage(TrDecompressor *decompressor, const char *why) {
  sqlite3_snprintf(sizeof decompressor->why, decompressor->why, "%s", why);
  return SQLITE_CORRUPT;
}

const char *tr_codec_obstacle(uint8_t codec) {
  if (codec == TR_CODEC_FOREIGN) return "it is compressed in another way than by gzip (.gz) or zstd (.zst)";
#ifdef TR_WITHOUT_ARCHIVE
  if (codec != TR_CODEC_PLAIN) return "it is compressed, and this build (WITH_ARCHIVE=0) reads only plain files";
#endif
  return NULL;
}

#ifndef TR_WITHOUT_ARCHIVE

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GZIP_ONLY (15 + 16) /* windowBits: the largest window; no other format */
#define LARGEST_WINDOW_LOG 27

/* --- gzip --------------------------------------------------------------------------------------------------------- */

static void skip_zeros(TrDecompressor *decompressor) {
  while (decompressor->input_at < decompressor->input_length && decompressor->input[decompressor->input_at] == 0)
    decompressor->input_at++;
}

/* The input is at the beginning of a member, or behind the last one. */
static int begin_member(TrDecompressor *decompressor, bool *begun) {
  int code = SQLITE_OK;
  *begun = has_input(decompressor, &code);
  if (!*begun && code == SQLITE_OK && !decompressor->has_begun) return find_damage(decompressor, "it is empty");
  while (*begun && decompressor->has_begun) {
    skip_zeros(decompressor);
    if (decompressor->input_at < decompressor->input_length) break;
    *begun = has_input(decompressor, &code);
  }
  if (!*begun) return code;
  if (decompressor->input[decompressor->input_at] != 0x1f)
    return find_damage(decompressor, decompressor->has_begun ? "what follows is not of gzip" : "it is not of gzip");
  inflateReset(decompressor->stream);
  decompressor->has_begun = decompressor->is_inside = true;
  return SQLITE_OK;
}

static int inflate_some(TrDecompressor *decompressor, unsigned char *into, size_t room, size_t *got) {
  z_stream *stream = decompressor->stream;
  int code = SQLITE_OK;
  if (!has_input(decompressor, &code))
    return code == SQLITE_OK ? find_damage(decompressor, "it ends in the middle") : code;
  stream->next_in = decompressor->input + decompressor->input_at;
  stream->avail_in = (uInt)(decompressor->input_length - decompressor->input_at);
  stream->next_out = into;
  stream->avail_out = (uInt)room;
  int result = inflate(stream, Z_NO_FLUSH);
  decompressor->input_at = decompressor->input_length - stream->avail_in;
  *got = room - stream->avail_out;
  if (result == Z_STREAM_END) decompressor->is_inside = false;
  if (result == Z_STREAM_END || result == Z_OK || result == Z_BUF_ERROR) return SQLITE_OK;
  if (result == Z_MEM_ERROR) return SQLITE_NOMEM;
  return find_damage(decompressor, stream->msg ? stream->msg : "it is damaged");
}

static int read_gzip(TrDecompressor *decompressor, unsigned char *into, size_t room, size_t *got) {
  bool begun = true;
  int code = SQLITE_OK;
  *got = 0;
  while (*got == 0 && begun && code == SQLITE_OK) {
    if (!decompressor->is_inside) code = begin_member(decompressor, &begun);
    if (begun && code == SQLITE_OK) code = inflate_some(decompressor, into, room, got);
  }
  return code;
}

static int open_gzip(TrDecompressor *decompressor) {
  z_stream *stream = sqlite3_malloc64(sizeof *stream);
  if (stream == NULL) return SQLITE_NOMEM;
  memset(stream, 0, sizeof *stream);
  if (inflateInit2(stream, GZIP_ONLY) != Z_OK) {
    sqlite3_free(stream);
    return SQLITE_NOMEM;
  }
  decompressor->stream = stream;
  return SQLITE_OK;
}

/* --- zstd --------------------------------------------------------------------------------------------------------- */

static int read_zstd(TrDecompressor *decompressor, unsigned char *into, size_t room, size_t *got) {
  ZSTD_outBuffer out = {into, room, 0};
  int code = SQLITE_OK;
  while (out.pos == 0) {
    bool any = has_input(decompressor, &code);
    if (code != SQLITE_OK) return code;
    if (!any && !decompressor->has_begun) return find_damage(decompressor, "it is empty");
    if (!any && !decompressor->is_inside) break;
    ZSTD_inBuffer in = {decompressor->input, decompressor->input_length, decompressor->input_at};
    size_t result = ZSTD_decompressStream(decompressor->stream, &out, &in);
    bool is_stuck = !any && out.pos == 0;
    decompressor->input_at = in.pos;
    if (ZSTD_isError(result)) {
      if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) return SQLITE_NOMEM;
      *got = out.pos;
      return find_damage(decompressor, ZSTD_getErrorName(result));
    }
    decompressor->has_begun = true;
    decompressor->is_inside = result != 0;
    if (is_stuck && decompressor->is_inside) return find_damage(decompressor, "it ends in the middle");
  }
  *got = out.pos;
  return SQLITE_OK;
}

static int open_zstd(TrDecompressor *decompressor) {
  decompressor->stream = ZSTD_createDCtx();
  if (decompressor->stream == NULL) return SQLITE_NOMEM;
  ZSTD_DCtx_setParameter(decompressor->stream, ZSTD_d_windowLogMax, LARGEST_WINDOW_LOG);
  return SQLITE_OK;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static int read_stream(TrDecompressor *decompressor, unsigned char *into, size_t room, size_t *got) {
  return decompressor->codec == TR_CODEC_GZIP ? read_gzip(decompressor, into, room, got)
                                              : read_zstd(decompressor, into, room, got);
}

static int open_stream(TrDecompressor *decompressor) {
  return decompressor->codec == TR_CODEC_GZIP ? open_gzip(decompressor) : open_zstd(decompressor);
}

static void close_stream(TrDecompressor *decompressor) {
  if (decompressor->stream == NULL) return;
  if (decompressor->codec == TR_CODEC_GZIP) {
    inflateEnd(decompressor->stream);
    sqlite3_free(decompressor->stream);
  } else {
    ZSTD_freeDCtx(decompressor->stream);
  }
}

#else

static int read_stream(TrDecompressor *decompressor, unsigned char *into, size_t room, size_t *got) {
  (void)into, (void)room, (void)has_input;
  *got = 0;
  return find_damage(decompressor, tr_codec_obstacle(decompressor->codec));
}

static int open_stream(TrDecompressor *decompressor) {
  (void)decompressor;
  return SQLITE_OK;
}

static void close_stream(TrDecompressor *decompressor) {
  (void)decompressor;
}

#endif

/* What is wrong comes after the bytes before it. */
static int read_decompressed(TrSource *source, unsigned char *into, size_t room, int64_t unused, size_t *got) {
  (void)unused;
  TrDecompressor *decompressor = (TrDecompressor *)source;
  *got = 0;
  if (decompressor->why[0]) return SQLITE_CORRUPT;
  int code = read_stream(decompressor, into, room, got);
  decompressor->given += (int64_t)*got;
  if (code == SQLITE_OK && decompressor->given > TR_MAX_FILE_BYTES)
    code = find_damage(decompressor, "it holds more than 1 TiB");
  return code == SQLITE_CORRUPT && *got > 0 ? SQLITE_OK : code;
}

int tr_decompressor_open(TrDecompressor *decompressor, int fd, uint8_t codec, TrPoll *poll) {
  unsigned char *input = decompressor->input ? decompressor->input : sqlite3_malloc64(INPUT_BYTES);
  decompressor->input = input;
  tr_decompressor_close(decompressor);
  *decompressor = (TrDecompressor){.source.read = read_decompressed, .fd = fd, .codec = codec, .poll = poll};
  decompressor->input = input;
  return input ? open_stream(decompressor) : SQLITE_NOMEM;
}

void tr_decompressor_close(TrDecompressor *decompressor) {
  close_stream(decompressor);
  decompressor->stream = NULL;
}

void tr_decompressor_end(TrDecompressor *decompressor) {
  tr_decompressor_close(decompressor);
  sqlite3_free(decompressor->input);
  decompressor->input = NULL;
}

int64_t tr_decompressor_position(const TrDecompressor *decompressor) {
  return decompressor->read_to - (int64_t)(decompressor->input_length - decompressor->input_at);
}
