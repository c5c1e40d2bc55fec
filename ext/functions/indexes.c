/*
** functions/indexes.c - taskresults_index(): the indexes of a directory of results, for people.
**
**   SELECT taskresults_index('status');
**   SELECT value->>'$.job_id' FROM json_each(taskresults_index('verify'), '$.jobs') WHERE value->>'$.changed' <> '[]';
**
**   status    how the index of each job's file stands
**   verify    the same, and reads all bytes that an index knows: are they still those that were read?
**   rebuild   removes all indexes of the directory, and makes those of its jobs anew
**   drop      removes all of them
**
** Where the indexes are, TASKRESULTS_INDEX says. After the action come names and values in pairs; the only one is
** `dir`, the results directory, without which it is the one that task_results reads.
**
** Returns JSON: {"path": of the indexes of this directory, or null if none is used; "why": the reason, or null if it
** is off; "files", "bytes", "left": the indexes there are, or, after drop, were, and how many could not be removed;
** "other_files", "other_bytes": the same of other versions; "jobs": an array, in the order of their names, of
** {"job_id", "state": "believed" | "needless" | "missing" | "outdated" | "unusable" | "unreadable", "bytes", "known":
** bytes of the job's file that the index knows, "index_bytes", "records", "known_us": when, "changed": an array of
** {"from", "to"}}}.
**
** SQLITE_DIRECTONLY. rebuild and drop change files, and are refused under PRAGMA query_only.
*/
#include "functions.h"

#include <string.h>

typedef enum IndexAction { INDEX_STATUS, INDEX_VERIFY, INDEX_REBUILD, INDEX_DROP, INDEX_ACTIONS } IndexAction;

typedef struct IndexCall {
  IndexAction action;
  TrSettings settings; /* owned */
  size_t max_line;
  TrPoll poll;        /* owned */
  TrDir dir;          /* owned */
  TrIndexPlace place; /* owned */
  TrNameList files;   /* owned */
  TrLines lines;      /* owned */
  TrIndexTotals own, others;
  size_t told; /* jobs in the result */
} IndexCall;

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static int take_index_action(IndexCall *call, sqlite3_value *value, char **message) {
  static const char *const names[INDEX_ACTIONS] = {"status", "verify", "rebuild", "drop"};
  const char *text = tr_option_text(value);
  for (int i = 0; i < INDEX_ACTIONS; i++) {
    if (text && strcmp(text, names[i]) == 0) {
      call->action = (IndexAction)i;
      return SQLITE_OK;
    }
  }
  return tr_error(message, SQLITE_ERROR, "taskresults_index: the first argument is status, verify, rebuild or drop");
}

static int take_index_dir(IndexCall *call, int argc, sqlite3_value **argv, char **message) {
  if (argc == 1) return SQLITE_OK;
  const char *name = argc == 3 ? tr_option_text(argv[1]) : NULL, *path = name ? tr_option_text(argv[2]) : NULL;
  if (path == NULL || *path == '\0' || strcmp(name, "dir") != 0) {
    return tr_error(message, SQLITE_ERROR, "taskresults_index: the only option is 'dir', PATH");
  }
  call->settings.dir = sqlite3_mprintf("%s", path);
  return call->settings.dir ? SQLITE_OK : SQLITE_NOMEM;
}

static int list_job_file(void *context, const char *name) {
  IndexCall *call = context;
  size_t length = strlen(name);
  return tr_name_is_job_file(name, length) ? tr_name_list_add(&call->files, name, length) : SQLITE_OK;
}

