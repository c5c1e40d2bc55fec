/*
** error_groups.c - the failures of one job -> groups of like errors, and how often each occurred. Records come one by
** one, in the order of the file.
**
** Errors with the same taskresults_signature() form a group. A job often fails with the same few texts, so a cache (the
** memo) leads from the text as stored in the line, escapes included, to its group: each text is decoded and folded only
** once. The memo has a fixed size, and each slot holds the latest text. A text that is not in it, or is too long for
** it, is folded again: slower, but with the same result.
**
** Memory: the memo, at most 2 MiB; and each group of this one job, up to 150 bytes and its signature (of at most
** TR_SIGNATURE_SIZE): a million short ones take 108 MB. It comes from SQLite's allocator, whose limits apply; without
** memory the result is SQLITE_NOMEM, never a missing group.
*/
#include "figures.h"

#include <string.h>

#define MEMO_SLOTS 256       /* a power of two */
#define MEMO_BYTES (8 << 10) /* longer texts are not cached */

struct TrMemo {
  unsigned char *text; /* owned; reused for later jobs */
  size_t length, room;
  size_t group; /* index + 1; 0: no text of this job */
};

/* --- from the text in the line, or from the folded one ------------------------------------------------------------ */

static uint64_t word_at(const unsigned char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  return word;
}

/* Eight bytes at a step. Without a seed: texts chosen to collide only make the memo slower. */
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

/* With a random seed for each connection, as in names.c: others write the errors, and could choose texts that
** collide. */
static size_t group_hash(const TrErrorGroups *groups, const char *signature, size_t length) {
  uint64_t hash = UINT64_C(14695981039346656037) ^ groups->seed;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)signature[i]) * UINT64_C(1099511628211);
  return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the signature, or the free one where it would go. The table is never full. */
static size_t group_slot(const TrErrorGroups *groups, const char *signature, size_t length) {
  size_t mask = groups->slot_count - 1, at = group_hash(groups, signature, length) & mask;
  for (; groups->slot[at]; at = (at + 1) & mask) {
    const TrErrorGroup *known = &groups->group[groups->slot[at] - 1];
    if (known->length == length && memcmp(known->signature, signature, length) == 0) break;
  }
  return at;
}

/* --- a group that is new ------------------------------------------------------------------------------------------ */

static int grow(TrErrorGroups *groups) {
  size_t room = groups->room; /* grows with the slots */
  TrErrorGroup *group = tr_array_grow(groups->group, &room, room + 1, sizeof *group);
  if (group == NULL) return SQLITE_NOMEM;
  groups->group = group;
  size_t slot_count = 2 * room;
  size_t *slot = sqlite3_malloc64(slot_count * sizeof *slot);
  if (slot == NULL) return SQLITE_NOMEM;
  memset(slot, 0, slot_count * sizeof *slot);
  sqlite3_free(groups->slot);
  groups->slot = slot;
  groups->slot_count = slot_count;
  groups->room = room;
  for (size_t i = 0; i < groups->count; i++) slot[group_slot(groups, group[i].signature, group[i].length)] = i + 1;
  return SQLITE_OK;
}

/* *at is the group's index. */
static int intern(TrErrorGroups *groups, const char *signature, size_t length, size_t *at) {
  size_t known = groups->count ? groups->slot[group_slot(groups, signature, length)] : 0;
  if (known) {
    *at = known - 1;
    return SQLITE_OK;
  }
  int code = groups->count == groups->room ? grow(groups) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  char *copy = sqlite3_malloc64(length + 1); /* one more byte, as the length may be 0 */
  if (copy == NULL) return SQLITE_NOMEM;
  memcpy(copy, signature, length);
  *at = groups->count;
  groups->slot[group_slot(groups, signature, length)] = *at + 1;
  groups->group[groups->count++] = (TrErrorGroup){.signature = copy, .length = length};
  return SQLITE_OK;
}

static int fold_error(TrErrorGroups *groups, const TrLine *line, const TrSpan *error, size_t *at) {
  TrBytes text;
  char signature[TR_SIGNATURE_SIZE];
  int code = tr_span_text(line, error, groups->c_locale, &groups->scratch, &text);
  if (code != SQLITE_OK) return code;
  return intern(groups, signature, tr_signature_of(text, signature), at);
}

/* --- the memo ----------------------------------------------------------------------------------------------------- */

/* Without memory, the text is not remembered. */
static void remember(TrMemo *memo, const unsigned char *text, size_t length, size_t group) {
  memo->group = 0;
  if (length > memo->room) {
    unsigned char *grown = sqlite3_realloc64(memo->text, length);
    if (grown == NULL) return;
    memo->text = grown;
    memo->room = length;
  }
  memcpy(memo->text, text, length);
  memo->length = length;
  memo->group = group + 1;
}

static int find_group(TrErrorGroups *groups, const TrLine *line, const TrSpan *error, size_t *at) {
  const unsigned char *text = line->text + error->start;
  size_t length = error->length;
  if (error->kind != TR_STRING || length == 0 || length > MEMO_BYTES) return fold_error(groups, line, error, at);
  TrMemo *memo = &groups->memo[memo_slot(text, length)];
  if (memo->group && memo->length == length && memcmp(memo->text, text, length) == 0) {
    *at = memo->group - 1;
    return SQLITE_OK;
  }
  int code = fold_error(groups, line, error, at);
  if (code == SQLITE_OK) remember(memo, text, length, *at);
  return code;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int tr_error_groups_add(TrErrorGroups *groups, const TrLine *line, const TrRecord *record, int64_t rowid) {
  size_t at;
  int code = find_group(groups, line, &record->field[TR_ERROR], &at);
  if (code != SQLITE_OK) return code;
  TrErrorGroup *group = &groups->group[at];
  if (group->times++ == 0) group->first_rowid = rowid;
  int64_t time_us;
  if (!tr_span_time_us(line, &record->field[TR_TIMESTAMP], &time_us)) return SQLITE_OK;
  if (!group->timed || time_us < group->first_us) group->first_us = time_us;
  if (!group->timed || time_us > group->last_us) group->last_us = time_us;
  group->timed = true;
  return SQLITE_OK;
}

int tr_error_groups_begin(TrErrorGroups *groups) {
  if (groups->memo == NULL) {
    groups->memo = sqlite3_malloc64(MEMO_SLOTS * sizeof *groups->memo);
    if (groups->memo == NULL) return SQLITE_NOMEM;
    memset(groups->memo, 0, MEMO_SLOTS * sizeof *groups->memo);
    sqlite3_randomness(sizeof groups->seed, &groups->seed);
  }
  for (size_t i = 0; i < MEMO_SLOTS; i++) groups->memo[i].group = 0;
  for (size_t i = 0; i < groups->count; i++) sqlite3_free(groups->group[i].signature);
  sqlite3_free(groups->group); /* freed, as one job may have millions and the next only a few */
  sqlite3_free(groups->slot);
  groups->group = NULL;
  groups->slot = NULL;
  groups->count = groups->room = groups->slot_count = 0;
  return SQLITE_OK;
}

void tr_error_groups_free(TrErrorGroups *groups) {
  for (size_t i = 0; i < groups->count; i++) sqlite3_free(groups->group[i].signature);
  for (size_t i = 0; groups->memo && i < MEMO_SLOTS; i++) sqlite3_free(groups->memo[i].text);
  sqlite3_free(groups->group);
  sqlite3_free(groups->slot);
  sqlite3_free(groups->memo);
  tr_scratch_free(&groups->scratch);
}
