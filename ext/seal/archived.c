/*
** archived.c - what prunes have archived, verified with the seals of before.
**
** What a prune archives is the beginning of the job's file. So the archived segments, in the order of their numbers,
** and then the file, are one text, T; and the file as it was in an earlier era is a part of T, up to its end. Where
** that part begins is known from the end: each receipt says how many bytes its prune has moved. So the chain of an
** earlier era can be led again through the lines that it was made of, as long as all prunes since have archived, and
** nobody has removed their segments. The lines of other prunes are gone, and only receipts explain that.
*/
#include "seal.h"

#include <errno.h>

typedef struct ArchivedText {
  TrVerification *v; /* borrowed */
  TrHistory history;
  size_t *part; /* owned: the archived segments among the history's, oldest first */
  int64_t *end; /* owned: where each of them ends in T */
  size_t parts;
  TrFile file; /* owned: of the part that is open */
  TrFrameReader reader;
  size_t open; /* which one, plus 1; 0: none */
  bool is_damaged;
} ArchivedText;

static void close_part(ArchivedText *text) {
  tr_file_close(&text->file);
  tr_frame_reader_close(&text->reader);
  text->open = 0;
}

static void end_archived_text(ArchivedText *text) {
  close_part(text);
  sqlite3_free(text->part);
  sqlite3_free(text->end);
  tr_history_end(&text->history);
}

/* --- the parts of T ----------------------------------------------------------------------------------------------- */

static const TrSegment *segment_of(const ArchivedText *text, size_t part) {
  return &text->history.segment[text->part[part]];
}

static void sort_parts(ArchivedText *text) {
  for (size_t i = 1; i < text->parts; i++) { /* nearly in order */
    size_t moved = text->part[i], j = i;
    for (; j > 0 && text->history.segment[moved].name.number < segment_of(text, j - 1)->name.number; j--)
      text->part[j] = text->part[j - 1];
    text->part[j] = moved;
  }
}

static int list_parts(ArchivedText *text) {
  size_t count = text->history.count;
  text->part = sqlite3_malloc64((count + 1) * sizeof *text->part);
  text->end = sqlite3_malloc64((count + 1) * sizeof *text->end);
  if (text->part == NULL || text->end == NULL) return SQLITE_NOMEM;
  for (size_t i = 0; i < count; i++) {
    if (text->history.segment[i].name.kind == TR_SEGMENT_ARCHIVED) text->part[text->parts++] = i;
  }
  sort_parts(text);
  for (size_t i = 0; i < text->parts; i++) {
    text->end[i] = (i ? text->end[i - 1] : 0) + segment_of(text, i)->file.stat.st_size;
  }
  return SQLITE_OK;
}

static int64_t archived_bytes(const ArchivedText *text) {
  return text->parts ? text->end[text->parts - 1] : 0;
}

static bool has_part(const ArchivedText *text, const char *archive) {
  for (size_t i = 0; i < text->parts; i++) {
    const TrSegment *segment = segment_of(text, i);
    const char *slash = strrchr(segment->path, '/'), *name = slash ? slash + 1 : segment->path;
    size_t length = segment->name.base_length - (size_t)(name - segment->path);
    bool is_readable = segment->entry == TR_ENTRY_READABLE && tr_codec_obstacle(segment->name.codec) == NULL;
    if (is_readable && strlen(archive) == length && memcmp(archive, name, length) == 0) return true;
  }
  return false;
}

