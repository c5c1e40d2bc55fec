/*
** jobs_file.c - jobs.json -> the jobs that the scheduler knows.
**
** The file is {"jobs": [...]}. An element that is not an object, or whose id is not a text, is a job without an id.
** Nothing is left out; two jobs with the same id stay two jobs.
*/
#include "scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_JOBS_FILE "/opt/.task-scheduler/jobs.json"
#define JOBS_FILE_PATIENCE_MS 1000 /* the scheduler rewrites the file in milliseconds */

static int not_found(const char *path, int code, const char *cause, char **message) {
  return tr_error(message, code,
                  "jobs file %s: %s (set SCHEDULER_JOBS_FILE, or name one: "
                  "CREATE VIRTUAL TABLE temp.j USING task_jobs(file='/path/jobs.json'))",
                  path, cause);
}

static int not_understood(const char *path, const char *cause, char **message) {
  return tr_error(message, SQLITE_ERROR, "jobs file %s: %s (still so after %d ms: repair the file)", path, cause,
                  JOBS_FILE_PATIENCE_MS);
}

/* What tr_json_load() says, with the file's name. Never SQLITE_CORRUPT: that would mean a broken database. */
static int load_error(const char *path, int code, const char *cause, char **message) {
  if (code == SQLITE_OK || code == SQLITE_INTERRUPT || code == SQLITE_NOMEM) return code;
  if (code == SQLITE_CORRUPT) return not_understood(path, cause, message);
  if (code == SQLITE_IOERR_READ) return tr_error(message, code, "jobs file %s: %s", path, cause);
  return not_found(path, SQLITE_CANTOPEN, cause, message);
}

/* Opens the file's directory (only for look-ups), and finds the file's name. */
static int open_state_dir(TrJobs *jobs, const char *path, const char **name, char **message) {
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  char *dir = sqlite3_mprintf("%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
  if (dir == NULL) return SQLITE_NOMEM;
  jobs->state_fd = tr_locate_dir(AT_FDCWD, dir);
  int code = jobs->state_fd < 0 ? not_found(path, SQLITE_CANTOPEN, strerror(errno), message) : SQLITE_OK;
  sqlite3_free(dir);
  return code;
}

static int index_jobs(TrJobs *jobs, const TrJson *array) {
  size_t room = 0;
  for (const TrJson *job = tr_json_first(array); job; job = tr_json_next(job)) room++;
  jobs->job = sqlite3_malloc64(room * sizeof(TrJson *) + 1);
  if (jobs->job == NULL) return SQLITE_NOMEM;
  for (const TrJson *job = tr_json_first(array); job; job = tr_json_next(job)) jobs->job[jobs->count++] = job;
  return SQLITE_OK;
}

const char *tr_jobs_path(const char *path) {
  if (path == NULL) path = tr_environment("SCHEDULER_JOBS_FILE");
  return path ? path : DEFAULT_JOBS_FILE;
}

int tr_jobs_load(TrJobs *jobs, const char *path, TrPoll *poll, char **message) {
  const char *name;
  char *cause = NULL;
  *jobs = (TrJobs){.state_fd = -1};
  int code = open_state_dir(jobs, path, &name, message);
  if (code == SQLITE_OK) {
    code = tr_json_load(jobs->state_fd, name, 0, JOBS_FILE_PATIENCE_MS, poll, &jobs->root, &cause);
    code = load_error(path, code, cause, message);
    sqlite3_free(cause);
  }
  if (code == SQLITE_OK) {
    const TrJson *array = tr_json_member(jobs->root, "jobs");
    bool found = tr_json_is_array(array);
    code = found ? index_jobs(jobs, array) : not_understood(path, "no array \"jobs\" in it", message);
  }
  if (code != SQLITE_OK) tr_jobs_free(jobs);
  return code;
}

void tr_jobs_free(TrJobs *jobs) {
  tr_json_free(jobs->root);
  sqlite3_free(jobs->job);
  if (jobs->state_fd >= 0) close(jobs->state_fd);
  *jobs = (TrJobs){.state_fd = -1};
}

const char *tr_jobs_id(const TrJobs *jobs, size_t i) {
  return tr_json_text(tr_json_member(jobs->job[i], "id"));
}

bool tr_jobs_time_us(const TrJobs *jobs, size_t i, const char *key, int64_t *time_us) {
  const char *text = tr_json_text(tr_json_member(jobs->job[i], key));
  return text && tr_timestamp_parse(text, strlen(text), time_us);
}
