/*
** codec.h - a compressed file <-> its text: gzip and zstd, and the frames and tables of our archives.
*/
#ifndef TR_CODEC_H
#define TR_CODEC_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

typedef enum TrCodec { TR_CODEC_PLAIN, TR_CODEC_GZIP, TR_CODEC_ZSTD, TR_CODEC_FOREIGN } TrCodec;

/* ------------------------------------------------------------------------------------------------------------------
** codec/io.c - reads and writes at a place of a file: retried and completed. 0, or errno
*/
TR_CHECKED int tr_write_at(int fd, const void *bytes, size_t length, int64_t at);
TR_CHECKED int tr_read_at(int fd, void *bytes, size_t length, int64_t at, bool *whole); /* not whole: it ends there */

/* ------------------------------------------------------------------------------------------------------------------
** codec/decompress.c - a compressed file -> its bytes, forwards, in bounded memory
*/
typedef struct TrDecompressor {
  TrSource source;      /* first */
  int fd;               /* borrowed */
  TrPoll *poll;         /* borrowed */
  uint8_t codec;        /* TrCodec */
  void *stream;         /* owned: the library's state */
  unsigned char *input; /* owned: bytes of the compressed file, of which [input_at, input_length) are not used yet */
  size_t input_at, input_length;
  int64_t read_to; /* where the input ends in the file */
  int64_t given;   /* bytes, decompressed */
  bool has_begun;  /* the file is not empty */
  bool is_inside;  /* of a member or frame */
  char why[80];    /* if something is wrong: what, after the bytes before it */
} TrDecompressor;

const char *tr_codec_obstacle(uint8_t codec); /* why it cannot be read; or NULL */
/* Call order: open on a zeroed one, for each file; then source.read, which returns SQLITE_CORRUPT where something is
** wrong; close; end. */
TR_CHECKED int tr_decompressor_open(TrDecompressor *decompressor, int fd, uint8_t codec, TrPoll *poll);
void tr_decompressor_close(TrDecompressor *decompressor);
void tr_decompressor_end(TrDecompressor *decompressor);
int64_t tr_decompressor_position(const TrDecompressor *decompressor); /* in the compressed file */

/* ------------------------------------------------------------------------------------------------------------------
** codec/seek_table.c - what stands at the end of an archived segment: the size of each frame, and the times in it
*/
#define TR_FRAME_BYTES ((uint32_t)1 << 20) /* decompressed, at most */
/* The format sets no limit for these, but whoever reads a frame needs so much memory. zstd's own bound is lower. */
#define TR_FRAME_MOST_COMPRESSED (TR_FRAME_BYTES + TR_FRAME_BYTES / 16)
enum {
  TR_FRAME_STARTS_LINE = 1, /* the frame begins at the start of a line */
  TR_FRAME_IS_TIMED = 2,    /* there is a readable time; else both are 0 */
  TR_FRAME_HAS_UNTIMED = 4  /* a record that begins in it has no readable time, or a line is a reject */
};

typedef struct TrFrameEntry {
  uint32_t compressed, decompressed; /* bytes */
  int64_t first_us, last_us;         /* the least and the greatest time of the records that begin in the frame */
  uint32_t flags;
  uint32_t lines; /* that begin in it */
} TrFrameEntry;

typedef struct TrSeekTable { /* of the data frames; a zeroed one is a valid empty one */
  TrFrameEntry *frame;       /* owned */
  size_t count, room;
} TrSeekTable;

TR_CHECKED int tr_seek_table_add(TrSeekTable *table, const TrFrameEntry *entry); /* SQLITE_OK or SQLITE_NOMEM */
/* What belongs behind the data frames. *bytes is for sqlite3_free(). */
TR_CHECKED int tr_seek_table_encode(const TrSeekTable *table, unsigned char **bytes, size_t *length);
/* *found false: the file does not end with tables that agree with its size; that is no error. */
TR_CHECKED int tr_seek_table_read(TrSeekTable *table, int fd, int64_t size, bool *found);
void tr_seek_table_free(TrSeekTable *table);

/* ------------------------------------------------------------------------------------------------------------------
** codec/archive_writer.c - lines -> a segment of the archive
*/
typedef struct TrArchivedLine {
  uint64_t length;       /* bytes, with its newline */
  bool is_timed, is_odd; /* odd: it is a record without a readable time, or no record; a blank line is neither */
  int64_t time_us;
} TrArchivedLine;

