/* pending.c - the rows of a transaction, against a model that copies everything at every savepoint. */
#include "tr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "random.h"

#define JOBS 3
#define DEPTH 6
#define ROWS 64

static char directory[] = "/tmp/taskresults-pending-XXXXXX";

typedef struct Model {
  int count;
  struct {
    int job, number;
  } row[ROWS];
} Model;

static TrBytes bytes(const char *text) {
  return (TrBytes){text, strlen(text)};
}

static int add(TrPending *pending, int job, int number) {
  char id[2] = {(char)('a' + job), '\0'}, name[16], output[16];
  snprintf(name, sizeof name, "%s.jsonl", id);
  snprintf(output, sizeof output, "<%d>", number);
  TrRow row = {.timestamp = bytes("t"),
               .job_id = bytes(id),
               .job_name = bytes(id),
               .output = bytes(output),
               .error = bytes(number % 2 ? "a longer text, so that lines differ in length" : "")};
  return tr_pending_add(pending, name, &row, NULL);
}

/* Does the batch of `job` have exactly the model's rows, in order? */
static bool holds(const TrPending *pending, const Model *model, int job) {
  char name[] = {(char)('a' + job), '.', 'j', 's', 'o', 'n', 'l', '\0'};
  uint32_t index;
  bool known = tr_names_find(pending->jobs, name, strlen(name), &index);
  const TrBatch *batch = known ? &pending->batch[index] : NULL;
  size_t at = 1;
  unsigned count = 0;
  for (int i = 0; i < model->count; i++) {
    if (model->row[i].job != job) continue;
    char expected[16];
    snprintf(expected, sizeof expected, "<%d>", model->row[i].number);
    const char *end = batch && at < batch->length ? memchr(batch->bytes + at, '\n', batch->length - at) : NULL;
    if (end == NULL) return false;
    if (memmem(batch->bytes + at, (size_t)(end - batch->bytes) - at, expected, strlen(expected)) == NULL) return false;
    at = (size_t)(end - batch->bytes) + 1;
    count++;
  }
  if (batch == NULL || batch->length == 0) return count == 0;
  return batch->bytes[0] == '\n' && at == batch->length && count == batch->record_count;
}

static bool holds_all(const TrPending *pending, const Model *model) {
  if (pending->row_count != (size_t)model->count) return false;
  for (int job = 0; job < JOBS; job++) {
    if (!holds(pending, model, job)) return false;
  }
  return true;
}

static void begin(TrPending *pending) {
  tr_pending_begin(pending);
  pending->max_line = 1000;
  CHECK(tr_pending_open_dir(pending, directory, NULL) == SQLITE_OK);
}

/* The rows of a transaction now, and at each of its open savepoints. */
typedef struct Transaction {
  Model now, saved[DEPTH];
  int open, number;
} Transaction;

static void random_statement(TrPending *pending, Transaction *model) {
  Model *now = &model->now;
  int target = model->open ? (int)random_below((size_t)model->open) : -1;
  switch (random_below(6)) {
  case 0:
    if (model->open == DEPTH) break;
    model->saved[model->open] = *now;
    CHECK(tr_pending_savepoint(pending, model->open++) == SQLITE_OK);
    break;
  case 1:
    tr_pending_rollback_to(pending, target);
    *now = target < 0 ? (Model){0} : model->saved[target];
    model->open = target + 1;
    break;
  case 2:
    if (target < 0) break;
    tr_pending_release(pending, target);
    model->open = target;
    break;
  case 3:
    if (random_below(10)) break;
    tr_pending_written(pending); /* a COMMIT that came back with SQLITE_BUSY */
    *now = (Model){0};
    for (int i = 0; i < model->open; i++) model->saved[i] = *now;
    CHECK(tr_pending_open_dir(pending, directory, NULL) == SQLITE_OK);
    break;
  default:
    now->row[now->count].job = (int)random_below(JOBS);
    now->row[now->count].number = ++model->number;
    CHECK(add(pending, now->row[now->count].job, model->number) == SQLITE_OK);
    now->count++;
    break;
  }
}

/* One transaction of random statements. SQLite begins with telling of the innermost savepoint, if there is one. */
static void random_transaction(void) {
  TrPending pending = {0};
  Transaction model = {.open = (int)random_below(DEPTH / 2)};
  begin(&pending);
  if (model.open) CHECK(tr_pending_savepoint(&pending, model.open - 1) == SQLITE_OK);
  for (int step = 0; step < 40; step++) {
    random_statement(&pending, &model);
    CHECK(holds_all(&pending, &model.now));
  }
  tr_pending_end(&pending);
  CHECK(pending.row_count == 0 && !pending.open && pending.mark == NULL);
}

