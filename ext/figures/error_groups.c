/*
** error_groups.c - the failures of one job -> how often each kind of them occurred, record by record, in the order of the file.
**
** A kind is what taskresults_signature() makes of the error. A job fails with the same few texts over and over, so a memo
** leads from the text as it stands in the line, escapes and all, straight to its kind: it is decoded and folded once. The
** memo is of fixed size, one text a slot, the latest one to come by: a text that is not there, or is too long for it, is
** folded again, which is slower and no less right.
**
** Memory: the memo, at most 2 MiB; and each kind of this one job, up to 150 bytes and its signature (of at most
** TR_SIGNATURE_SIZE): a million short ones take 108 MB. It comes from SQLite's allocator, whose limits hold; SQLITE_NOMEM
** is then the answer, never a kind left out.
*/
#include "figures.h"

#include <string.h>

#define MEMO_SLOTS 256       /* a power of two */
#define MEMO_BYTES (8 << 10) /* the longest text that it takes */

struct TrMemo {
  unsigned char *text; /* owned; kept from job to job, for its room */
  size_t length, room;
  size_t kind; /* index + 1; 0: no text of this job */
};

/* --- from the text in the line, or from the folded one ------------------------------------------------------------ */

static uint64_t word_at(const unsigned char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  return word;
}

/* Eight bytes at a step. Whoever finds texts that hash alike wins a slower memo, so no seed is needed. */
static size_t memo_slot(const unsigned char *text, size_t length) {
  const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t hash = length;
  if (length < 8) {
    for (size_t i = 0; i < length; i++) hash = hash << 8 ^ text[i];
  } else {
    for (size_t i = 0; i + 8 < length; i += 8) {
      hash = (hash ^ word_at(text + i)) * factor;
      hash ^= hash >> 32;
    }
    hash ^= word_at(text + length - 8);
  }
  return (hash * factor >> 32) & (MEMO_SLOTS - 1);
}

/* Errors are written by others, and this table does not forget: so no two connections hash alike, as in names.c. */
static size_t kind_hash(const TrErrorKinds *kinds, const char *signature, size_t length) {
  uint64_t hash = UINT64_C(14695981039346656037) ^ kinds->seed;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)signature[i]) * UINT64_C(1099511628211);
  return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the signature, or the free one where it would go. The table is never full. */
static size_t kind_slot(const TrErrorKinds *kinds, const char *signature, size_t length) {
  size_t mask = kinds->slot_count - 1, at = kind_hash(kinds, signature, length) & mask;
  for (; kinds->slot[at]; at = (at + 1) & mask) {
    const TrErrorKind *known = &kinds->kind[kinds->slot[at] - 1];
    if (known->length == length && memcmp(known->signature, signature, length) == 0) break;
  }
  return at;
}

/* --- a kind that is new ------------------------------------------------------------------------------------------- */

static int grow(TrErrorKinds *kinds) {
  size_t room = kinds->room ? 2 * kinds->room : 16, slot_count = 2 * room;
  TrErrorKind *kind = sqlite3_realloc64(kinds->kind, room * sizeof *kind);
  if (kind == NULL) return SQLITE_NOMEM;
  kinds->kind = kind;
  size_t *slot = sqlite3_malloc64(slot_count * sizeof *slot);
  if (slot == NULL) return SQLITE_NOMEM;
  memset(slot, 0, slot_count * sizeof *slot);
  sqlite3_free(kinds->slot);
  kinds->slot = slot;
  kinds->slot_count = slot_count;
  kinds->room = room;
  for (size_t i = 0; i < kinds->count; i++) slot[kind_slot(kinds, kind[i].signature, kind[i].length)] = i + 1;
  return SQLITE_OK;
}

/* *at is the kind's index. */
static int intern(TrErrorKinds *kinds, const char *signature, size_t length, int64_t offset, size_t *at) {
  size_t known = kinds->count ? kinds->slot[kind_slot(kinds, signature, length)] : 0;
  if (known) {
    *at = known - 1;
    return SQLITE_OK;
  }
  int code = kinds->count == kinds->room ? grow(kinds) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  char *copy = sqlite3_malloc64(length + 1); /* one more, for none may be nothing */
  if (copy == NULL) return SQLITE_NOMEM;
  memcpy(copy, signature, length);
  *at = kinds->count;
  kinds->slot[kind_slot(kinds, signature, length)] = *at + 1;
  kinds->kind[kinds->count++] = (TrErrorKind){.signature = copy, .length = length, .offset = offset};
  return SQLITE_OK;
}

