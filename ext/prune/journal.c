/*
** journal.c - what a killed prune leaves for the next one, so that it can go on.
**
** A record of fixed size in two slots. The newer complete slot counts, so after a power failure during an update the
** previous record is still there. It is on disk before the exchange, and again before each step of the drain that
** relies on it: a write-ahead log with one entry. It answers two questions. Has the exchange happened? (The journal has
** the temporary's inode: if another inode now has its name, yes.) And how far has the drain come?
**
** A journal of at most one slot, which is incomplete, was cut short while it was created, before any exchange. A longer
** one without a complete slot was damaged by something else: that is an error, and nothing is deleted.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLOT_BYTES 512 /* a sector, usually written completely or not at all; the checksum finds the exceptions */
#define MAGIC "taskresults-j1\n"

_Static_assert(offsetof(TrJournalState, checksum) == offsetof(TrJournalState, zero) + 4, "no padding is summed up");
_Static_assert(sizeof(TrJournalState) <= SLOT_BYTES, "a journal record has to fit a slot");

static uint64_t checksum(const TrJournalState *state) {
  const unsigned char *bytes = (const unsigned char *)state;
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < offsetof(TrJournalState, checksum); i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
  return hash;
}

/* Checks that a prune can have written these numbers: the drain computes with them, and must stay within its region. */
static bool is_possible(const TrJournalState *state) {
  return state->drained >= 0 && state->region_at >= 0 && state->region_adds_newline <= 1 &&
         state->region_reserved <= 1 && state->region_length >= state->region_adds_newline &&
         state->region_length <= INT64_MAX - state->region_at && state->region_length <= INT64_MAX - state->drained;
}

static bool is_whole(const TrJournalState *state) {
  return memcmp(state->magic, MAGIC, sizeof MAGIC) == 0 && state->job_length < TR_NAME_SIZE && is_possible(state) &&
         state->checksum == checksum(state);
}

int tr_journal_save(TrPrune *prune, char **message) {
  TrJournal *journal = &prune->journal;
  union {
    TrJournalState state;
    char bytes[SLOT_BYTES];
  } slot = {.bytes = {0}};
  journal->state.sequence++;
  journal->state.checksum = checksum(&journal->state);
  slot.state = journal->state;
  off_t at = (off_t)(journal->state.sequence % 2) * SLOT_BYTES;
  int reason = tr_write_at(journal->fd, slot.bytes, SLOT_BYTES, at);
  if (reason == 0 && TEMP_FAILURE_RETRY(fdatasync(journal->fd)) != 0) reason = errno;
  if (reason == 0) return SQLITE_OK;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "its journal %s cannot be written",
                        prune->journal_name);
}

/* The first save, of sequence 2, goes to slot 0: a file of one slot. */
int tr_journal_create(TrPrune *prune, char **message) {
  TrJournal *journal = &prune->journal;
  struct stat live;
  journal->fd = tr_prune_open(prune, prune->journal_name, O_RDWR | O_CREAT | O_EXCL, 0644);
  if (journal->fd < 0 || fstat(prune->live_fd, &live) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "its journal %s cannot be created",
                          prune->journal_name);
  }
  journal->state = (TrJournalState){0};
  memcpy(journal->state.magic, MAGIC, sizeof MAGIC);
  journal->state.sequence = 1;
  journal->state.old_dev = prune->old_stat.st_dev;
  journal->state.old_ino = prune->old_stat.st_ino;
  journal->state.live_dev = live.st_dev;
  journal->state.live_ino = live.st_ino;
  journal->state.drained = prune->selection.end;
  journal->state.job_length = (uint32_t)prune->job_length;
  memcpy(journal->state.job_id, prune->job_id, prune->job_length);
  int code = tr_journal_save(prune, message);
  /* The journal's name must be on disk before the exchange: without the journal, the old file under the temporary's
  ** name would be taken for a temporary, and deleted. */
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(prune->dir->fd)) != 0) {
    int reason = errno;
    code = tr_prune_error(prune, tr_error_code(reason), message, reason, "its directory cannot be synced");
  }
  return code;
}

/* The newer whole slot, if there is one. 0, or errno. */
static int read_newest(int fd, TrJournalState *newest, bool *found) {
  *found = false;
  for (int i = 0; i < 2; i++) {
    TrJournalState state;
    bool whole;
    int reason = tr_read_at(fd, &state, sizeof state, i * SLOT_BYTES, &whole);
    if (reason) return reason;
    if (!whole || !is_whole(&state) || (*found && state.sequence < newest->sequence)) continue;
    *newest = state;
    *found = true;
  }
  return 0;
}

static bool is_of_job(const TrPrune *prune, bool is_complete) {
  const TrJournalState *state = &prune->journal.state;
  return is_complete && state->job_length == prune->job_length &&
         memcmp(state->job_id, prune->job_id, prune->job_length) == 0;
}

int tr_journal_load(TrPrune *prune, bool *complete, char **message) {
  TrJournal *journal = &prune->journal;
  struct stat found;
  *complete = false;
  journal->fd = tr_prune_open(prune, prune->journal_name, O_RDWR, 0);
  if (journal->fd < 0 && errno == ENOENT) return SQLITE_OK;
  int reason = journal->fd >= 0 && fstat(journal->fd, &found) == 0 ? 0 : errno;
  if (reason == 0) {
    int code = tr_trust_leftover(prune, prune->journal_name, &found, message);
    if (code != SQLITE_OK) return code;
    journal->owner = found.st_uid;
    reason = read_newest(journal->fd, &journal->state, complete);
  }
  if (reason == 0 && (is_of_job(prune, *complete) || (!*complete && found.st_size <= SLOT_BYTES))) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_CORRUPT, message, reason,
                        "the journal %s of an interrupted prune cannot be read; if %s holds records that the job's "
                        "file lacks, save them, then remove both",
                        prune->journal_name, prune->new_name);
}

void tr_journal_close(TrJournal *journal) {
  if (journal->fd >= 0) close(journal->fd);
  journal->fd = -1;
}

bool tr_journal_job(int dirfd, const char *leftover, char out[TR_NAME_SIZE], size_t *length) {
  char name[TR_LEFTOVER_NAME_SIZE];
  TrJournalState state;
  snprintf(name, sizeof name, "%.*s.journal", (int)(strrchr(leftover, '.') - leftover), leftover);
  int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return false;
  bool found;
  int reason = read_newest(fd, &state, &found);
  close(fd);
  /* The journal may be forged, and its job id becomes part of a path. */
  if (reason || !found || !tr_job_id_is_usable(state.job_id, state.job_length) ||
      !tr_leftover_belongs(leftover, state.job_id, state.job_length)) {
    return false;
  }
  *length = state.job_length;
  memcpy(out, state.job_id, state.job_length);
  out[state.job_length] = '\0';
  return true;
}
