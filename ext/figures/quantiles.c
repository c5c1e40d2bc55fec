/*
** quantiles.c - numbers -> their quantiles, by the nearest rank.
**
** The p percent quantile of n sorted numbers is the one at position p * n / 100, rounded up: at least p percent of the
** numbers are no greater. So it is always one of the numbers, never a value between two.
*/
#include "figures.h"

#include <assert.h>
#include <stdlib.h>

void tr_quantiles_begin(TrQuantiles *quantiles) {
  quantiles->count = 0;
  quantiles->is_sorted = false;
}

int tr_quantiles_add(TrQuantiles *quantiles, int64_t value) {
  int64_t *grown = tr_array_reserve(quantiles->value, &quantiles->room, quantiles->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  quantiles->value = grown;
  quantiles->value[quantiles->count++] = value;
  quantiles->is_sorted = false;
  return SQLITE_OK;
}

static int compare_values(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

bool tr_quantiles_find(TrQuantiles *quantiles, unsigned percent, int64_t *value) {
  assert(percent >= 1 && percent <= 100);
  size_t count = quantiles->count;
  if (count == 0) return false;
  if (!quantiles->is_sorted) qsort(quantiles->value, count, sizeof *quantiles->value, compare_values);
  quantiles->is_sorted = true;
  *value = quantiles->value[(count * percent + 99) / 100 - 1];
  return true;
}

void tr_quantiles_free(TrQuantiles *quantiles) {
  sqlite3_free(quantiles->value);
  *quantiles = (TrQuantiles){0};
}
