/*
** policy.c - fuzz target: a policy file. What is accepted means what its text says: written anew from the tree, it
** gives the same rules; each job has the first rule with a pattern that matches, and no two things that exclude each
** other.
**
** Aimed at ext/prune/policy.c.
*/
#include "tr.h"

#include "fuzz.h"

static int load(TrPolicy *policy, const char *text, size_t size) {
  static const TrPruneOptions common = {.force = true};
  char *message = NULL;
  TrJson *root;
  int code = tr_json_parse(text, size, &root, &message);
  if (code == SQLITE_OK) {
    code = tr_policy_read(policy, root, "policy.json", &common, &message);
    MUST(code == SQLITE_OK || (code == SQLITE_ERROR && policy->root == NULL));
  }
  MUST((code == SQLITE_OK) == (message == NULL));
  sqlite3_free(message);
  return code;
}

static bool is_one_of(const TrJson *patterns, const char *job_id) {
  if (tr_json_text(patterns)) return sqlite3_strglob(tr_json_text(patterns), job_id) == 0;
  for (const TrJson *one = tr_json_first(patterns); one; one = tr_json_next(one)) {
    if (sqlite3_strglob(tr_json_text(one), job_id) == 0) return true;
  }
  return false;
}

static void check_rule(const TrPolicyRule *rule) {
  const TrPruneOptions *options = &rule->options;
  MUST(options->force && options->policy == NULL);
  MUST(options->keep >= 0 && options->keep_failures >= 0 && options->max_bytes >= 0);
  MUST(options->keeps_all == !(options->by_count || options->by_time || options->by_size));
  MUST(options->keep_failures == 0 || options->by_count || options->by_time);
  MUST(options->by_count == (tr_json_member(rule->source, "keep") != NULL));
  MUST(options->by_size == (tr_json_member(rule->source, "max_bytes") != NULL));
}

static void check_jobs(const TrPolicy *policy) {
  static const char *const jobs[] = {"", "a", "nightly-backup", "b-1", "*", "\xc3\xa4", "[x]"};
  for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
    size_t first = 0;
    while (first < policy->count && !is_one_of(policy->rule[first].jobs, jobs[i])) first++;
    const TrPolicyRule *rule = tr_policy_find(policy, jobs[i]);
    MUST(first < policy->count ? rule == &policy->rule[first] : rule == NULL);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  TrPolicy policy, again;
  if (load(&policy, (const char *)data, size) != SQLITE_OK) return 0;
  for (size_t i = 0; i < policy.count; i++) check_rule(&policy.rule[i]);
  check_jobs(&policy);
  sqlite3_str *text = sqlite3_str_new(NULL);
  MUST(tr_json_append_source(text, policy.root) == SQLITE_OK);
  MUST(load(&again, sqlite3_str_value(text), (size_t)sqlite3_str_length(text)) == SQLITE_OK);
  MUST(again.count == policy.count);
  for (size_t i = 0; i < policy.count; i++) {
    TrPruneOptions one = policy.rule[i].options, other = again.rule[i].options;
    MUST(one.keep == other.keep && one.keep_failures == other.keep_failures && one.max_bytes == other.max_bytes);
    MUST(one.by_count == other.by_count && one.by_time == other.by_time && one.by_size == other.by_size);
  }
  sqlite3_free(sqlite3_str_finish(text));
  tr_policy_free(&again);
  tr_policy_free(&policy);
  return 0;
}
