/*
** checkpoint.c - is a job running? `.checkpoint_{job_id}.json` beside jobs.json -> the state of its run.
**
** While a job runs, such a file may exist: {"job_id": ..., "started_at": ..., "pid": ...}. A file that is left over
** names a process that has ended; or another process with the same number, which started after the job did. So a
** process counts only if it is not a zombie and started at most a minute after `started_at`: the minute is there
** because the scheduler may write the file before it starts the process. We assume that the scheduler is in our PID
** namespace, and that nobody has set the clock forward by more than that minute since. If /proc does not tell, a
** process of that number counts as the job's, even if we may not signal it.
**
** A file that names no process (cut short by a kill, or not JSON) means that the run died.
*/
#include "scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CHECKPOINT_PATIENCE_MS 100 /* it is a single small write */
#define CHECKPOINT_SLACK_US INT64_C(60000000)
#define CHECKPOINT_PREFIX ".checkpoint_"
#define SUFFIX ".json"

static bool checkpoint_name(const char *job_id, char name[TR_NAME_SIZE]) {
  size_t length = strlen(job_id);
  if (strchr(job_id, '/') || length + strlen(CHECKPOINT_PREFIX) + strlen(SUFFIX) >= TR_NAME_SIZE) return false;
  snprintf(name, TR_NAME_SIZE, CHECKPOINT_PREFIX "%s" SUFFIX, job_id);
  return true;
}

/* 0, or errno. If nothing is known about a process but that it exists, it counts as the job's. */
static int find_alive(int64_t pid, int64_t started_us, bool *alive) {
  *alive = pid > 0 && pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
  if (!*alive) return 0;
  char state = 0;
  int64_t process_us = 0;
  int reason = tr_process_read(pid, &state, &process_us);
  if (reason) return reason == TR_PROCESS_HIDDEN ? 0 : reason;
  if (state == 'Z' || state == 'X') {
    *alive = false;
  } else if (started_us != TR_UNKNOWN_US) {
    *alive = process_us <= started_us + CHECKPOINT_SLACK_US;
  }
  return 0;
}

static int64_t start_of_checkpoint(const TrJson *root) {
  int64_t started_us;
  const char *text = tr_json_text(tr_json_member(root, "started_at"));
  return text && tr_timestamp_parse(text, strlen(text), &started_us) ? started_us : TR_UNKNOWN_US;
}

int tr_checkpoint_look(int state_fd, const char *job_id, TrPoll *poll, TrRun *run, int64_t *started_us,
                       char **message) {
  char name[TR_NAME_SIZE], *cause = NULL;
  TrJson *root;
  struct stat entry;
  *run = TR_RUN_NONE;
  *started_us = TR_UNKNOWN_US;
  if (!checkpoint_name(job_id, name)) return SQLITE_OK;
  if (fstatat(state_fd, name, &entry, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return SQLITE_OK;
  int code = tr_json_load(state_fd, name, O_NOFOLLOW, CHECKPOINT_PATIENCE_MS, poll, &root, &cause);
  if (code == SQLITE_OK) {
    int64_t pid = 0;
    tr_json_integer(tr_json_member(root, "pid"), &pid);
    bool alive;
    *started_us = start_of_checkpoint(root);
    int reason = find_alive(pid, *started_us, &alive);
    *run = alive ? TR_RUN_ALIVE : TR_RUN_DEAD;
    tr_json_free(root);
    if (reason) {
      code = tr_error(message, SQLITE_IOERR_READ, "job '%s': its process %lld cannot be looked at: %s", job_id,
                      (long long)pid, strerror(reason));
    }
  } else if (code == SQLITE_CORRUPT) {
    *run = TR_RUN_DEAD;
    code = SQLITE_OK;
  } else if (code == SQLITE_NOTFOUND) {
    code = SQLITE_OK; /* the file is gone: the run has just ended */
  } else if (cause) {
    code = tr_error(message, code, "job '%s': %s beside the jobs file: %s", job_id, name, cause);
  }
  sqlite3_free(cause);
  return code;
}