static int fold(TrErrorKinds *kinds, const TrLine *line, const TrSpan *error, size_t *at) {
  TrBytes text;
  char signature[TR_SIGNATURE_SIZE];
  int code = tr_span_text(line, error, kinds->c_locale, &kinds->scratch, &text);
  if (code != SQLITE_OK) return code;
  return intern(kinds, signature, tr_signature_of(text, signature), line->offset, at);
}

/* --- the memo ----------------------------------------------------------------------------------------------------- */

/* For want of memory it may forget. */
static void remember(TrMemo *memo, const unsigned char *text, size_t length, size_t kind) {
  memo->kind = 0;
  if (length > memo->room) {
    unsigned char *grown = sqlite3_realloc64(memo->text, length);
    if (grown == NULL) return;
    memo->text = grown;
    memo->room = length;
  }
  memcpy(memo->text, text, length);
  memo->length = length;
  memo->kind = kind + 1;
}

static int find_kind(TrErrorKinds *kinds, const TrLine *line, const TrSpan *error, size_t *at) {
  const unsigned char *text = line->text + error->start;
  size_t length = error->length;
  if (error->kind != TR_STRING || length == 0 || length > MEMO_BYTES) return fold(kinds, line, error, at);
  TrMemo *memo = &kinds->memo[memo_slot(text, length)];
  if (memo->kind && memo->length == length && memcmp(memo->text, text, length) == 0) {
    *at = memo->kind - 1;
    return SQLITE_OK;
  }
  int code = fold(kinds, line, error, at);
  if (code == SQLITE_OK) remember(memo, text, length, *at);
  return code;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int tr_kinds_add(TrErrorKinds *kinds, const TrLine *line, const TrRecord *record) {
  size_t at;
  int code = find_kind(kinds, line, &record->field[TR_ERROR], &at);
  if (code != SQLITE_OK) return code;
  TrErrorKind *kind = &kinds->kind[at];
  kind->times++;
  int64_t time_us;
  if (!tr_span_time_us(line, &record->field[TR_TIMESTAMP], &time_us)) return SQLITE_OK;
  if (!kind->timed || time_us < kind->first_us) kind->first_us = time_us;
  if (!kind->timed || time_us > kind->last_us) kind->last_us = time_us;
  kind->timed = true;
  return SQLITE_OK;
}

int tr_kinds_begin(TrErrorKinds *kinds) {
  if (kinds->memo == NULL) {
    kinds->memo = sqlite3_malloc64(MEMO_SLOTS * sizeof *kinds->memo);
    if (kinds->memo == NULL) return SQLITE_NOMEM;
    memset(kinds->memo, 0, MEMO_SLOTS * sizeof *kinds->memo);
    sqlite3_randomness(sizeof kinds->seed, &kinds->seed);
  }
  for (size_t i = 0; i < MEMO_SLOTS; i++) kinds->memo[i].kind = 0;
  for (size_t i = 0; i < kinds->count; i++) sqlite3_free(kinds->kind[i].signature);
  sqlite3_free(kinds->kind); /* one job may have had millions, and the next has a few */
  sqlite3_free(kinds->slot);
  kinds->kind = NULL;
  kinds->slot = NULL;
  kinds->count = kinds->room = kinds->slot_count = 0;
  return SQLITE_OK;
}

void tr_kinds_free(TrErrorKinds *kinds) {
  for (size_t i = 0; i < kinds->count; i++) sqlite3_free(kinds->kind[i].signature);
  for (size_t i = 0; kinds->memo && i < MEMO_SLOTS; i++) sqlite3_free(kinds->memo[i].text);
  sqlite3_free(kinds->kind);
  sqlite3_free(kinds->slot);
  sqlite3_free(kinds->memo);
  tr_scratch_free(&kinds->scratch);
}