static int open_index_call(IndexCall *call, int argc, sqlite3_value **argv, char **message) {
  int code = take_index_action(call, argv[0], message);
  if (code == SQLITE_OK) code = take_index_dir(call, argc, argv, message);
  if (code == SQLITE_OK)
    code = tr_settings_check_unmapped(&call->settings, "taskresults_index", "is no index", message);
  if (code == SQLITE_OK) code = tr_settings_max_line(&call->settings, &call->max_line, message);
  const char *path = tr_settings_dir(&call->settings);
  if (code == SQLITE_OK) code = tr_dir_check_single(&tr_results_store, path, message);
  if (code == SQLITE_OK) code = tr_dir_open(&call->dir, &tr_results_store, path, message);
  if (code == SQLITE_OK) code = tr_dir_list(&call->dir, &call->poll, list_job_file, call, message);
  if (code == SQLITE_OK) tr_name_list_sort(&call->files);
  return code;
}

static int open_index_place(IndexCall *call, char **message) {
  tr_index_place_close(&call->place);
  int code = tr_index_place_open(&call->place, tr_index_setting(), &call->dir, call->max_line, NULL, message);
  call->place.samples_none = true;
  return code;
}

static void close_index_call(IndexCall *call) {
  tr_index_place_close(&call->place);
  tr_lines_close(&call->lines);
  tr_name_list_free(&call->files);
  tr_dir_close(&call->dir);
  tr_poll_close(&call->poll);
  tr_settings_free(&call->settings);
}

/* --- one job ------------------------------------------------------------------------------------------------------ */

/* A file that shrinks meanwhile, or cannot be read, has no index: its questions tell. */
static int read_for_index(IndexCall *call, const TrFile *file, TrIndex *index) {
  TrParser parser;
  TrParsed parsed;
  tr_parser_init(&parser);
  int code = tr_lines_open(&call->lines, file->fd, index->end, (int64_t)file->stat.st_size, call->max_line, false,
                           &call->poll);
  while (code == SQLITE_OK && index->takes_lines) {
    int step = tr_parse_next(&parser, &call->lines, &parsed);
    if (step != SQLITE_ROW) return step == SQLITE_INTERRUPT || step == SQLITE_NOMEM ? step : SQLITE_OK;
    code = tr_index_add(index, &parsed, 1);
  }
  return code;
}

static int rebuild_index(IndexCall *call, const char *name, const TrFile *file) {
  TrIndex index;
  int code = tr_index_load(&call->place, name, file, &call->poll, &index);
  if (code == SQLITE_OK) code = read_for_index(call, file, &index);
  if (code == SQLITE_OK) tr_index_save(&call->place, name, &index);
  tr_index_free(&index);
  return code;
}

static int append_changes(IndexCall *call, const TrIndex *index, sqlite3_str *out) {
  TrRange changed;
  size_t block = 0;
  const char *comma = "";
  int code = SQLITE_OK;
  sqlite3_str_appendall(out, ",\"changed\":[");
  while ((code = tr_index_find_change(index, &block, &call->poll, &changed)) == SQLITE_OK && changed.from >= 0) {
    sqlite3_str_appendf(out, "%s{\"from\":%lld,\"to\":%lld}", comma, (long long)changed.from, (long long)changed.to);
    comma = ",";
  }
  sqlite3_str_appendchar(out, 1, ']');
  return code;
}

static int append_survey(IndexCall *call, const char *name, const TrFile *file, sqlite3_str *out) {
  static const char *const word[] = {[TR_INDEX_BELIEVED] = "believed",
                                     [TR_INDEX_NEEDLESS] = "needless",
                                     [TR_INDEX_MISSING] = "missing",
                                     [TR_INDEX_OUTDATED] = "outdated",
                                     [TR_INDEX_UNUSABLE] = "unusable"};
  TrIndex index;
  TrIndexSurvey survey;
  int code = tr_index_survey(&call->place, name, file, &call->poll, &survey, &index);
  if (code != SQLITE_OK) return code;
  sqlite3_str_appendf(out,
                      ",\"state\":\"%s\",\"bytes\":%lld,\"known\":%lld,\"index_bytes\":%lld,\"records\":%lld,"
                      "\"known_us\":%lld",
                      word[survey.standing], (long long)survey.bytes, (long long)survey.end,
                      (long long)survey.index_bytes, (long long)survey.records, (long long)survey.known_us);
  if (call->action == INDEX_VERIFY) code = append_changes(call, &index, out);
  tr_index_free(&index);
  return code;
}

