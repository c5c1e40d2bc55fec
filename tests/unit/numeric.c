/* numeric.c - which texts numeric affinity would turn into numbers: SQLite itself is asked. */
#include "tr.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "random.h"

#define TEXTS 200000

static sqlite3_stmt *question;

static bool sqlite_makes_a_number_of(const char *text) {
  sqlite3_bind_text(question, 1, text, -1, SQLITE_STATIC);
  if (sqlite3_step(question) != SQLITE_ROW) abort();
  bool number = strcmp((const char *)sqlite3_column_text(question, 0), "text") != 0;
  sqlite3_reset(question);
  return number;
}

static void agrees(const char *text) {
  bool ours = tr_looks_numeric(text, strlen(text)), theirs = sqlite_makes_a_number_of(text);
  if (ours != theirs) printf("# '%s': %d, and SQLite says %d\n", text, ours, theirs);
  CHECK(ours == theirs);
}

static void chosen_texts_look_numeric_where_they_are(void) {
  static const char *const texts[] = {"",      "0",   "1e5",   "1E5",  "1e+5",  "1e-5", "1E+5", "1e",    "1e+",
                                      "e5",    ".5",  "5.",    ".",    "+1",    "-1",   "--1",  "+-1",   " 1 ",
                                      "\t1\n", "\v1", "1 1",   "0x10", "1_0",   "Inf",  "NaN",  "1.2.3", "1e5.0",
                                      "1e5 x", "007", "9e999", "-.e1", "-5.e1", "١"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) agrees(texts[i]);
}

static void generated_texts_look_numeric_where_they_are(void) {
  static const char alphabet[] = "0019..eE+-  \tx";
  for (int i = 0; i < TEXTS && check_failures_in_test < 10; i++) {
    char text[9] = "";
    size_t length = random_below(sizeof text);
    for (size_t k = 0; k < length; k++) text[k] = alphabet[random_below(sizeof alphabet - 1)];
    agrees(text);
  }
}

int main(void) {
  sqlite3 *db;
  /* An INSERT applies the column's affinity, and RETURNING tells what it made. */
  if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
      sqlite3_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v NUMERIC)", NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO t VALUES (1, ?1) RETURNING typeof(v)", -1, &question, NULL) !=
          SQLITE_OK) {
    abort();
  }
  RUN(chosen_texts_look_numeric_where_they_are);
  RUN(generated_texts_look_numeric_where_they_are);
  sqlite3_finalize(question);
  sqlite3_close(db);
  return check_result();
}
