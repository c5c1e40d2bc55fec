/*
** side_effects.c - when nothing may act on files: PRAGMA query_only in all its states, and a read-only load. Tests that
** need only SQL are in bats/hostile_database.bats; these need a host: its authorizer, its progress handler, a statement
** that is prepared and not run.
*/
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "taskresults.h"

#include "allocator.h"

static char directory[64], csv[128];

static sqlite3 *open_connection(void) {
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK) abort();
  return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) abort();
  return statement;
}

/* Runs the export; nothing may be there unless it says that it went well. */
static int export_with(sqlite3_stmt *statement) {
  unlink(csv);
  sqlite3_bind_text(statement, 1, csv, -1, SQLITE_STATIC);
  int step = sqlite3_step(statement), code = sqlite3_reset(statement);
  CHECK((access(csv, F_OK) == 0) == (step == SQLITE_ROW && code == SQLITE_OK));
  return code;
}

static const char export_sql[] = "SELECT taskresults_export_csv(?, 'SELECT 1')";

static void the_pragma_is_read_at_each_call(void) {
  sqlite3 *db = open_connection();
  sqlite3_stmt *export = prepare(db, export_sql);
  CHECK(export_with(export) == SQLITE_OK);
  CHECK(sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL) == SQLITE_OK);
  CHECK(export_with(export) == SQLITE_READONLY);
  CHECK(sqlite3_exec(db, "PRAGMA query_only=0", NULL, NULL, NULL) == SQLITE_OK);
  CHECK(export_with(export) == SQLITE_OK);
  sqlite3_finalize(export);
  sqlite3_close(db);
}

/* SQLite sets the flag while it prepares the PRAGMA, so one that is never run counts, too. */
static void a_pragma_that_is_only_prepared_counts(void) {
  sqlite3 *db = open_connection();
  sqlite3_stmt *export = prepare(db, export_sql), *on = prepare(db, "PRAGMA query_only=1");
  CHECK(export_with(export) == SQLITE_READONLY);
  sqlite3_finalize(on);
  sqlite3_finalize(export);
  sqlite3_close(db);
}

static int answer_to_pragma(void *answer, int action, const char *a, const char *b, const char *c, const char *d) {
  (void)a, (void)b, (void)c, (void)d;
  return action == SQLITE_PRAGMA ? *(int *)answer : SQLITE_OK;
}

static void if_an_authorizer_forbids_or_ignores_the_pragma_nothing_may_act(void) {
  sqlite3 *db = open_connection();
  int answers[] = {SQLITE_DENY, SQLITE_IGNORE};
  for (int i = 0; i < 2; i++) {
    sqlite3_set_authorizer(db, answer_to_pragma, &answers[i]);
    sqlite3_stmt *export = prepare(db, export_sql);
    CHECK(export_with(export) == SQLITE_AUTH);
    CHECK(strstr(sqlite3_errmsg(db), "PRAGMA query_only") != NULL);
    sqlite3_finalize(export);
    CHECK(sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK); /* nor can be told what is loaded */
    CHECK(sqlite3_taskresults_readonly_init(db, NULL, NULL) != SQLITE_OK);
  }
  sqlite3_set_authorizer(db, NULL, NULL);
  sqlite3_close(db);
}

static int hide_modules(void *answer, int action, const char *pragma, const char *b, const char *c, const char *d) {
  (void)b, (void)c, (void)d;
  return action == SQLITE_PRAGMA && strcmp(pragma, "module_list") == 0 ? *(int *)answer : SQLITE_OK;
}

