/*
** every_line.c - stands in for ext/query/plan.c in a build that pushes nothing down: every query reads every line, and
** SQLite alone decides what is a row. The tests compare its answers with those of the real plan.
*/
#include "tr.h"

#include <string.h>

int tr_plan_choose(sqlite3_index_info *info, const TrPlanned *planned, char **message) {
  TrPlan plan = {0};
  int code = tr_settings_segments(planned->settings, &plan.all_segments, message);
  if (code != SQLITE_OK) return code;
  info->estimatedCost = 1e6;
  info->idxStr = tr_plan_encode(&plan);
  info->needToFreeIdxStr = 1;
  return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

bool tr_op_may_be_of_outer_join(TrOp op) {
  (void)op;
  return false;
}

char *tr_plan_encode(const TrPlan *plan) {
  return sqlite3_mprintf(plan->all_segments ? "all" : "every line");
}

bool tr_plan_decode(const char *text, TrPlan *plan) {
  *plan = (TrPlan){.all_segments = strcmp(text, "all") == 0};
  return true;
}
