/*
** functions/policy.c - taskresults_policy(path, job_id): the rule that a policy file has for a job.
**
**   SELECT taskresults_policy('/etc/taskresults/policy.json', 'nightly-backup');
**   -- {"number":1,"rule":{"jobs":"nightly-*","keep":1000,"since":"90d"}}
**
** The result is JSON: which rule of the file it is, counted from 1, and the rule itself; NULL if none is for the job.
** With a constant path the file is read once for each run of a statement. The path may name any file, so it is
** SQLITE_DIRECTONLY.
*/
#include "functions.h"

static void free_policy(void *policy) {
  tr_policy_free(policy);
  sqlite3_free(policy);
}

/* Kept by SQLite for the next rows if the path is constant. */
static int open_policy(sqlite3_context *context, const char *path, TrPolicy **policy, char **message) {
  static const TrPruneOptions none = {0};
  TrPoll poll = {.db = sqlite3_context_db_handle(context)};
  *policy = sqlite3_malloc64(sizeof **policy);
  if (*policy == NULL) return SQLITE_NOMEM;
  int code = tr_policy_load(*policy, path, &none, &poll, message);
  tr_poll_close(&poll);
  if (code == SQLITE_OK) return SQLITE_OK;
  sqlite3_free(*policy);
  *policy = NULL;
  return code;
}

static void give_rule(sqlite3_context *context, const TrPolicy *policy, const char *job_id) {
  const TrPolicyRule *rule = tr_policy_find(policy, job_id);
  if (rule == NULL) return;
  sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
  sqlite3_str_appendf(out, "{\"number\":%d,\"rule\":", (int)(rule - policy->rule) + 1);
  int code = tr_json_append_source(out, rule->source);
  sqlite3_str_appendchar(out, 1, '}');
  if (code == SQLITE_OK) code = sqlite3_str_errcode(out);
  int length = sqlite3_str_length(out);
  char *text = sqlite3_str_finish(out);
  if (code == SQLITE_OK) {
    sqlite3_result_text(context, text, length, sqlite3_free);
    return;
  }
  sqlite3_free(text);
  sqlite3_result_error_code(context, code);
}

/* taskresults_policy(TEXT, TEXT) -> TEXT; NULL for a job_id that is NULL. */
static void policy_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  const char *path = (const char *)sqlite3_value_text(argv[0]);
  const char *job_id = (const char *)sqlite3_value_text(argv[1]);
  if (path == NULL || job_id == NULL) return;
  TrPolicy *policy = sqlite3_get_auxdata(context, 0), *opened = NULL;
  if (policy == NULL && !tr_side_effects_is_run(context)) return;
  char *message = NULL;
  int code = policy ? SQLITE_OK : open_policy(context, path, &opened, &message);
  if (opened) policy = opened;
  if (code == SQLITE_OK) {
    give_rule(context, policy, job_id);
  } else {
    if (message) sqlite3_result_error(context, message, -1);
    sqlite3_result_error_code(context, code);
  }
  sqlite3_free(message);
  if (opened) sqlite3_set_auxdata(context, 0, opened, free_policy);
}

int tr_policy_register(TrConnection *connection) {
  return tr_side_effects_register(connection, "taskresults_policy", 2, policy_function);
}
