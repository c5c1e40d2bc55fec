/*
** plan.c - what xBestIndex chose, as a text that EXPLAIN QUERY PLAN shows and xFilter parses.
**
** Grammar of idxStr:   plan  = [ "all segments: " ] [ index ] [ term { " AND " term } ] [ " ORDER BY " order ]
**                      index = "INDEX: " | "COVERING INDEX: "
**                      order = ( "rowid" | "job_id" ) [ " DESC" ] | "job_id, segment_no, offset"
**                            | "job_id DESC, segment_no DESC, offset DESC"
**                      term  = column " " op [ " ?" ]
** with the columns and operators of the two tables below; term i is bound to argv[i]. xBestIndex and xFilter both use
** this one codec, so they cannot disagree.
**
** A term is refused here only for reasons known without its value (a collation other than BINARY); filter.c decides the
** rest when the value is known. `omit` is never set for these terms: SQLite checks every row again, so a pushdown only
** saves work.
**
** `since`, `until`, `grace`, `zone`, `per_job` and `as_of` are no columns of a row but arguments of a table (see
** time_window.c): they are bound before all other terms, so that there is always room for them. SQLite must not check
** them: the column is NULL where the argument is not given, and NULL equals nothing.
*/
#include "query.h"

#include <string.h>

static const char *const column_word[TR_COLUMN_OTHER] = {
    [TR_COLUMN_JOB_ID] = "job_id",         [TR_COLUMN_SUCCESS] = "success", [TR_COLUMN_TIMESTAMP] = "timestamp",
    [TR_COLUMN_TIME_US] = "time_us",       [TR_COLUMN_OUTPUT] = "output",   [TR_COLUMN_ERROR] = "error",
    [TR_COLUMN_ROWID] = "rowid",           [TR_COLUMN_SINCE] = "since",     [TR_COLUMN_UNTIL] = "until",
    [TR_COLUMN_GRACE] = "grace",           [TR_COLUMN_ZONE] = "zone",       [TR_COLUMN_OK] = "ok",
    [TR_COLUMN_OFFSET] = "offset",         [TR_COLUMN_PER_JOB] = "per_job", [TR_COLUMN_HOST] = "host",
    [TR_COLUMN_SEGMENT_NO] = "segment_no", [TR_COLUMN_AS_OF] = "as_of",
};

static const char *const op_word[TR_OPS] = {
    [TR_EQ] = "= ?",      [TR_IS] = "IS ?", [TR_IN] = "IN (?)", [TR_GLOB] = "GLOB ?",
    [TR_LIKE] = "LIKE ?", [TR_NE] = "<> ?", [TR_LT] = "< ?",    [TR_IS_NOT] = "IS NOT ?",
    [TR_LE] = "<= ?",     [TR_GT] = "> ?",  [TR_GE] = ">= ?",   [TR_ISNULL] = "IS NULL",
};

static const char *const order_word[TR_ORDER_COUNT] = {
    [TR_ORDER_ROWID] = "ORDER BY rowid",
    [TR_ORDER_ROWID_DESC] = "ORDER BY rowid DESC",
    [TR_ORDER_JOB] = "ORDER BY job_id",
    [TR_ORDER_JOB_DESC] = "ORDER BY job_id DESC",
    [TR_ORDER_SEGMENTS] = "ORDER BY job_id, segment_no, offset",
    [TR_ORDER_SEGMENTS_DESC] = "ORDER BY job_id DESC, segment_no DESC, offset DESC",
};

static const char *const index_word[TR_INDEX_USES] = {
    [TR_INDEX_UNUSED] = "", [TR_INDEX_FINDS] = "INDEX: ", [TR_INDEX_COVERS] = "COVERING INDEX: "};

