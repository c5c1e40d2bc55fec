/*
** policy.c - a policy file -> the rules of each job.
**
**   {"rules": [
**     {"jobs": "backup-*", "keep": 1000, "since": "90d", "keep_failures": 50, "target": 99.9},
**     {"jobs": ["price-watch", "mail-?"], "max_bytes": 10000000, "archive": true},
**     {"jobs": "audit-*"},
**     {"jobs": "*", "since": "1y"}]}
**
** The first rule whose `jobs` matches the id counts for a job, and no other. `jobs` are patterns as of SQLite's GLOB.
** The other keys mean what the options of taskresults_prune() with these names mean. A rule without any of them keeps
** everything, and so does a job without a rule. `target` is for `taskresults sla` alone, in percent.
**
** Whoever wrote the file meant each word of it: an unknown key, a key that is given twice, or a value of another kind
** is an error, and nothing is pruned.
*/
#include "prune.h"

#include <fcntl.h>
#include <string.h>

#define POLICY_PATIENCE_MS 1000 /* while somebody rewrites the file, as for jobs.json */

/* The rule that is read. */
typedef struct Reading {
  const char *path;
  int64_t now_us;
  size_t number; /* of the rule, from 1; 0: outside of all */
} Reading;

static int policy_error(const Reading *reading, char **message, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *cause = sqlite3_vmprintf(format, arguments);
  va_end(arguments);
  if (cause == NULL) return SQLITE_NOMEM;
  int code = reading->number
                 ? tr_error(message, SQLITE_ERROR, "policy %s: rule %d: %s", reading->path, (int)reading->number, cause)
                 : tr_error(message, SQLITE_ERROR, "policy %s: %s", reading->path, cause);
  sqlite3_free(cause);
  return code;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static int read_number(const Reading *reading, const TrJson *value, int64_t *number, char **message) {
  if (tr_json_integer(value, number) && *number >= 0) return SQLITE_OK;
  return policy_error(reading, message, "'%s' has to be a whole number, 0 or more", tr_json_key(value));
}

static int read_flag(const Reading *reading, const TrJson *value, bool *flag, char **message) {
  *flag = tr_json_is_truthy(value);
  if (tr_json_is_bool(value)) return SQLITE_OK;
  return policy_error(reading, message, "'%s' has to be true or false", tr_json_key(value));
}

static int read_since(const Reading *reading, const TrJson *value, int64_t *since_us, char **message) {
  const char *text = tr_json_text(value);
  TrTimePoint point;
  if (text && tr_time_parse(text, strlen(text), reading->now_us, NULL, &point)) {
    *since_us = point.first_us;
    return SQLITE_OK;
  }
  return policy_error(reading, message, "'since' has to be a text with a time: " TR_TIME_FORMS);
}

/* A pattern that can match nothing would leave its jobs to a later rule, which may keep less. */
static bool can_match(const char *pattern) {
  for (const char *p = pattern; (p = strchr(p, '[')) != NULL; p++) {
    p += p[1] == '^' ? 2 : 1;
    if (*p == '\0' || (p = strchr(p + 1, ']')) == NULL) return false; /* the first one in the brackets is a member */
  }
  return *pattern != '\0';
}

static int check_pattern(const Reading *reading, const TrJson *value, char **message) {
  const char *pattern = tr_json_text(value);
  if (pattern == NULL) return policy_error(reading, message, "'jobs' has to be a text, or an array of texts");
  if (can_match(pattern)) return SQLITE_OK;
  return policy_error(reading, message, "no job can match the pattern '%s': it is empty, or lacks a ']'", pattern);
}

static int check_patterns(const Reading *reading, const TrJson *value, char **message) {
  if (!tr_json_is_array(value)) return check_pattern(reading, value, message);
  const TrJson *one = tr_json_first(value);
  int code = one ? SQLITE_OK : policy_error(reading, message, "'jobs' is an empty array");
  for (; one && code == SQLITE_OK; one = tr_json_next(one)) code = check_pattern(reading, one, message);
  return code;
}

static int check_target(const Reading *reading, const TrJson *value, char **message) {
  double target = 0;
  if (tr_json_number(value, &target) && target > 0 && target <= 100) return SQLITE_OK;
  return policy_error(reading, message, "'target' has to be a percentage: a number over 0 and up to 100");
}

static int read_value(const Reading *reading, const TrJson *value, TrPolicyRule *rule, char **message) {
  const char *key = tr_json_key(value);
  TrPruneOptions *options = &rule->options;
  if (strcmp(key, "jobs") == 0) {
    rule->jobs = value;
    return check_patterns(reading, value, message);
  }
  if (strcmp(key, "target") == 0) return check_target(reading, value, message);
  if (strcmp(key, "keep_failures") == 0) return read_number(reading, value, &options->keep_failures, message);
  if (strcmp(key, "keep") == 0) {
    options->by_count = true;
    return read_number(reading, value, &options->keep, message);
  }
  if (strcmp(key, "max_bytes") == 0) {
    options->by_size = true;
    return read_number(reading, value, &options->max_bytes, message);
  }
  if (strcmp(key, "since") == 0) {
    options->by_time = true;
    return read_since(reading, value, &options->since_us, message);
  }
  if (strcmp(key, "archive") == 0) return read_flag(reading, value, &options->archive, message);
  return policy_error(reading, message,
                      "unknown key '%s'; the keys are jobs, keep, since, keep_failures, max_bytes, archive and target",
                      key);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static int check_rule(const Reading *reading, TrPolicyRule *rule, char **message) {
  const TrPruneOptions *options = &rule->options;
  bool is_by_record = options->by_count || options->by_time;
  if (rule->jobs == NULL) return policy_error(reading, message, "it has no 'jobs'");
  rule->options.keeps_all = !is_by_record && !options->by_size;
  const char *mistake = tr_rules_contradiction(options);
  if (mistake) return policy_error(reading, message, "%s", mistake);
  return SQLITE_OK;
}

static int read_policy_rule(const Reading *reading, const TrJson *object, TrPolicyRule *rule, char **message) {
  if (!tr_json_is_object(object)) return policy_error(reading, message, "it has to be an object");
  for (const TrJson *value = tr_json_first(object); value; value = tr_json_next(value)) {
    if (tr_json_member(object, tr_json_key(value)) != value) {
      return policy_error(reading, message, "'%s' is given twice", tr_json_key(value));
    }
    int code = read_value(reading, value, rule, message);
    if (code != SQLITE_OK) return code;
  }
  return check_rule(reading, rule, message);
}

static int read_rules(TrPolicy *policy, Reading *reading, const TrPruneOptions *common, char **message) {
  const TrJson *rules = tr_json_member(policy->root, "rules");
  size_t room = 0;
  if (!tr_json_is_array(rules) || tr_json_next(tr_json_first(policy->root))) {
    return policy_error(reading, message, "it has to be {\"rules\": [...]}, and nothing else");
  }
  for (const TrJson *object = tr_json_first(rules); object; object = tr_json_next(object)) room++;
  policy->rule = sqlite3_malloc64(room * sizeof *policy->rule + 1);
  if (policy->rule == NULL) return SQLITE_NOMEM;
  int code = SQLITE_OK;
  for (const TrJson *object = tr_json_first(rules); object && code == SQLITE_OK; object = tr_json_next(object)) {
    TrPolicyRule *rule = &policy->rule[policy->count++];
    *rule = (TrPolicyRule){.options = *common, .source = object};
    reading->number = policy->count;
    code = read_policy_rule(reading, object, rule, message);
  }
  return code;
}

int tr_policy_read(TrPolicy *policy, TrJson *root, const char *path, const TrPruneOptions *common, char **message) {
  Reading reading = {.path = path, .now_us = tr_clock_us()};
  *policy = (TrPolicy){.root = root};
  int code = read_rules(policy, &reading, common, message);
  if (code != SQLITE_OK) tr_policy_free(policy);
  return code;
}

int tr_policy_load(TrPolicy *policy, const char *path, const TrPruneOptions *common, TrPoll *poll, char **message) {
  TrJson *root;
  char *cause = NULL;
  *policy = (TrPolicy){0};
  int code = tr_json_load(AT_FDCWD, path, 0, POLICY_PATIENCE_MS, poll, &root, &cause);
  if (code == SQLITE_OK) return tr_policy_read(policy, root, path, common, message);
  if (cause) {
    code = code == SQLITE_CORRUPT ? SQLITE_ERROR : code == SQLITE_NOTFOUND ? SQLITE_CANTOPEN : code;
    tr_error(message, code, "policy %s: %s", path, cause);
  }
  sqlite3_free(cause);
  return code;
}

void tr_policy_free(TrPolicy *policy) {
  tr_json_free(policy->root);
  sqlite3_free(policy->rule);
  *policy = (TrPolicy){0};
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static bool matches(const TrPolicyRule *rule, const char *job_id) {
  if (!tr_json_is_array(rule->jobs)) return sqlite3_strglob(tr_json_text(rule->jobs), job_id) == 0;
  for (const TrJson *one = tr_json_first(rule->jobs); one; one = tr_json_next(one)) {
    if (sqlite3_strglob(tr_json_text(one), job_id) == 0) return true;
  }
  return false;
}

const TrPolicyRule *tr_policy_find(const TrPolicy *policy, const char *job_id) {
  for (size_t i = 0; i < policy->count; i++) {
    if (matches(&policy->rule[i], job_id)) return &policy->rule[i];
  }
  return NULL;
}

const TrPolicyRule *tr_policy_mistake(const TrPolicy *policy, int64_t now_us) {
  for (size_t i = 0; i < policy->count; i++) {
    if (tr_rules_are_a_mistake(&policy->rule[i].options, now_us)) return &policy->rule[i];
  }
  return NULL;
}
