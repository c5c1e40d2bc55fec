/*
** journal.c - what a killed prune leaves for the next one, so that it can go on.
**
** A record of fixed size in two slots. The newer complete slot counts, so after a power failure during an update the
** previous record is still there. It is on disk before the exchange, and again before each step of the drain that
** relies on it: a write-ahead log with one entry. It answers two questions. Has the exchange happened? (The journal has
** the temporary's inode: if another inode now has its name, yes.) And how far has the drain come?
**
** A prune that leaves a receipt has another magic, and its slots begin one further on, where the first one is all
** zeros. A version that knows nothing of receipts finds no slot in that, and refuses the file, since it is longer than
** one slot: it would finish the prune without the receipt. In the same way, a prune that archives has a third magic,
** and its slots begin two further on, so that no version finishes it that would leave the archive without its name.
** Without both, the journal is as it always was.
**
** A journal that ends with the first slot of its kind, which is incomplete, was cut short while it was created, before
** any exchange: what is before that slot is zeros. Another one without a complete slot was damaged by something else:
** that is an error, and nothing is deleted.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLOT_BYTES 512 /* a sector, usually written completely or not at all; the checksum finds the exceptions */
#define MAGIC "taskresults-j1\n"
#define RECEIPT_MAGIC "taskresults-j2\n"
#define ARCHIVE_MAGIC "taskresults-j3\n"
#define ALL_SLOTS 4 /* two of them are used */

_Static_assert(offsetof(TrJournalState, checksum) == offsetof(TrJournalState, zero) + 4, "no padding is summed up");
_Static_assert(offsetof(TrJournalState, archive_inode) == offsetof(TrJournalState, rest) + 6, "nor here");
_Static_assert(sizeof(TrJournalState) == offsetof(TrJournalState, archive) + TR_ARCHIVE_NAME_SIZE, "nor there");
_Static_assert(sizeof(TrJournalState) <= SLOT_BYTES, "a journal record has to fit a slot");

static bool is_magic(const TrJournalState *state, const char *magic) {
  return memcmp(state->magic, magic, sizeof MAGIC) == 0;
}

/* Where its first slot is; ALL_SLOTS: this is no journal. */
static unsigned first_slot(const TrJournalState *state) {
  if (is_magic(state, MAGIC)) return 0;
  if (is_magic(state, RECEIPT_MAGIC)) return 1;
  return is_magic(state, ARCHIVE_MAGIC) ? 2 : ALL_SLOTS;
}

/* FNV-1a. The fields of the receipt and of the archive are summed up only if there may be any. */
static uint64_t checksum(const TrJournalState *state) {
  const unsigned char *bytes = (const unsigned char *)state;
  const size_t prime_fields = offsetof(TrJournalState, checksum), receipt = offsetof(TrJournalState, receipt_id);
  uint64_t hash = tr_hash_bytes(bytes, prime_fields);
  if (first_slot(state) == 0) return hash;
  size_t end = first_slot(state) == 1 ? offsetof(TrJournalState, archive_inode) : sizeof *state;
  return hash ^ tr_hash_bytes(bytes + receipt, end - receipt);
}

/* Checks that a prune can have written these numbers: the drain computes with them, and must stay within its region. */
static bool is_possible(const TrJournalState *state) {
  return state->drained >= 0 && state->region_at >= 0 && state->region_adds_newline <= 1 &&
         state->region_reserved <= 1 && state->region_length >= state->region_adds_newline &&
         state->region_length <= INT64_MAX - state->region_at && state->region_length <= INT64_MAX - state->drained;
}

/* The id becomes part of no path, but is compared as a text. */
static bool has_possible_receipt(const TrJournalState *state) {
  bool has_id = memchr(state->receipt_id, '\0', sizeof state->receipt_id) == state->receipt_id + TR_RECEIPT_ID_SIZE - 1;
  return first_slot(state) == 0 || has_id;
}

/* The name of a file, and no path. */
static bool has_possible_archive(const TrJournalState *state) {
  if (first_slot(state) < 2) return true;
  const char *end = memchr(state->archive, '\0', sizeof state->archive);
  return end && end > state->archive && state->archive[0] != '.' && strchr(state->archive, '/') == NULL;
}

static bool is_whole(const TrJournalState *state) {
  return first_slot(state) < ALL_SLOTS && has_possible_receipt(state) && has_possible_archive(state) &&
         state->job_length < TR_NAME_SIZE && is_possible(state) && state->checksum == checksum(state);
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
  off_t at = (off_t)(first_slot(&journal->state) + journal->state.sequence % 2) * SLOT_BYTES;
  int reason = tr_write_at(journal->fd, slot.bytes, SLOT_BYTES, at);
  if (reason == 0 && TEMP_FAILURE_RETRY(fdatasync(journal->fd)) != 0) reason = errno;
  if (reason == 0) return SQLITE_OK;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "its journal %s cannot be written",
                        prune->journal_name);
}

/* What root has begun, the owner of the job's file can finish, too: trust.c trusts both. */
static void give_journal(const TrPrune *prune) {
  uid_t owner = prune->old_stat.st_uid;
  if (owner != geteuid() && fchown(prune->journal.fd, owner, (gid_t)-1) != 0) return; /* then only root can */
}

