/*
** array.c - tr_array_sort(), with items that come in order, in reverse order, and in any order.
*/
#include "tr.h"

#include "check.h"
#include "random.h"

#define MOST 64

typedef struct Item {
  int key;
  int name;
} Item;

static int compare_keys(const void *a, const void *b) {
  const Item *x = a, *y = b;
  return (x->key > y->key) - (x->key < y->key);
}

static bool is_in_order(const Item *item, size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (item[i - 1].key > item[i].key) return false;
  }
  return true;
}

/* Checks that each name is there once, with its own key. */
static bool has_all(const Item *item, size_t count, const int *key_of_name) {
  bool seen[MOST] = {false};
  for (size_t i = 0; i < count; i++) {
    if (seen[item[i].name] || key_of_name[item[i].name] != item[i].key) return false;
    seen[item[i].name] = true;
  }
  return true;
}

/* `disorder`: how many times two items are swapped before the sort. */
static bool sorts(size_t count, bool is_reversed, int distinct_keys, size_t disorder) {
  Item item[MOST];
  int key_of_name[MOST];
  for (size_t i = 0; i < count; i++) {
    int place = (int)(is_reversed ? count - i : i);
    item[i] = (Item){.key = place * distinct_keys / MOST, .name = (int)i};
    key_of_name[i] = item[i].key;
  }
  for (size_t i = 0; i < disorder && count > 0; i++) {
    size_t one = random_below(count), two = random_below(count);
    Item other = item[one];
    item[one] = item[two];
    item[two] = other;
  }
  tr_array_sort(item, count, sizeof *item, compare_keys);
  return is_in_order(item, count) && has_all(item, count, key_of_name);
}

static void items_in_any_order_are_sorted(void) {
  size_t wrong = 0;
  for (size_t count = 0; count < MOST; count++) {
    for (size_t disorder = 0; disorder < 5; disorder++) {
      wrong += !sorts(count, false, MOST, disorder) + !sorts(count, true, MOST, disorder);
      wrong += !sorts(count, false, 3, disorder) + !sorts(count, true, 3, disorder);
    }
  }
  CHECK(wrong == 0);
}

int main(void) {
  RUN(items_in_any_order_are_sorted);
  return check_result();
}
