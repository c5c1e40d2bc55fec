/*
** array.c - arrays that grow, and lists of names.
*/
#include "base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_ROOM 16
#define LARGEST_REVERSED 64 /* bytes of an item */

void *tr_array_grow(void *items, size_t *room, size_t wanted, size_t item_bytes) {
  size_t enough = wanted > 2 * *room ? wanted : 2 * *room;
  if (enough < LEAST_ROOM) enough = LEAST_ROOM;
  void *grown = sqlite3_realloc64(items, enough * item_bytes);
  if (grown != NULL) *room = enough;
  assert(grown == NULL || wanted <= *room);
  return grown;
}

static void reverse_items(char *items, size_t count, size_t item_bytes) {
  char other[LARGEST_REVERSED];
  assert(item_bytes <= sizeof other);
  for (size_t i = 0; i < count / 2; i++) {
    char *low = items + i * item_bytes, *high = items + (count - 1 - i) * item_bytes;
    memcpy(other, low, item_bytes);
    memcpy(low, high, item_bytes);
    memcpy(high, other, item_bytes);
  }
}

static bool is_sorted(const char *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *)) {
  for (size_t i = 1; i < count; i++) {
    if (compare(items + (i - 1) * item_bytes, items + i * item_bytes) > 0) return false;
  }
  return true;
}

void tr_array_sort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *)) {
  if (is_sorted(items, count, item_bytes, compare)) return;
  reverse_items(items, count, item_bytes);
  if (!is_sorted(items, count, item_bytes, compare)) qsort(items, count, item_bytes, compare);
}

int tr_name_list_add(TrNameList *list, const char *name, size_t length) {
  char **grown = tr_array_reserve(list->name, &list->room, list->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  list->name = grown;
  char *copy = sqlite3_malloc64(length + 1);
  if (copy == NULL) return SQLITE_NOMEM;
  memcpy(copy, name, length);
  copy[length] = '\0';
  list->name[list->count++] = copy;
  return SQLITE_OK;
}

static int compare_listed_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void tr_name_list_sort(TrNameList *list) {
  if (list->count > 1) qsort(list->name, list->count, sizeof *list->name, compare_listed_names);
}

void tr_name_list_free(TrNameList *list) {
  for (size_t i = 0; i < list->count; i++) sqlite3_free(list->name[i]);
  sqlite3_free(list->name);
  *list = (TrNameList){0};
}