static void if_an_authorizer_hides_the_modules_the_functions_show_what_is_loaded(void) {
  int answers[] = {SQLITE_DENY, SQLITE_IGNORE};
  for (int i = 0; i < 2; i++) {
    sqlite3 *db = open_connection();
    sqlite3_set_authorizer(db, hide_modules, &answers[i]);
    CHECK(sqlite3_taskresults_init(db, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_taskresults_readonly_init(db, NULL, NULL) == SQLITE_ERROR);
    sqlite3_close(db);
  }
}

static int stop(void *unused) {
  (void)unused;
  return 1;
}

static void if_it_is_interrupted_nothing_may_act(void) {
  sqlite3 *db = open_connection();
  sqlite3_stmt *export = prepare(db, export_sql);
  sqlite3_progress_handler(db, 1, stop, NULL);
  CHECK(export_with(export) == SQLITE_INTERRUPT);
  sqlite3_progress_handler(db, 0, NULL, NULL);
  CHECK(export_with(export) == SQLITE_OK);
  sqlite3_finalize(export);
  sqlite3_close(db);
}

/* What was inserted before is written by COMMIT, as SQLite writes rows of its own. */
static void query_only_refuses_an_insert_and_not_a_commit(void) {
  sqlite3 *db = open_connection();
  setenv("SCHEDULER_RESULTS_DIR", directory, 1);
  CHECK(sqlite3_exec(db, "SELECT taskresults_writable(1)", NULL, NULL, NULL) == SQLITE_OK);
  CHECK(sqlite3_exec(db, "BEGIN; INSERT INTO task_results(job_id, success) VALUES ('j', 1)", NULL, NULL, NULL) == 0);
  CHECK(sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL) == SQLITE_OK);
  CHECK(sqlite3_exec(db, "INSERT INTO task_results(job_id, success) VALUES ('j', 0)", NULL, NULL, NULL) ==
        SQLITE_READONLY);
  CHECK(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
  sqlite3_stmt *count = prepare(db, "SELECT count(*) FROM task_results");
  CHECK(sqlite3_step(count) == SQLITE_ROW && sqlite3_column_int(count, 0) == 1);
  sqlite3_finalize(count);
  sqlite3_close(db);
}

static bool function_exists(sqlite3 *db, const char *call) {
  char sql[128];
  sqlite3_stmt *statement = NULL;
  snprintf(sql, sizeof sql, "SELECT %s", call);
  bool exists = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
  sqlite3_finalize(statement);
  return exists;
}

typedef int (*EntryPoint)(sqlite3 *, char **, const struct sqlite3_api_routines *);

static void the_first_load_of_a_connection_decides(void) {
  static const struct {
    EntryPoint first, second;
    bool is_refused, can_act;
  } pairs[] = {{sqlite3_taskresults_init, sqlite3_taskresults_init, false, true},
               {sqlite3_taskresults_init, sqlite3_modtaskresults_init, false, true},
               {sqlite3_taskresults_init, sqlite3_taskresults_readonly_init, true, true},
               {sqlite3_modtaskresults_init, sqlite3_taskresults_readonly_init, true, true},
               {sqlite3_taskresults_readonly_init, sqlite3_taskresults_readonly_init, false, false},
               {sqlite3_taskresults_readonly_init, sqlite3_taskresults_init, true, false},
               {sqlite3_taskresults_readonly_init, sqlite3_modtaskresults_init, true, false}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    sqlite3 *db;
    char *message = NULL;
    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    CHECK(pairs[i].first(db, NULL, NULL) == SQLITE_OK);
    CHECK((pairs[i].second(db, &message, NULL) == SQLITE_ERROR) == pairs[i].is_refused);
    CHECK((message != NULL && strstr(message, "use another connection")) == pairs[i].is_refused);
    CHECK(function_exists(db, "taskresults_writable()") == pairs[i].can_act);
    CHECK(function_exists(db, "taskresults_prune_all('keep', 1)") == pairs[i].can_act);
    sqlite3_free(message);
    sqlite3_close(db);
  }
}

/* The side effects that are allowed stay the same if the rest of the load fails. */
static void after_half_a_normal_load_no_read_only_load_succeeds(void) {
  int failed_loads = 0;
  has_failed = true;
  for (long n = 1; has_failed; n++) {
    sqlite3 *db;
    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    arm(n, false);
    failed_loads += sqlite3_taskresults_init(db, NULL, NULL) != SQLITE_OK;
    armed = false;
    if (sqlite3_taskresults_readonly_init(db, NULL, NULL) == SQLITE_OK) {
      CHECK(!function_exists(db, "taskresults_writable()"));
      CHECK(!function_exists(db, "taskresults_prune_all('keep', 1)"));
    }
    sqlite3_close(db);
  }
  CHECK(failed_loads > 20);
}

int main(void) {
  install_allocator();
  snprintf(directory, sizeof directory, "/tmp/taskresults-unit-XXXXXX");
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(csv, sizeof csv, "%s/out.csv", directory);
  RUN(the_pragma_is_read_at_each_call);
  RUN(a_pragma_that_is_only_prepared_counts);
  RUN(if_an_authorizer_forbids_or_ignores_the_pragma_nothing_may_act);
  RUN(if_an_authorizer_hides_the_modules_the_functions_show_what_is_loaded);
  RUN(if_it_is_interrupted_nothing_may_act);
  RUN(query_only_refuses_an_insert_and_not_a_commit);
  RUN(the_first_load_of_a_connection_decides);
  RUN(after_half_a_normal_load_no_read_only_load_succeeds);
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", directory);
  return system(command) != 0 || check_result();
}
