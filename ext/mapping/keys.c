/*
** keys.c - the keys that a mapping mentions -> a table to find them by, and their slots.
*/
#include "mapping.h"

#define NO_SLOT UINT8_MAX
#define MAX_PARENTS 31 /* the lanes keep a bit for each, from 1 on */

static TrKey *find_or_add_key(TrKeys *keys, unsigned parent, const char *text) {
  size_t length = strlen(text);
  const TrKey *found = tr_keys_find(keys, parent, (const unsigned char *)text, length);
  if (found) return &keys->key[found - keys->key];
  if (keys->names == sizeof keys->key / sizeof *keys->key) return NULL;
  uint8_t *bucket = &keys->bucket[tr_keys_bucket(parent, (const unsigned char *)text, length)];
  TrKey *key = &keys->key[keys->names++];
  *key = (TrKey){.length = (uint8_t)length, .parent = (uint8_t)parent, .slot = NO_SLOT, .next = *bucket};
  memcpy(key->text, text, length);
  *bucket = (uint8_t)keys->names;
  return key;
}

bool tr_keys_add(TrKeys *keys, const char *parent, const char *text, uint8_t *slot) {
  unsigned below = 0;
  if (parent) {
    TrKey *outer = find_or_add_key(keys, 0, parent);
    if (outer == NULL || (outer->opens == 0 && keys->parents == MAX_PARENTS)) return false;
    if (outer->opens == 0) outer->opens = (uint8_t)++keys->parents;
    below = outer->opens;
  }
  TrKey *key = find_or_add_key(keys, below, text);
  if (key == NULL || (key->slot == NO_SLOT && keys->count == TR_MAX_KEYS)) return false;
  if (key->slot == NO_SLOT) key->slot = (uint8_t)keys->count++;
  *slot = key->slot;
  return true;
}

void tr_keys_end(TrKeys *keys) {
  for (unsigned i = 0; i < keys->names; i++) {
    if (keys->key[i].slot == NO_SLOT) keys->key[i].slot = (uint8_t)keys->count;
  }
}