typedef struct TrArchiveWriter {
  int fd;                            /* borrowed: the segment, which is empty when it is opened here */
  int reason;                        /* of SQLITE_IOERR and SQLITE_FULL: errno */
  int64_t written;                   /* bytes of the segment */
  TrSeekTable table;                 /* of the frames in it */
  TrFrameEntry frame;                /* the current one, which is not in it yet */
  unsigned char *plain, *compressed; /* owned */
  size_t length, room;               /* of `plain`: bytes that are used; of `compressed`: all */
  void *compressor;                  /* owned */
} TrArchiveWriter;

const char *tr_archive_obstacle(void); /* why this build cannot write one; or NULL */
/* Call order: open; take; begin_line and add, for each line; end; close. After an error, only close. */
TR_CHECKED int tr_archive_writer_open(TrArchiveWriter *writer, int fd);
/* Begins with what an older segment holds, if that is of our form and whole. */
TR_CHECKED int tr_archive_writer_take(TrArchiveWriter *writer, int fd, int64_t size, bool *taken);
TR_CHECKED int tr_archive_writer_begin_line(TrArchiveWriter *writer, const TrArchivedLine *line);
TR_CHECKED int tr_archive_writer_add(TrArchiveWriter *writer, const void *bytes, size_t length); /* of that line */
TR_CHECKED int tr_archive_writer_end(TrArchiveWriter *writer); /* the last frame, and the tables */
void tr_archive_writer_close(TrArchiveWriter *writer);

/* ------------------------------------------------------------------------------------------------------------------
** codec/frames.c - an archived segment -> its text, from any place on, forwards or backwards; or one frame of it
*/
typedef struct TrFramePlace {
  int64_t at, from; /* bytes: in the file; in the text */
} TrFramePlace;

typedef struct TrFrames {
  TrSeekTable table;
  TrFramePlace *place; /* owned: where each frame begins, and the last one ends */
} TrFrames;

/* Sets file->frames if it is a segment with tables. Then the size in file->stat is that of the text. */
TR_CHECKED int tr_frames_open(TrFile *file);                   /* SQLITE_OK or SQLITE_NOMEM */
size_t tr_frames_find(const TrFrames *frames, int64_t offset); /* which one holds that byte of the text */

typedef struct TrUnpacker { /* a zeroed one is a valid closed one */
  void *context;            /* owned: the library's state */
  unsigned char *packed;    /* owned: bytes of one frame */
} TrUnpacker;

TR_CHECKED int tr_unpacker_open(TrUnpacker *unpacker); /* does nothing if it is open */
/* The text of one frame. It is SQLITE_CORRUPT and *why, or SQLITE_IOERR_READ and errno. May run on any thread. */
TR_CHECKED int tr_unpacker_read(TrUnpacker *unpacker, const TrFrames *frames, int fd, size_t which, unsigned char *into,
                                const char **why);
void tr_unpacker_close(TrUnpacker *unpacker);

typedef struct TrFrameReader {
  TrSource source;        /* first */
  const TrFrames *frames; /* borrowed, as is */
  int fd;
  TrUnpacker unpacker;
  unsigned char *text; /* owned: of the frame that is loaded */
  size_t loaded;       /* which one, plus 1; 0: none */
  size_t damaged;      /* the last one that could not be read, plus 1 */
  const char *why;     /* it could not */
  size_t reported;     /* for the caller: the last one that it has reported, plus 1; and */
  const char *reported_why;
} TrFrameReader;

TR_CHECKED int tr_frame_reader_open(TrFrameReader *reader, const TrFile *file); /* on a zeroed one, and again */
void tr_frame_reader_close(TrFrameReader *reader);

/* ------------------------------------------------------------------------------------------------------------------
** codec/rewind.c - a compressed file that can be read only forwards -> its lines, backwards
*/
typedef struct TrRewinder {
  TrSource source;              /* first */
  TrDecompressor *decompressor; /* borrowed */
  TrPoll *poll;                 /* borrowed */
  int fd;                       /* borrowed */
  uint8_t codec;
  unsigned char *text; /* owned */
  int64_t from, to;    /* which bytes of all the text are there */
  int64_t whole_to;    /* so far, lines end there */
} TrRewinder;

/* *size: of the text. On a zeroed one, and again. */
TR_CHECKED int tr_rewinder_open(TrRewinder *rewinder, TrDecompressor *decompressor, const TrFile *file, TrPoll *poll,
                                int64_t *size);
void tr_rewinder_close(TrRewinder *rewinder);

#pragma GCC visibility pop
#endif /* TR_CODEC_H */
