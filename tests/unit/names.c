/*
** names.c - a name's ordinal is given once and never changes, however many names follow: rowids depend on it.
*/
#include "tr.h"

#include <string.h>

#include "check.h"
#include "random.h"

#define MANY 30000

/* Names that share beginnings, differ in length only, or hold bytes that are not text. */
static size_t make_name(uint32_t i, char name[TR_NAME_SIZE]) {
  static const char *const shapes[] = {"job-%u.jsonl", "%u", "a job named %u.jsonl", "\xFF\xFE%u", "x%u\nx.jsonl"};
  return (size_t)snprintf(name, TR_NAME_SIZE, shapes[i % 5], (unsigned)i);
}

static void ordinals_count_up_and_never_change(void) {
  TrNames *names = tr_names_new();
  static const char *kept[MANY];
  char name[TR_NAME_SIZE];
  uint32_t ordinal, wrong = 0;
  for (uint32_t i = 0; i < MANY; i++) {
    size_t length = make_name(i, name);
    wrong += tr_names_find(names, name, length, &ordinal);
    wrong += tr_names_intern(names, name, length, &ordinal) != SQLITE_OK || ordinal != i;
    kept[i] = tr_names_get(names, i);
    uint32_t known = (uint32_t)random_below(i + 1);
    length = make_name(known, name);
    wrong += !tr_names_find(names, name, length, &ordinal) || ordinal != known;
  }
  CHECK(wrong == 0);
  for (uint32_t i = 0; i < MANY; i++) {
    size_t length = make_name(i, name);
    wrong += tr_names_intern(names, name, length, &ordinal) != SQLITE_OK || ordinal != i;
    wrong += tr_names_get(names, i) != kept[i] || strlen(kept[i]) != length || memcmp(kept[i], name, length) != 0;
  }
  CHECK(wrong == 0);
  CHECK(tr_names_get(names, MANY) == NULL);
  tr_names_free(names);
}

static void a_part_of_a_name_is_another_name(void) {
  TrNames *names = tr_names_new();
  uint32_t whole, part, found = 99;
  CHECK(tr_names_intern(names, "backup.jsonl", 12, &whole) == SQLITE_OK);
  CHECK(!tr_names_find(names, "backup.jsonl", 6, &found) && found == 99);
  CHECK(tr_names_intern(names, "backup.jsonl", 6, &part) == SQLITE_OK && part != whole);
  CHECK(strcmp(tr_names_get(names, part), "backup") == 0);
  CHECK(!tr_names_find(names, "Backup.jsonl", 12, &found));
  CHECK(!tr_names_find(names, "backup.jsonl2", 13, &found));
  CHECK(tr_names_find(names, "backup.jsonl2", 12, &found) && found == whole);
  tr_names_free(names);
}

/* So many prefixes of one name, in so small a table, collide. */
static void every_prefix_of_a_name_is_another_name(void) {
  char name[TR_NAME_SIZE];
  memset(name, 'a', sizeof name);
  uint32_t ordinal, count = 0, wrong = 0;
  TrNames *names = tr_names_new();
  for (size_t length = 250; length > 0; length--) {
    wrong += tr_names_find(names, name, length, &ordinal);
    wrong += tr_names_intern(names, name, length, &ordinal) != SQLITE_OK || ordinal != count++;
  }
  CHECK(wrong == 0);
  tr_names_free(names);
}

static void an_empty_map_finds_nothing(void) {
  TrNames *names = tr_names_new();
  uint32_t found;
  CHECK(!tr_names_find(names, "a", 1, &found));
  CHECK(tr_names_get(names, 0) == NULL);
  tr_names_free(names);
  tr_names_free(NULL);
}

static void two_maps_share_nothing(void) {
  TrNames *one = tr_names_new(), *other = tr_names_new();
  uint32_t ordinal;
  CHECK(tr_names_intern(one, "a", 1, &ordinal) == SQLITE_OK && ordinal == 0);
  CHECK(!tr_names_find(other, "a", 1, &ordinal));
  CHECK(tr_names_intern(other, "b", 1, &ordinal) == SQLITE_OK && ordinal == 0);
  tr_names_free(one);
  CHECK(strcmp(tr_names_get(other, 0), "b") == 0);
  tr_names_free(other);
}

int main(void) {
  RUN(ordinals_count_up_and_never_change);
  RUN(a_part_of_a_name_is_another_name);
  RUN(every_prefix_of_a_name_is_another_name);
  RUN(an_empty_map_finds_nothing);
  RUN(two_maps_share_nothing);
  return check_result();
}