static void savepoints_remove_the_rows_that_the_model_removes(void) {
  for (int round = 0; round < 5000; round++) random_transaction();
}

static void going_back_to_the_beginning_needs_no_savepoint(void) {
  TrPending pending = {0};
  begin(&pending);
  CHECK(add(&pending, 0, 1) == SQLITE_OK && pending.row_count == 1);
  tr_pending_rollback_to(&pending, -1);
  CHECK(pending.row_count == 0 && pending.open);
  CHECK(add(&pending, 0, 2) == SQLITE_OK && pending.row_count == 1);
  tr_pending_end(&pending);
}

static void savepoints_do_not_remove_written_rows(void) {
  TrPending pending = {0};
  begin(&pending);
  CHECK(add(&pending, 0, 1) == SQLITE_OK && add(&pending, 0, 2) == SQLITE_OK);
  CHECK(tr_pending_savepoint(&pending, 0) == SQLITE_OK);
  tr_pending_written(&pending);
  CHECK(pending.row_count == 0);
  CHECK(tr_pending_open_dir(&pending, directory, NULL) == SQLITE_OK);
  CHECK(add(&pending, 0, 3) == SQLITE_OK);
  tr_pending_rollback_to(&pending, 0); /* set when there were two rows; it must not keep the third */
  CHECK(pending.row_count == 0 && pending.batch[0].record_count == 0);
  tr_pending_end(&pending);
}

/* SQLite numbers savepoints from 0; a number that does not exist must do no harm, either. */
static void an_unknown_savepoint_changes_nothing(void) {
  TrPending pending = {0};
  begin(&pending);
  CHECK(tr_pending_savepoint(&pending, 0) == SQLITE_OK && add(&pending, 0, 1) == SQLITE_OK);
  CHECK(tr_pending_savepoint(&pending, -1) == SQLITE_OK);
  CHECK(tr_pending_open_dir(&pending, "/no/such", NULL) == SQLITE_OK && strcmp(pending.path, directory) == 0);
  tr_pending_release(&pending, -1);
  tr_pending_release(&pending, 5);
  tr_pending_rollback_to(&pending, 5);
  CHECK(pending.mark_count == 1 && pending.row_count == 1);
  tr_pending_rollback_to(&pending, 0);
  CHECK(pending.mark_count == 1 && pending.row_count == 0);
  tr_pending_end(&pending);
}

static void a_record_longer_than_the_longest_line_is_refused(void) {
  TrPending pending = {0};
  char *message = NULL;
  begin(&pending);
  TrRow row = {.timestamp = bytes("t"), .job_id = bytes("a"), .job_name = bytes("a"), .error = bytes("")};
  static const char dashes[] = "----------------------------------------------------------------------";
  row.output = bytes(dashes);
  CHECK(tr_pending_add(&pending, "a.jsonl", &row, NULL) == SQLITE_OK);
  size_t length = pending.row[0].length - 1;
  pending.max_line = length - 1;
  CHECK(tr_pending_add(&pending, "a.jsonl", &row, &message) == SQLITE_TOOBIG && pending.row_count == 1);
  CHECK(message && strstr(message, "job 'a': the record would be longer") != NULL);
  pending.max_line = strlen(dashes); /* its texts alone are too long: refused before the job is looked up */
  CHECK(tr_pending_add(&pending, "b.jsonl", &row, NULL) == SQLITE_TOOBIG && pending.batch_count == 1);
  pending.max_line = length;
  CHECK(tr_pending_add(&pending, "a.jsonl", &row, NULL) == SQLITE_OK && pending.row_count == 2);
  CHECK(pending.batch[0].length == 1 + 2 * (length + 1));
  sqlite3_free(message);
  tr_pending_end(&pending);
}

int main(void) {
  if (mkdtemp(directory) == NULL) return 1;
  RUN(savepoints_remove_the_rows_that_the_model_removes);
  RUN(going_back_to_the_beginning_needs_no_savepoint);
  RUN(savepoints_do_not_remove_written_rows);
  RUN(an_unknown_savepoint_changes_nothing);
  RUN(a_record_longer_than_the_longest_line_is_refused);
  rmdir(directory);
  return check_result();
}
