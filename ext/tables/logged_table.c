/*
** logged_table.c - tables of results that also read the jobs' logs, and some of them jobs.json: task_runs, task_stats
** and task_slots, as virtual tables with arguments.
*/
#include "tables.h"

static int parse_logged_argument(TrLoggedTable *table, bool has_jobs, const char *name, const char *argument,
                                 char **message) {
  enum { FILE_PATH, RESULTS, LOGS, MAX_LINE, SEGMENTS, MAP };
  static const char *const with_jobs[] = {"file='PATH'",       "results='PATH'", "logs='PATH'", "max_line=BYTES",
                                          "segments=live|all", "map='MAPPING'",  NULL};
  static const char *const without[] = {"dir='PATH'",        "logs='PATH'",   "max_line=BYTES",
                                        "segments=live|all", "map='MAPPING'", NULL};
  int which;
  char *value;
  int code = tr_argument_parse(table->table.connection, name, argument, has_jobs ? with_jobs : without, &which, &value,
                               message);
  if (code != SQLITE_OK || value == NULL) return code;
  if (!has_jobs) which += RESULTS;
  if (which == FILE_PATH) {
    sqlite3_free(table->jobs_file);
    table->jobs_file = value;
    return SQLITE_OK;
  }
  TrSettings *settings = which == LOGS ? &table->logs : &table->table.settings;
  TrSetting setting = which == MAX_LINE   ? TR_SETTING_MAX_LINE
                      : which == SEGMENTS ? TR_SETTING_SEGMENTS
                      : which == MAP      ? TR_SETTING_MAP
                                          : TR_SETTING_DIR;
  code = tr_settings_set(settings, table->table.connection, setting, value, message);
  table->logs.max_line = table->table.settings.max_line;
  return code;
}

static int free_logged_table(TrLoggedTable *table) {
  tr_settings_free(&table->logs);
  sqlite3_free(table->jobs_file);
  return tr_table_disconnect(&table->table.base);
}

int tr_logged_table_disconnect(sqlite3_vtab *vtab) {
  return free_logged_table((TrLoggedTable *)vtab);
}

int tr_logged_table_connect(sqlite3 *db, TrConnection *connection, const char *schema, bool has_jobs, int argc,
                            const char *const *argv, sqlite3_vtab **vtab, char **message) {
  TrLoggedTable *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (TrLoggedTable){.table = {.connection = connection,
                                     .poll.db = db,
                                     .settings = {.store = &tr_results_store, .has_segments = true}},
                           .logs.store = &tr_logs_store};
  connection->references++;
  int code = SQLITE_OK;
  for (int i = 3; i < argc && code == SQLITE_OK; i++)
    code = parse_logged_argument(table, has_jobs, argv[0], argv[i], message);
  if (code == SQLITE_OK) code = tr_table_declare(db, schema, argc, message);
  if (code == SQLITE_OK) {
    *vtab = &table->table.base;
  } else {
    free_logged_table(table);
  }
  return code;
}