#define ALL_SEGMENTS "all segments: "

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static TrOp op_of_constraint(unsigned char op) {
  switch (op) {
  case SQLITE_INDEX_CONSTRAINT_EQ: return TR_EQ;
  case SQLITE_INDEX_CONSTRAINT_IS: return TR_IS;
  case SQLITE_INDEX_CONSTRAINT_GLOB: return TR_GLOB;
  case SQLITE_INDEX_CONSTRAINT_LIKE: return TR_LIKE;
  case SQLITE_INDEX_CONSTRAINT_NE: return TR_NE;
  case SQLITE_INDEX_CONSTRAINT_ISNOT: return TR_IS_NOT;
  case SQLITE_INDEX_CONSTRAINT_LT: return TR_LT;
  case SQLITE_INDEX_CONSTRAINT_LE: return TR_LE;
  case SQLITE_INDEX_CONSTRAINT_GT: return TR_GT;
  case SQLITE_INDEX_CONSTRAINT_GE: return TR_GE;
  case SQLITE_INDEX_CONSTRAINT_ISNULL: return TR_ISNULL;
  default: return TR_OPS;
  }
}

bool tr_op_may_be_of_outer_join(TrOp op) {
  return op == TR_LIKE || op == TR_GLOB || op == TR_NE || op == TR_IS_NOT;
}

/* Which operators filter.c can decide on which column. */
static bool is_supported(TrColumn column, TrOp op) {
  switch (column) {
  case TR_COLUMN_JOB_ID: return op == TR_EQ || op == TR_IS || op == TR_GLOB;
  case TR_COLUMN_HOST: return op == TR_EQ;
  case TR_COLUMN_SUCCESS:
  case TR_COLUMN_OK: return op != TR_GLOB && op != TR_LIKE && op != TR_OPS;
  case TR_COLUMN_OUTPUT:
  case TR_COLUMN_ERROR: return op == TR_LIKE;
  case TR_COLUMN_TIMESTAMP:
  case TR_COLUMN_TIME_US: return op == TR_EQ || op == TR_IS || (op >= TR_LT && op <= TR_GE);
  case TR_COLUMN_OFFSET: return op == TR_EQ || op == TR_IS || (op >= TR_LT && op <= TR_GE);
  case TR_COLUMN_ROWID: return op == TR_EQ;
  default: return tr_column_is_argument(column) && op == TR_EQ;
  }
}