static int append_indexed_job(IndexCall *call, const char *name, sqlite3_str *out) {
  TrFile file = {.fd = -1};
  TrEntry entry;
  int code = tr_dir_open_file(&call->dir, name, &call->poll, &file, &entry);
  if (code != SQLITE_OK || entry == TR_ENTRY_VANISHED || entry == TR_ENTRY_IRREGULAR) return code;
  sqlite3_str_appendf(out, "%s{\"job_id\":", call->told++ ? "," : "");
  tr_json_append_string(out, name, strlen(name) - TR_SUFFIX_LEN);
  if (entry == TR_ENTRY_UNREADABLE) {
    sqlite3_str_appendall(out, ",\"state\":\"unreadable\"");
  } else {
    if (call->action == INDEX_REBUILD) code = rebuild_index(call, name, &file);
    if (code == SQLITE_OK) code = append_survey(call, name, &file, out);
    tr_file_close(&file);
  }
  sqlite3_str_appendchar(out, 1, '}');
  return code;
}

/* --- the function ------------------------------------------------------------------------------------------------- */

static int act_on_indexes(IndexCall *call, sqlite3_str *out, char **message) {
  bool drops = call->action == INDEX_REBUILD || call->action == INDEX_DROP;
  int code = open_index_place(call, message);
  if (code == SQLITE_OK) code = tr_index_count_all(&call->place, drops, &call->own, &call->others);
  if (code == SQLITE_OK && drops) code = open_index_place(call, message);
  if (code != SQLITE_OK) return code;
  sqlite3_str_appendall(out, "{\"jobs\":[");
  size_t jobs = call->action == INDEX_DROP ? 0 : call->files.count;
  for (size_t i = 0; i < jobs && code == SQLITE_OK; i++) code = append_indexed_job(call, call->files.name[i], out);
  if (code == SQLITE_OK && call->action == INDEX_REBUILD) {
    code = tr_index_count_all(&call->place, false, &call->own, &call->others);
  }
  const TrIndexPlace *place = &call->place;
  sqlite3_str_appendchar(out, 1, ']');
  tr_json_append_text(out, "path", tr_index_is_on(place) ? place->path : NULL);
  tr_json_append_text(out, "why", place->why[0] ? place->why : NULL);
  sqlite3_str_appendf(out, ",\"files\":%lld,\"bytes\":%lld,\"left\":%lld,\"other_files\":%lld,\"other_bytes\":%lld}",
                      (long long)call->own.files, (long long)call->own.bytes,
                      (long long)(call->own.left + call->others.left), (long long)call->others.files,
                      (long long)call->others.bytes);
  return code;
}

/* taskresults_index(action, 'dir', PATH) -> TEXT */
static void index_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  TrConnection *connection = sqlite3_user_data(context);
  IndexCall call = {
      .settings.store = &tr_results_store, .poll.db = connection->db, .dir.fd = -1, .place.fd = -1, .lines.fd = -1};
  char *message = NULL;
  if (argc == 0 || !tr_side_effects_is_run(context)) {
    if (argc == 0) sqlite3_result_error(context, "taskresults_index: which action?", -1);
    return;
  }
  int code = open_index_call(&call, argc, argv, &message);
  bool acts = call.action == INDEX_REBUILD || call.action == INDEX_DROP;
  if (code == SQLITE_OK && acts && !tr_side_effects_are_allowed(context)) {
    close_index_call(&call);
    return;
  }
  sqlite3_str *out = sqlite3_str_new(connection->db);
  if (code == SQLITE_OK) code = act_on_indexes(&call, out, &message);
  close_index_call(&call);
  tr_result_finish(context, code, out, message);
}

int tr_indexes_register(TrConnection *connection) {
  return tr_side_effects_register(connection, "taskresults_index", -1, index_function);
}