static bool is_live_file(const ArchivedText *text) {
  for (size_t i = 0; i < text->history.count; i++) {
    const TrSegment *segment = &text->history.segment[i];
    if (segment->name.kind == TR_SEGMENT_LIVE) return segment->file.stat.st_ino == text->v->file.stat.st_ino;
  }
  return false;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int open_part(ArchivedText *text, size_t part, char **message) {
  TrEntry entry;
  if (text->open == part + 1) return SQLITE_OK;
  close_part(text);
  text->history.at = text->part[part];
  int code = tr_history_take(&text->history, &text->file, &entry, message);
  if (code != SQLITE_OK) return code;
  text->is_damaged = entry != TR_ENTRY_READABLE || text->file.frames == NULL;
  if (text->is_damaged) return SQLITE_OK;
  text->open = part + 1;
  return tr_frame_reader_open(&text->reader, &text->file);
}

/* Adds bytes of one part, [from, to) of T, to the chain. */
static int add_part(ArchivedText *text, size_t part, TrRange range, char **message) {
  TrVerification *v = text->v;
  int64_t begin = part ? text->end[part - 1] : 0;
  int code = open_part(text, part, message);
  while (code == SQLITE_OK && !text->is_damaged && range.from < range.to) {
    int64_t left = range.to - range.from;
    size_t got = 0, room = left < TR_CHAIN_READ_BYTES ? (size_t)left : TR_CHAIN_READ_BYTES;
    TrSource *source = &text->reader.source;
    code = source->read(source, v->chain.buffer, room, range.from - begin, &got);
    text->is_damaged = code == SQLITE_CORRUPT || (code == SQLITE_OK && got == 0);
    if (code == SQLITE_OK && !text->is_damaged) code = tr_chain_add(&v->chain, v->chain.buffer, got);
    range.from += (int64_t)got;
    if (code == SQLITE_OK) code = tr_poll(v->poll);
  }
  if (code == SQLITE_CORRUPT) return SQLITE_OK;
  if (code != SQLITE_IOERR_READ) return code;
  return tr_error(message, code, "job '%.*s': %s/%s cannot be read: %s", (int)v->length, v->job_id, v->dir->path,
                  segment_of(text, part)->path, strerror(errno));
}

static int add_range_of_text(ArchivedText *text, TrRange range, char **message) {
  TrVerification *v = text->v;
  int64_t whole = archived_bytes(text), reached = range.to;
  int code = SQLITE_OK;
  for (size_t i = 0; i < text->parts && code == SQLITE_OK && range.from < range.to && !text->is_damaged; i++) {
    if (text->end[i] <= range.from) continue;
    int64_t to = text->end[i] < range.to ? text->end[i] : range.to;
    code = add_part(text, i, (TrRange){range.from, to}, message);
    range.from = to;
  }
  if (code == SQLITE_OK && range.from < range.to && !text->is_damaged) {
    code = tr_chain_add_file(&v->chain, v->file.fd, (TrRange){range.from - whole, range.to - whole}, v->poll, &reached);
    if (code == SQLITE_IOERR_READ) {
      code = tr_error(message, code, "job '%.*s': %s/%s cannot be read: %s", (int)v->length, v->job_id, v->dir->path,
                      v->name, strerror(errno));
    }
  }
  return code;
}

/* --- one era ------------------------------------------------------------------------------------------------------ */

static int archive_fault(ArchivedText *text, size_t era, TrRange stretch) {
  char when[TR_TIMESTAMP_SIZE];
  tr_timestamp_format(text->v->seals.era[era + 1].pruned_us, when);
  return tr_seals_add_fault(
      &text->v->seals,
      sqlite3_mprintf(
          "the archive does not match: with the segment %s, the stretch [%lld, %lld) of the file as it was before the "
          "prune of %s%s",
          text->v->seals.era[era + 1].archive, (long long)stretch.from, (long long)stretch.to, when,
          text->is_damaged ? " cannot be decompressed" : ""));
}

static int verify_archived_stretch(ArchivedText *text, int64_t begin, TrSeal *reached, const TrSeal *seal,
                                   bool *is_same, char **message) {
  const TrChain *chain = &text->v->chain;
  int code = add_range_of_text(text, (TrRange){begin + reached->bytes, begin + seal->bytes}, message);
  *is_same = !text->is_damaged && !chain->in_line && chain->lines == seal->lines &&
             memcmp(chain->head, seal->head, TR_DIGEST_BYTES) == 0;
  if (code != SQLITE_OK) return code;
  if (!*is_same) return archive_fault(text, seal->era, (TrRange){reached->bytes, seal->bytes});
  *reached = *seal;
  return SQLITE_OK;
}

/* Of the era's file, whose first byte is at `begin` of T. */
static int verify_archived_era(ArchivedText *text, size_t which, int64_t begin, bool *is_same, char **message) {
  TrSeals *seals = &text->v->seals;
  const TrEra *era = &seals->era[which];
  TrSeal reached = {0};
  tr_chain_resume(&text->v->chain, era->start, 0, 0);
  int code = verify_archived_stretch(text, begin, &reached, &era->sealed, is_same, message);
  for (size_t i = 0; i < seals->count && *is_same && code == SQLITE_OK; i++) {
    if (seals->seal[i].era != which) continue;
    code = verify_archived_stretch(text, begin, &reached, &seals->seal[i], is_same, message);
  }
  return code;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int verify_archived_eras(ArchivedText *text, char **message) {
  TrVerification *v = text->v;
  int64_t begin = archived_bytes(text);
  bool is_same = true;
  int code = SQLITE_OK;
  for (size_t i = v->seals.eras - 1; i > 0 && is_same && code == SQLITE_OK; i--) {
    const TrEra *era = &v->seals.era[i];
    if (era->archive == NULL || !has_part(text, era->archive)) break;
    begin -= era->gone_bytes;
    is_same = begin >= 0;
    code = is_same ? verify_archived_era(text, i - 1, begin, &is_same, message)
                   : archive_fault(text, i - 1, (TrRange){0, era->before.bytes});
    if (is_same) v->proven_from = i;
  }
  return code;
}

int tr_verification_check_archive(TrVerification *v, size_t max_line, bool *again, char **message) {
  ArchivedText text = {.v = v, .file.fd = -1};
  v->proven_from = v->seals.eras;
  if (v->is_gone || v->stretch.from >= 0 || v->seals.faults.count || v->seals.era[v->seals.eras - 1].archive == NULL)
    return SQLITE_OK;
  tr_history_init(&text.history, v->dir, v->poll, max_line);
  int code = tr_history_open(&text.history, v->name, message);
  if (code == SQLITE_OK) *again = !is_live_file(&text);
  if (code == SQLITE_OK && !*again) code = list_parts(&text);
  if (code == SQLITE_OK && !*again) code = verify_archived_eras(&text, message);
  end_archived_text(&text);
  if (code != SQLITE_BUSY) return code;
  *again = true; /* a segment was replaced by a longer one */
  sqlite3_free(*message);
  *message = NULL;
  return SQLITE_OK;
}