static void name_archive(const TrPrune *prune, TrJournalState *state) {
  memcpy(state->magic, ARCHIVE_MAGIC, sizeof ARCHIVE_MAGIC);
  memcpy(state->archive, prune->archive.name, sizeof state->archive);
  state->archive_inode = prune->archive.inode;
  state->archive_source = prune->old_stat.st_ino;
}

/* The first save, of sequence 2, goes to the first slot. */
int tr_journal_create(TrPrune *prune, char **message) {
  TrJournal *journal = &prune->journal;
  struct stat live;
  journal->fd = tr_prune_open(prune, prune->journal_name, O_RDWR | O_CREAT | O_EXCL, 0644);
  if (journal->fd < 0 || fstat(prune->live_fd, &live) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "its journal %s cannot be created",
                          prune->journal_name);
  }
  give_journal(prune);
  journal->state = (TrJournalState){0};
  bool has_receipt = prune->receipt.line != NULL;
  memcpy(journal->state.magic, has_receipt ? RECEIPT_MAGIC : MAGIC, sizeof MAGIC);
  if (has_receipt) memcpy(journal->state.receipt_id, prune->receipt.id, sizeof prune->receipt.id);
  if (prune->archive.is_made) name_archive(prune, &journal->state);
  journal->state.sequence = 1;
  journal->state.old_dev = prune->old_stat.st_dev;
  journal->state.old_ino = prune->old_stat.st_ino;
  journal->state.live_dev = live.st_dev;
  journal->state.live_ino = live.st_ino;
  journal->state.drained = prune->selection.end;
  journal->state.region_at = prune->selection.kept_bytes; /* no region: see replaced.c */
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

/* Only what stands where its magic belongs. What was not summed up has no meaning. */
static bool take_slot(TrJournalState *state, unsigned slot) {
  if (!is_whole(state) || slot < first_slot(state) || slot > first_slot(state) + 1) return false;
  if (first_slot(state) == 0) {
    memset(state->receipt_id, 0, sizeof state->receipt_id);
    state->is_replaced = 0;
  }
  if (first_slot(state) < 2) {
    memset(state->archive, 0, sizeof state->archive);
    state->archive_inode = state->archive_source = 0;
  }
  return true;
}

/* The newer whole slot, if there is one. 0, or errno. */
static int read_newest(int fd, TrJournalState *newest, bool *found) {
  *found = false;
  for (unsigned slot = 0; slot < ALL_SLOTS; slot++) {
    TrJournalState state;
    bool whole;
    int reason = tr_read_at(fd, &state, sizeof state, (int64_t)slot * SLOT_BYTES, &whole);
    if (reason) return reason;
    if (!whole || !take_slot(&state, slot) || (*found && state.sequence < newest->sequence)) continue;
    *newest = state;
    *found = true;
  }
  return 0;
}

static bool are_zeros(const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != '\0') return false;
  }
  return true;
}

/* Does it begin with this magic, as far as that was written? */
static bool may_begin_with(const char *bytes, size_t length, const char *magic) {
  size_t same = 0, most = length < sizeof MAGIC ? length : sizeof MAGIC;
  while (same < most && bytes[same] == magic[same]) same++;
  return are_zeros(bytes + same, most - same);
}

/* Was it cut short while it was created? Then it has no whole slot: only a part of its first one, behind zeros. */
static int was_cut_short(int fd, int64_t size, bool *was) {
  char content[(ALL_SLOTS - 1) * SLOT_BYTES];
  bool whole;
  *was = size <= SLOT_BYTES;
  if (*was || size > (int64_t)sizeof content) return 0;
  int reason = tr_read_at(fd, content, (size_t)size, 0, &whole);
  size_t before = size > 2 * SLOT_BYTES ? 2 * SLOT_BYTES : SLOT_BYTES;
  *was = reason == 0 && whole && are_zeros(content, before);
  if (before == 2 * SLOT_BYTES) *was = *was && may_begin_with(content + before, (size_t)size - before, ARCHIVE_MAGIC);
  return reason;
}

/* A device may get another number when the machine starts again, or the file system is mounted again. The inodes keep
** theirs, and all of the prune's files are in one directory, as the journal is. */
static void take_device_of(TrJournalState *state, const struct stat *journal) {
  if (state->old_dev == state->live_dev) state->old_dev = state->live_dev = journal->st_dev;
}

static bool is_of_job(const TrPrune *prune, bool is_complete) {
  const TrJournalState *state = &prune->journal.state;
  return is_complete && state->job_length == prune->job_length &&
         memcmp(state->job_id, prune->job_id, prune->job_length) == 0;
}

int tr_journal_load(TrPrune *prune, bool *complete, char **message) {
  TrJournal *journal = &prune->journal;
  struct stat found;
  bool is_short = false;
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
  if (reason == 0 && *complete) take_device_of(&journal->state, &found);
  if (reason == 0 && !*complete) reason = was_cut_short(journal->fd, found.st_size, &is_short);
  if (reason == 0 && (is_of_job(prune, *complete) || is_short)) return SQLITE_OK;
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

int tr_journal_receipt(int dirfd, const char *job_id, size_t length, TrJournalState *state, bool *found) {
  char name[TR_LEFTOVER_NAME_SIZE];
  *found = false;
  tr_leftover_name(job_id, length, ".journal", name);
  int fd = (int)TEMP_FAILURE_RETRY(openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  int reason = read_newest(fd, state, found);
  close(fd);
  *found = *found && state->receipt_id[0] && state->job_length == length && memcmp(state->job_id, job_id, length) == 0;
  return reason;
}
