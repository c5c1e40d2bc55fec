/*
** every_line.c - stands in for ext/scan/plan.c in a build that pushes nothing down: every query reads every line, and
** SQLite alone decides what is a row. The tests compare its answers with those of the real plan.
*/
#include "tr.h"

int tr_plan_choose(sqlite3_index_info *info, TrColumn (*column_of)(int table_column), const TrConnection *connection,
                   bool sorts_jobs) {
  (void)column_of, (void)connection, (void)sorts_jobs;
  TrPlan plan = {0};
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
  (void)plan;
  return sqlite3_mprintf("every line");
}

bool tr_plan_decode(const char *text, TrPlan *plan) {
  (void)text;
  *plan = (TrPlan){0};
  return true;
}
