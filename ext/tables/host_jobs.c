/*
** host_jobs.c - the path of jobs.json -> the jobs of the host, or, if it has a star, those of each host.
**
** Results, logs and jobs.json are all of one host, or all of several; then what the star stands for is the same name in
** each of them. The hosts are those that have a jobs.json. A host without results or logs just has none.
*/
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Only for the words of messages. */
static const TrStore jobs_store = {.word = "jobs"};

static bool is_starred(const char *path) {
  return strchr(path, '*') != NULL;
}

int tr_host_jobs_check(const char *file, const TrSettings *settings, char **message) {
  const char *path = tr_jobs_path(file), *dir = tr_settings_dir(settings), *word = settings->store->word;
  if (is_starred(path) == is_starred(dir)) return SQLITE_OK;
  if (is_starred(path)) {
    return tr_error(message, SQLITE_CANTOPEN,
                    "jobs file %s: its * stands for several hosts, and %s directory %s is of one; it needs a *, too",
                    path, word, dir);
  }
  return tr_error(message, SQLITE_CANTOPEN,
                  "%s directory %s: its * stands for several hosts, and jobs file %s is of one; it needs a *, too",
                  word, dir, path);
}

static TrHostJobs *add_host_jobs(TrHostJobsList *list) {
  TrHostJobs *grown = tr_array_reserve(list->of, &list->room, list->count + 1, sizeof *grown);
  if (grown == NULL) return NULL;
  list->of = grown;
  list->of[list->count] = (TrHostJobs){.jobs.state_fd = -1};
  return &list->of[list->count++];
}

typedef struct JobsVisit {
  TrHostJobsList *list;
  const char *base; /* borrowed */
  TrPoll *poll;     /* borrowed */
} JobsVisit;

static int load_jobs_of_host(void *context, TrDir *file, TrBytes host, char **message) {
  const JobsVisit *visit = context;
  TrHostJobs *added = add_host_jobs(visit->list);
  char *path = sqlite3_mprintf("%s/%s", visit->base, file->path);
  if (added) added->host = sqlite3_mprintf("%.*s", (int)host.length, host.text);
  int code = path && added && added->host ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = tr_jobs_load(&added->jobs, path, visit->poll, message);
  sqlite3_free(path);
  return code;
}

static int load_of_hosts(TrHostJobsList *list, TrHosts *hosts, const char *path, const TrFilter *filter, TrPoll *poll,
                         char **message) {
  JobsVisit visit = {.list = list, .base = hosts->base, .poll = poll};
  TrDir base = {.store = &jobs_store, .path = hosts->base};
  hosts->of_files = true;
  base.fd = (int)TEMP_FAILURE_RETRY(open(base.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (base.fd < 0) return tr_error(message, SQLITE_CANTOPEN, "jobs file %s: %s: %s", path, base.path, strerror(errno));
  int code = tr_hosts_visit(hosts, &base, poll, filter, load_jobs_of_host, &visit, message);
  tr_dir_close(&base);
  return code;
}

int tr_host_jobs_load(TrHostJobsList *list, const char *file, const TrFilter *filter, TrPoll *poll, char **message) {
  const char *path = tr_jobs_path(file);
  TrHosts hosts;
  int code = tr_hosts_init(&hosts, path, message);
  if (code == SQLITE_OK && hosts.base) {
    code = load_of_hosts(list, &hosts, path, filter, poll, message);
  } else if (code == SQLITE_OK && filter->host_count == 0) { /* without a star, no row has a host */
    TrHostJobs *only = add_host_jobs(list);
    code = only ? tr_jobs_load(&only->jobs, path, poll, message) : SQLITE_NOMEM;
  }
  tr_hosts_free(&hosts);
  return code;
}

void tr_host_jobs_free(TrHostJobsList *list) {
  for (size_t i = 0; i < list->count; i++) {
    tr_jobs_free(&list->of[i].jobs);
    tr_name_list_free(&list->of[i].orphans);
    sqlite3_free(list->of[i].host);
  }
  sqlite3_free(list->of);
  *list = (TrHostJobsList){0};
}

void tr_host_jobs_result(sqlite3_context *context, const TrHostJobs *of) {
  if (of->host) sqlite3_result_text(context, of->host, -1, SQLITE_TRANSIENT);
}

/* No name of a host or a job has a slash. */
int tr_host_jobs_intern(const TrHostJobs *of, const char *job_id, const TrConnection *connection, uint32_t *ordinal,
                        char **message) {
  char *name = sqlite3_mprintf("%s%s%s", of->host ? of->host : "", of->host ? "/" : "", job_id);
  if (name == NULL) return SQLITE_NOMEM;
  int code = tr_names_intern(connection->names, name, strlen(name), ordinal);
  sqlite3_free(name);
  if (code != SQLITE_FULL) return code;
  return tr_error(message, SQLITE_TOOBIG, "more than %lld jobs", (long long)TR_MAX_ORDINAL + 1);
}
