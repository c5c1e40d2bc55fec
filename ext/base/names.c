/*
** names.c - file name -> ordinal.
**
** A rowid holds the ordinal of a file. SQLite may scan the table twice within one query (an OR over two indexes) and
** weed out duplicates by rowid, so an ordinal must not shift when files come and go: names are added, never removed or
** renumbered. One map serves all tables and cursors of a connection; it grows with the number of different names seen.
*/
#include "base.h"

#include <assert.h>
#include <string.h>

struct TrNames {
  uint32_t seed; /* random for each connection: others choose the file names, and could choose names that collide */
  uint32_t count;
  uint32_t room;       /* of name[] */
  char **name;         /* name[ordinal]; owned */
  uint32_t slot_count; /* a power of two, more than 1.5 * count */
  uint32_t *slot;      /* ordinal + 1, or 0 */
};

TrNames *tr_names_new(void) {
  TrNames *names = sqlite3_malloc64(sizeof *names);
  if (names == NULL) return NULL;
  memset(names, 0, sizeof *names);
  sqlite3_randomness(sizeof names->seed, &names->seed);
  return names;
}

void tr_names_free(TrNames *names) {
  if (names == NULL) return;
  for (uint32_t i = 0; i < names->count; i++) sqlite3_free(names->name[i]);
  sqlite3_free(names->name);
  sqlite3_free(names->slot);
  sqlite3_free(names);
}

static uint32_t names_hash(const TrNames *names, const char *name, size_t length) {
  uint32_t hash = UINT32_C(2166136261) ^ names->seed;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)name[i]) * UINT32_C(16777619);
  return hash ^ (hash >> 15);
}

static int names_grow(TrNames *names) {
  assert(names->count <= names->room);
  uint32_t room = names->room ? names->room * 2 : 64;
  char **name = sqlite3_realloc64(names->name, room * sizeof *name);
  if (name == NULL) return SQLITE_NOMEM;
  names->name = name;
  uint32_t slot_count = room * 2;
  uint32_t *slot = sqlite3_malloc64(slot_count * sizeof *slot);
  if (slot == NULL) return SQLITE_NOMEM;
  memset(slot, 0, slot_count * sizeof *slot);
  for (uint32_t i = 0; i < names->count; i++) {
    uint32_t at = names_hash(names, name[i], strlen(name[i])) & (slot_count - 1);
    while (slot[at]) at = (at + 1) & (slot_count - 1);
    slot[at] = i + 1;
  }
  sqlite3_free(names->slot);
  names->slot = slot;
  names->slot_count = slot_count;
  names->room = room;
  return SQLITE_OK;
}

/* The slot that holds the name, or the free one where it would go. The table is never full. */
static uint32_t names_slot(const TrNames *names, const char *name, size_t length) {
  uint32_t at = names_hash(names, name, length) & (names->slot_count - 1);
  for (; names->slot[at]; at = (at + 1) & (names->slot_count - 1)) {
    const char *known = names->name[names->slot[at] - 1];
    if (strncmp(known, name, length) == 0 && known[length] == '\0') break;
  }
  return at;
}

bool tr_names_find(const TrNames *names, const char *name, size_t length, uint32_t *ordinal) {
  if (names->count == 0) return false;
  uint32_t known = names->slot[names_slot(names, name, length)];
  if (known) *ordinal = known - 1;
  return known != 0;
}

int tr_names_intern(TrNames *names, const char *name, size_t length, uint32_t *ordinal) {
  if (tr_names_find(names, name, length, ordinal)) return SQLITE_OK;
  if (names->count > TR_MAX_ORDINAL) return SQLITE_FULL;
  if (names->count == names->room) {
    int code = names_grow(names);
    if (code != SQLITE_OK) return code;
  }
  char *copy = sqlite3_malloc64(length + 1);
  if (copy == NULL) return SQLITE_NOMEM;
  memcpy(copy, name, length);
  copy[length] = '\0';
  *ordinal = names->count++;
  names->name[*ordinal] = copy;
  names->slot[names_slot(names, name, length)] = *ordinal + 1;
  return SQLITE_OK;
}

const char *tr_names_get(const TrNames *names, uint32_t ordinal) {
  return ordinal < names->count ? names->name[ordinal] : NULL;
}