/* Collations do not affect GLOB, nor numbers. */
static bool is_collation_fine(sqlite3_index_info *info, int i, TrColumn column, TrOp op) {
  if (op == TR_GLOB || (column != TR_COLUMN_JOB_ID && column != TR_COLUMN_HOST && column != TR_COLUMN_TIMESTAMP)) {
    return true;
  }
  return sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

static bool takes_list(TrColumn column) {
  return column == TR_COLUMN_JOB_ID || column == TR_COLUMN_HOST || column == TR_COLUMN_SUCCESS ||
         column == TR_COLUMN_OK;
}

static bool is_chosen(const TrPlan *plan, TrColumn column) {
  for (int i = 0; i < plan->count; i++) {
    if (plan->term[i].column == column) return true;
  }
  return false;
}

/* Some operators are not used if an outer join is possible: joins.c. */
static void choose_term(sqlite3_index_info *info, int i, TrColumn column, bool trusts_all, TrPlan *plan) {
  TrOp op = op_of_constraint(info->aConstraint[i].op);
  if (!info->aConstraint[i].usable || plan->count == TR_PLAN_TERMS) return;
  if (column == TR_COLUMN_ROWID && plan->all_segments) return; /* its file may have another name by now */
  if (!is_supported(column, op) || !is_collation_fine(info, i, column, op)) return;
  if (!trusts_all && tr_op_may_be_of_outer_join(op)) return;
  if (op == TR_EQ && column != TR_COLUMN_ROWID && sqlite3_vtab_in(info, i, -1)) {
    /* We take the whole list at once, or not at all. If SQLite passed the values one by one, it would compare by the
    ** column's affinity only, and IN (SELECT untyped FROM t) with 2026 and '2026' in t would give rows twice. */
    if (!takes_list(column)) return;
    sqlite3_vtab_in(info, i, 1);
    op = TR_IN;
  }
  plan->term[plan->count].column = (uint8_t)column;
  plan->term[plan->count].op = (uint8_t)op;
  info->aConstraintUsage[i].argvIndex = ++plan->count;
}

/* One value for each argument. SQLite compares a second one with the column, which has the first value. */
static void choose_argument(sqlite3_index_info *info, int i, TrColumn column, TrPlan *plan) {
  if (is_chosen(plan, column)) return;
  choose_term(info, i, column, true, plan);
  info->aConstraintUsage[i].omit = info->aConstraintUsage[i].argvIndex > 0;
}

/* Rough, but in the right order: a job is one file of many, a rowid one line, an offset leaves a part of a file. */
static void estimate(const TrPlan *plan, sqlite3_index_info *info) {
  double cost = 1e6, rows = 1e6;
  for (int i = 0; i < plan->count; i++) {
    TrColumn column = (TrColumn)plan->term[i].column;
    TrOp op = plan->term[i].op;
    if (tr_column_is_argument(column)) continue;
    switch (column) {
    case TR_COLUMN_ROWID: cost = 1, rows = 1; break;
    case TR_COLUMN_JOB_ID: {
      double share = op == TR_GLOB ? 0.1 : op == TR_IN ? 0.01 : 0.001;
      cost *= share, rows *= share;
      break;
    }
    case TR_COLUMN_HOST: cost *= 0.1, rows *= 0.1; break;
    case TR_COLUMN_OFFSET: cost *= 0.5, rows *= 0.3; break;
    default: cost *= 0.9, rows *= 0.3; break; /* every line is still read */
    }
  }
  info->estimatedCost = cost + 1;
  info->estimatedRows = (sqlite3_int64)rows + 1;
}

static bool is_of_one_job(const TrPlan *plan) {
  for (int i = 0; i < plan->count; i++) {
    if (plan->term[i].column == TR_COLUMN_JOB_ID && plan->term[i].op == TR_EQ) return true;
  }
  return false;
}

/* Is it job_id, segment_no, offset, or the beginning of that; or all of it descending? SQLite leaves out job_id where
** it is a constant. */
static bool asks_for_segments(const sqlite3_index_info *info, TrColumn (*column_of)(int table_column),
                              const TrPlan *plan) {
  static const TrColumn wanted[] = {TR_COLUMN_JOB_ID, TR_COLUMN_SEGMENT_NO, TR_COLUMN_OFFSET};
  int at = 0, count = (int)(sizeof wanted / sizeof *wanted);
  for (int i = 0; i < info->nOrderBy; i++, at++) {
    const struct sqlite3_index_orderby *by = &info->aOrderBy[i];
    TrColumn column = by->iColumn < 0 ? TR_COLUMN_ROWID : column_of(by->iColumn);
    if (at == 0 && column != TR_COLUMN_JOB_ID && is_of_one_job(plan)) at++;
    if (by->desc != info->aOrderBy[0].desc || at == count || column != wanted[at]) return false;
  }
  return true;
}

/* Under some mappings, the files do not tell the jobs apart. */
static int has_jobs_in_records(const TrSettings *settings, bool *has, char **message) {
  TrMapping *mapping;
  int code = tr_settings_mapping(settings, &mapping, message);
  *has = mapping && mapping->job_in_record;
  tr_mapping_free(mapping);
  return code;
}

/* The order that the query asks for, if a scan can deliver it. For GROUP BY it would be enough to keep the rows of a
** group together, but some versions of SQLite (3.46) do not tell whether an ORDER BY relies on the order, too. So we
** always sort. In a UTF-16 database SQLite compares texts by other bytes than ours, so there it has to sort. SQLITE_OK,
** or SQLITE_INTERRUPT. */
static int choose_order(sqlite3_index_info *info, const TrPlanned *planned, TrPlan *plan, char **message) {
  const struct sqlite3_index_orderby *by = info->aOrderBy;
  int count = info->nOrderBy;
  if (count == 0) return SQLITE_OK;
  bool is_utf8, is_in_records = false;
  bool by_rowid = count == 1 && by[0].iColumn < 0 && !plan->all_segments;
  int code = by_rowid && planned->has_row_for_job ? has_jobs_in_records(planned->settings, &is_in_records, message)
                                                  : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  if (by_rowid && !is_in_records) plan->order = by[0].desc ? TR_ORDER_ROWID_DESC : TR_ORDER_ROWID;
  bool begins_with_job = by[0].iColumn >= 0 && planned->column_of(by[0].iColumn) == TR_COLUMN_JOB_ID;
  bool ends_with_rowid = count == 2 && by[1].iColumn < 0 && !by[1].desc && !plan->all_segments;
  bool by_job = begins_with_job && (count == 1 || ends_with_rowid);
  bool is_one_directory = strchr(tr_settings_dir(planned->settings), '*') == NULL; /* else several have the same job */
  bool by_segment = plan->all_segments && is_one_directory && asks_for_segments(info, planned->column_of, plan);
  if (!planned->sorts_jobs || !(by_job || by_segment)) return SQLITE_OK;
  code = tr_connection_is_utf8(planned->connection, &is_utf8);
  if (code == SQLITE_OK) code = has_jobs_in_records(planned->settings, &is_in_records, message);
  if (!is_utf8 || is_in_records || code != SQLITE_OK) return code;
  plan->order = !by_job ? TR_ORDER_SEGMENTS : by[0].desc ? TR_ORDER_JOB_DESC : TR_ORDER_JOB;
  if (by_job || !by[0].desc) return SQLITE_OK;
  bool is_possible;
  code = tr_descending_is_possible(info, planned, &is_possible);
  plan->order = is_possible ? TR_ORDER_SEGMENTS_DESC : TR_ORDER_ANY;
  return code;
}

static TrColumn column_of_constraint(const sqlite3_index_info *info, int i, TrColumn (*column_of)(int table_column)) {
  int table_column = info->aConstraint[i].iColumn;
  return table_column < 0 ? TR_COLUMN_ROWID : column_of(table_column);
}

/* Asked only if needed, because it runs SQL statements. */
static int ask_for_outer_joins(const sqlite3_index_info *info, TrColumn (*column_of)(int table_column),
                               const TrConnection *connection, bool *possible) {
  *possible = false;
  for (int i = 0; i < info->nConstraint; i++) {
    TrOp op = op_of_constraint(info->aConstraint[i].op);
    if (!info->aConstraint[i].usable || !tr_op_may_be_of_outer_join(op)) continue;
    if (is_supported(column_of_constraint(info, i, column_of), op))
      return tr_joins_in_schemas(connection->db, possible);
  }
  return SQLITE_OK;
}

/* --- the index ---------------------------------------------------------------------------------------------------- */

static bool is_in_index(TrColumn column) {
  return column == TR_COLUMN_JOB_ID || column == TR_COLUMN_HOST || column == TR_COLUMN_SUCCESS ||
         column == TR_COLUMN_OK || column == TR_COLUMN_TIME_US || column == TR_COLUMN_OFFSET;
}

/* SQLite has one bit for each column, and the last one for all that follow. */
static bool uses_only_indexed(const sqlite3_index_info *info, TrColumn (*column_of)(int table_column)) {
  for (int column = 0; column < 64; column++) {
    if (info->colUsed & UINT64_C(1) << column && (column == 63 || !is_in_index(column_of(column)))) return false;
  }
  return true;
}

static bool has_term_for_index(const TrPlan *plan) {
  for (int i = 0; i < plan->count; i++) {
    TrColumn column = (TrColumn)plan->term[i].column;
    if (column == TR_COLUMN_SUCCESS || column == TR_COLUMN_OK || column == TR_COLUMN_TIME_US) return true;
  }
  return false;
}

/* What the index is good for, if the scan finds one. The scan knows the rest: scan/indexed.c. */
static TrIndexUse choose_index(const sqlite3_index_info *info, const TrPlanned *planned, const TrPlan *plan) {
  bool is_backwards = plan->order == TR_ORDER_ROWID_DESC || plan->order == TR_ORDER_SEGMENTS_DESC;
  if (planned->index == TR_INDEX_UNUSED || planned->connection->read_only || tr_index_setting() == NULL)
    return TR_INDEX_UNUSED;
  if (tr_settings_check_native(planned->settings, "", NULL) != SQLITE_OK) return TR_INDEX_UNUSED;
  if (strchr(tr_settings_dir(planned->settings), '*')) return TR_INDEX_UNUSED;
  if (planned->has_row_for_job || planned->index == TR_INDEX_FINDS) return planned->index;
  if (is_backwards || is_chosen(plan, TR_COLUMN_ROWID) || is_chosen(plan, TR_COLUMN_OFFSET)) return TR_INDEX_UNUSED;
  if (uses_only_indexed(info, planned->column_of)) return TR_INDEX_COVERS;
  return has_term_for_index(plan) ? TR_INDEX_FINDS : TR_INDEX_UNUSED;
}

int tr_plan_choose(sqlite3_index_info *info, const TrPlanned *planned, char **message) {
  TrPlan plan = {0};
  bool outer_join;
  TrColumn (*column_of)(int) = planned->column_of;
  int code = tr_settings_segments(planned->settings, &plan.all_segments, message);
  if (code == SQLITE_OK) code = ask_for_outer_joins(info, column_of, planned->connection, &outer_join);
  if (code != SQLITE_OK) return code;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < info->nConstraint; i++) {
      TrColumn column = column_of_constraint(info, i, column_of);
      if (pass == 0 && tr_column_is_argument(column)) choose_argument(info, i, column, &plan);
      if (pass == 1 && !tr_column_is_argument(column)) choose_term(info, i, column, !outer_join, &plan);
    }
  }
  code = choose_order(info, planned, &plan, message);
  if (code != SQLITE_OK) return code;
  info->orderByConsumed = plan.order != TR_ORDER_ANY;
  for (int i = 0; i < plan.count; i++) {
    if (plan.term[i].column == TR_COLUMN_ROWID) info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  }
  estimate(&plan, info);
  plan.index = (uint8_t)choose_index(info, planned, &plan);
  info->idxStr = tr_plan_encode(&plan);
  info->needToFreeIdxStr = 1;
  return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* --- the codec ---------------------------------------------------------------------------------------------------- */

