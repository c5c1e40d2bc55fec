/*
** rewind.c - a compressed file that can be read only forwards -> its lines, backwards.
**
** It is decompressed from its start again for each few megabytes of text, so the time for all of it grows with the
** square of its size. A query is planned so that this is not needed, but a file may be compressed after that, and an
** archived segment may turn out to lack its tables. Then its rows must still come in the order that was promised.
*/
#include "codec.h"

#include <string.h>

#define STEP_BYTES ((size_t)2 << 20)

/* The text up to `to`, as much of the end of it as there is room for. SQLITE_CORRUPT: it ends before. */
static int wind(TrRewinder *rewinder, int64_t to) {
  size_t had = 0, got;
  rewinder->from = 0;
  int code = tr_decompressor_open(rewinder->decompressor, rewinder->fd, rewinder->codec, rewinder->poll);
  while (code == SQLITE_OK && rewinder->from + (int64_t)had < to) {
    if (had == 2 * STEP_BYTES) {
      memcpy(rewinder->text, rewinder->text + STEP_BYTES, STEP_BYTES);
      rewinder->from += (int64_t)STEP_BYTES;
      had = STEP_BYTES;
    }
    size_t room = 2 * STEP_BYTES - had;
    int64_t left = to - rewinder->from - (int64_t)had;
    if ((int64_t)room > left) room = (size_t)left;
    TrSource *source = &rewinder->decompressor->source;
    code = source->read(source, rewinder->text + had, room, 0, &got);
    if (code != SQLITE_OK || got == 0) break;
    const unsigned char *newline = tr_last_byte(rewinder->text + had, '\n', got);
    if (newline) rewinder->whole_to = rewinder->from + (newline - rewinder->text) + 1;
    had += got;
  }
  rewinder->to = rewinder->from + (int64_t)had;
  tr_decompressor_close(rewinder->decompressor);
  return code;
}

static int read_rewound(TrSource *source, unsigned char *into, size_t room, int64_t offset, size_t *got) {
  TrRewinder *rewinder = (TrRewinder *)source;
  *got = 0;
  int code = offset > rewinder->from && offset <= rewinder->to ? SQLITE_OK : wind(rewinder, offset);
  if (code == SQLITE_OK && offset > rewinder->to) code = SQLITE_CORRUPT; /* it has changed */
  if (code != SQLITE_OK) return code;
  int64_t count = offset - rewinder->from;
  *got = count < (int64_t)room ? (size_t)count : room;
  memcpy(into + room - *got, rewinder->text + (offset - rewinder->from) - *got, *got);
  return SQLITE_OK;
}

/* Of a damaged file, the text up to the damage, without the line in which it is. */
int tr_rewinder_open(TrRewinder *rewinder, TrDecompressor *decompressor, const TrFile *file, TrPoll *poll,
                     int64_t *size) {
  unsigned char *text = rewinder->text ? rewinder->text : sqlite3_malloc64(2 * STEP_BYTES);
  *rewinder = (TrRewinder){.source.read_back = read_rewound,
                           .decompressor = decompressor,
                           .poll = poll,
                           .fd = file->fd,
                           .codec = file->codec,
                           .text = text};
  if (text == NULL) return SQLITE_NOMEM;
  int code = wind(rewinder, INT64_MAX);
  *size = code == SQLITE_CORRUPT ? rewinder->whole_to : rewinder->to;
  return code == SQLITE_CORRUPT ? SQLITE_OK : code;
}

void tr_rewinder_close(TrRewinder *rewinder) {
  sqlite3_free(rewinder->text);
  *rewinder = (TrRewinder){0};
}
