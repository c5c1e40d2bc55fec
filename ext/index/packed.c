/*
** packed.c - records <-> bytes.
*/
#include "index.h"

void tr_index_walk_begin(TrIndexWalk *walk, const TrIndex *index, size_t block) {
  (void)index, (void)block;
  *walk = (TrIndexWalk){0};
}

bool tr_index_walk_next(TrIndexWalk *walk, TrIndexed *record) {
  (void)walk, (void)record;
  return false;
}