char *tr_plan_encode(const TrPlan *plan) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  if (plan->all_segments) sqlite3_str_appendall(text, ALL_SEGMENTS);
  sqlite3_str_appendall(text, index_word[plan->index]);
  for (int i = 0; i < plan->count; i++) {
    sqlite3_str_appendf(text, "%s%s %s", i ? " AND " : "", column_word[plan->term[i].column],
                        op_word[plan->term[i].op]);
  }
  if (plan->order != TR_ORDER_ANY) sqlite3_str_appendf(text, "%s%s", plan->count ? " " : "", order_word[plan->order]);
  if (plan->count == 0 && plan->order == TR_ORDER_ANY) sqlite3_str_appendall(text, "every line");
  return sqlite3_str_finish(text);
}

static bool take_word(const char **text, const char *word) {
  size_t length = strlen(word);
  if (strncmp(*text, word, length) != 0) return false;
  *text += length;
  return true;
}

/* The index of the word that the text begins with, or `count`. No word is a prefix of another. */
static int take_one_of(const char **text, const char *const *words, int count) {
  for (int i = 0; i < count; i++) {
    if (take_word(text, words[i])) return i;
  }
  return count;
}

static bool take_term(const char **text, TrPlan *plan) {
  int column = take_one_of(text, column_word, TR_COLUMN_OTHER);
  if (column == TR_COLUMN_OTHER || !take_word(text, " ")) return false;
  int op = take_one_of(text, op_word, TR_OPS);
  if (op == TR_OPS || plan->count == TR_PLAN_TERMS) return false;
  plan->term[plan->count].column = (uint8_t)column;
  plan->term[plan->count++].op = (uint8_t)op;
  return true;
}

static bool take_order(const char *text, TrPlan *plan) {
  for (int order = TR_ORDER_ANY + 1; order < TR_ORDER_COUNT; order++) {
    if (strcmp(text, order_word[order]) != 0) continue;
    plan->order = (uint8_t)order;
    return true;
  }
  return false;
}

bool tr_plan_decode(const char *text, TrPlan *plan) {
  *plan = (TrPlan){0};
  plan->all_segments = take_word(&text, ALL_SEGMENTS);
  for (int use = TR_INDEX_FINDS; use < TR_INDEX_USES; use++) {
    if (plan->index == TR_INDEX_UNUSED && take_word(&text, index_word[use])) plan->index = (uint8_t)use;
  }
  if (strcmp(text, "every line") == 0 || take_order(text, plan)) return true;
  do {
    if (!take_term(&text, plan)) return false;
  } while (take_word(&text, " AND "));
  return *text == '\0' || (take_word(&text, " ") && take_order(text, plan));
}
