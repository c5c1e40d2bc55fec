/*
** plan.c - xFilter can read every plan that xBestIndex writes, and no other text.
*/
#include "tr.h"

#include <string.h>

#include "check.h"
#include "random.h"

#define GARBAGE 300000

static bool same_plan(const TrPlan *a, const TrPlan *b) {
  if (a->count != b->count || a->order != b->order || a->all_segments != b->all_segments) return false;
  if (a->index != b->index) return false;
  for (int i = 0; i < a->count; i++) {
    if (a->term[i].column != b->term[i].column || a->term[i].op != b->term[i].op) return false;
  }
  return true;
}

static bool round_trips(const TrPlan *plan) {
  TrPlan back;
  char *text = tr_plan_encode(plan);
  memset(&back, 0xA5, sizeof back);
  bool good = text && tr_plan_decode(text, &back) && same_plan(plan, &back);
  if (!good) printf("# %s\n", text ? text : "(out of memory)");
  sqlite3_free(text);
  return good;
}

static void every_column_and_operator_round_trips_in_every_order(void) {
  for (int order = 0; order < TR_ORDER_COUNT; order++) {
    TrPlan plan = {.order = (uint8_t)order};
    CHECK(round_trips(&plan));
    plan.count = 1;
    for (int column = 0; column < TR_COLUMN_OTHER; column++) {
      for (int op = 0; op < TR_OPS; op++) {
        plan.term[0].column = (uint8_t)column;
        plan.term[0].op = (uint8_t)op;
        CHECK(round_trips(&plan));
      }
    }
  }
}

static TrPlan random_plan(void) {
  TrPlan plan = {.order = (uint8_t)random_below(TR_ORDER_COUNT), .all_segments = random_below(2)};
  plan.index = (uint8_t)random_below(TR_INDEX_USES);
  plan.count = (int)random_below(TR_PLAN_TERMS + 1);
  for (int i = 0; i < plan.count; i++) {
    plan.term[i].column = (uint8_t)random_below(TR_COLUMN_OTHER);
    plan.term[i].op = (uint8_t)random_below(TR_OPS);
  }
  return plan;
}

static void plans_of_many_terms_round_trip(void) {
  for (int i = 0; i < 20000; i++) {
    TrPlan plan = random_plan();
    CHECK(round_trips(&plan));
  }
}

static void different_plans_have_different_texts(void) {
  char *seen[TR_COLUMN_OTHER * TR_OPS];
  int count = 0, repeated = 0;
  for (int column = 0; column < TR_COLUMN_OTHER; column++) {
    for (int op = 0; op < TR_OPS; op++) {
      TrPlan plan = {.count = 1, .term[0] = {.column = (uint8_t)column, .op = (uint8_t)op}};
      seen[count] = tr_plan_encode(&plan);
      for (int i = 0; i < count; i++) repeated += strcmp(seen[i], seen[count]) == 0;
      count++;
    }
  }
  CHECK(repeated == 0);
  for (int i = 0; i < count; i++) sqlite3_free(seen[i]);
}

static void the_words_are_those_of_sql(void) {
  TrPlan plan = {.count = 2, .order = TR_ORDER_ROWID_DESC};
  plan.term[0].column = TR_COLUMN_JOB_ID, plan.term[0].op = TR_IN;
  plan.term[1].column = TR_COLUMN_SUCCESS, plan.term[1].op = TR_ISNULL;
  char *text = tr_plan_encode(&plan);
  CHECK(text && strcmp(text, "job_id IN (?) AND success IS NULL ORDER BY rowid DESC") == 0);
  sqlite3_free(text);
  plan.index = TR_INDEX_FINDS;
  plan.order = TR_ORDER_ANY;
  text = tr_plan_encode(&plan);
  CHECK(text && strcmp(text, "INDEX: job_id IN (?) AND success IS NULL") == 0);
  sqlite3_free(text);
}

static const char *const unwritten[] = {
    "",
    " ",
    "job_id",
    "job_id ",
    "job_id =",
    "job_id = ? ",
    "job_id = ?  ORDER BY rowid",
    "job_id = ? AND",
    "job_id = ? AND ",
    "job_id = ? AND ORDER BY rowid",
    " job_id = ?",
    "JOB_ID = ?",
    "job_id = ?job_id = ?",
    "job_id IS NULL ?",
    "job_id == ?",
    "record = ?",
    "ORDER BY rowid ASC",
    "ORDER BY rowid DESC DESC",
    "ORDER BY job_id, rowid",
    "ORDER BY job_id = ?",
    "ORDER BY rowid AND job_id = ?",
    "ORDER BY rowid ",
    " ORDER BY rowid",
    "every line ",
    "INDEX: ",
    "INDEX: INDEX: every line",
    "COVERING INDEX: INDEX: every line",
    "INDEX: all segments: every line",
    "INDEX:every line",
    "every line ORDER BY rowid",
    "every lin",
    "DESC",
};

static void texts_that_are_never_written_are_refused(void) {
  TrPlan plan;
  for (size_t i = 0; i < sizeof unwritten / sizeof *unwritten; i++) {
    bool accepted = tr_plan_decode(unwritten[i], &plan);
    if (accepted) printf("# accepted: '%s'\n", unwritten[i]);
    CHECK(!accepted);
  }
  char text[TR_PLAN_TERMS * 20 + 40] = "rowid = ?"; /* one term too many */
  for (int i = 1; i < TR_PLAN_TERMS; i++) strcat(text, " AND rowid = ?");
  CHECK(tr_plan_decode(text, &plan) && plan.count == TR_PLAN_TERMS);
  strcat(text, " AND rowid = ?");
  CHECK(!tr_plan_decode(text, &plan));
}

static const char *const plan_words[] = {
    " AND ",     " ORDER BY rowid", " ORDER BY job_id", " DESC",   "INDEX: ", "COVERING ",
    "job_id",    "success",         "timestamp",        "time_us", "rowid",   " = ?",
    " IS ?",     " IN (?)",         " GLOB ?",          " <> ?",   " < ?",    " <= ?",
    " IS NOT ?", " IS NULL",        "every line",       " ",       "?",       "\xFF"};

/* A mutated text is refused, or writing the plan that was read from it gives the same text. */
static void mutated_texts_are_refused_or_round_trip(void) {
  unsigned char text[1200];
  unsigned long accepted = 0, wrong = 0;
  for (int i = 0; i < GARBAGE; i++) {
    TrPlan plan = random_plan(), read;
    char *original = tr_plan_encode(&plan);
    size_t length = strlen(original);
    memcpy(text, original, length);
    sqlite3_free(original);
    for (size_t changes = 1 + random_below(3); changes > 0; changes--) {
      length = random_mutation(text, length, sizeof text - 1, plan_words, sizeof plan_words / sizeof *plan_words);
    }
    text[length] = '\0';
    if (!tr_plan_decode((char *)text, &read)) continue;
    accepted++;
    char *again = tr_plan_encode(&read);
    if (strcmp(again, (char *)text) != 0 && wrong++ < 10) printf("# '%s' was read as '%s'\n", text, again);
    sqlite3_free(again);
  }
  CHECK(wrong == 0);
  CHECK(accepted > GARBAGE / 100 && accepted < GARBAGE / 2);
}

int main(void) {
  RUN(every_column_and_operator_round_trips_in_every_order);
  RUN(plans_of_many_terms_round_trip);
  RUN(different_plans_have_different_texts);
  RUN(the_words_are_those_of_sql);
  RUN(texts_that_are_never_written_are_refused);
  RUN(mutated_texts_are_refused_or_round_trip);
  return check_result();
}
