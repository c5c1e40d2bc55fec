/*
** archive_file.c - the archive of the job, and which of its segments count: a pending one gets its name, or goes.
**
** The segment is .taskresults/archive/JOB.jsonl/{first time}-{number}.jsonl.zst. While it is pending, its name ends in
** the inode of its source, the job's file as it was. A reader counts it only while its source has one of our own names
** (history/segments.c), and so each record is in one place at every moment:
**
**   1  the segment is written, pending, while the lines that go are counted, and is on disk (archive_segment.c)
**   2  the receipt, the journal, which names the segment and its inode
**   3  the exchange: the source gets the temporary's name, and the pending segment counts at this instant
**   4  the segment gets its name, which is on disk before the source goes; it counts by itself       (settle)
**   5  the receipt is appended; the source goes, then the journal
**
** A prune offline replaces the job's file by a rename. There the source gets a name of its own before that: `.old`.
**
** If a segment that is taken into the new one is replaced, the pending one has its name. So exactly one of both counts.
**
** A pending segment is removed only if all of it is elsewhere: if the exchange has not happened, as the temporary is
** still there; if its source has the job's name; or if the exchange met another file (`replaced`), so that nothing was
** removed. Any other stays where it is, and never counts; no temporary gets the inode that it names.
**
** Nobody can read in a segment what he could not read in the job's file. It has that file's owner, mode and access list
** before anything is in it; and a segment with others is not taken into it.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int tr_archive_error(const TrPrune *prune, int reason, const char *name, const char *what, char **message) {
  int code = reason ? tr_error_code(reason) : SQLITE_ERROR;
  return tr_prune_error(prune, code, message, reason,
                        "cannot be archived (" TR_ARCHIVE_REMEDY "): " TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY
                        "/%s/%s %s",
                        prune->file_name, name, what);
}

/* --- the archive as it is ----------------------------------------------------------------------------------------- */

bool tr_archive_parse_name(const TrPrune *prune, const char *text, TrSegmentName *name) {
  char path[2 * TR_NAME_SIZE + sizeof TR_OWN_FOLDER + sizeof TR_ARCHIVE_DIRECTORY];
  snprintf(path, sizeof path, TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY "/%s/%s", prune->file_name, text);
  return tr_segment_name_parse(path, name);
}

static int add_segment_name(void *context, const char *text) {
  TrPrune *prune = context;
  TrSegmentName name;
  if (!tr_archive_parse_name(prune, text, &name)) return SQLITE_OK;
  return tr_name_list_add(&prune->archive.names, text, strlen(text));
}

int tr_archive_enter(TrPrune *prune, bool makes, char **message) {
  TrPruneArchive *archive = &prune->archive;
  char folder[sizeof TR_ARCHIVE_DIRECTORY + TR_NAME_SIZE], *what = NULL;
  if (archive->folder.fd >= 0) return SQLITE_OK;
  snprintf(folder, sizeof folder, TR_ARCHIVE_DIRECTORY "/%s", prune->file_name);
  int code = tr_own_folder_open(&archive->folder, prune->dir->fd, prune->dir->path, folder, makes,
                                "the archive of the job", &what);
  if (what) tr_prune_error(prune, code, message, 0, "cannot be archived (" TR_ARCHIVE_REMEDY "): %s", what);
  sqlite3_free(what);
  return code;
}

static int list_archive(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  TrDir folder = *prune->dir;
  char *what = NULL;
  tr_name_list_free(&archive->names);
  archive->names = (TrNameList){0};
  folder.fd = archive->folder.fd;
  if (folder.fd < 0) return SQLITE_OK;
  int code = tr_dir_list(&folder, prune->poll, add_segment_name, prune, &what);
  if (what) {
    tr_prune_error(prune, code, message, 0,
                   "has an archive, " TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY "/%s, that cannot be listed: %s",
                   prune->file_name, what);
  }
  sqlite3_free(what);
  return code;
}

bool tr_archive_names_source(const TrPrune *prune, uint64_t inode) {
  TrSegmentName name;
  for (size_t i = 0; i < prune->archive.names.count; i++) {
    if (tr_archive_parse_name(prune, prune->archive.names.name[i], &name) && name.is_pending && name.source == inode)
      return true;
  }
  return false;
}

static int remove_segment(const TrPrune *prune, const char *name, char **message) {
  struct stat found;
  int folder = prune->archive.folder.fd;
  if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? SQLITE_OK : tr_archive_error(prune, errno, name, "cannot be examined", message);
  }
  if (!S_ISREG(found.st_mode)) return SQLITE_OK; /* it counts for nobody */
  if (TEMP_FAILURE_RETRY(unlinkat(folder, name, 0)) == 0 || errno == ENOENT) return SQLITE_OK;
  return tr_archive_error(prune, errno, name, "cannot be removed", message);
}

/* On disk before anything else goes. */
int tr_archive_sync(const TrPrune *prune, char **message) {
  if (TEMP_FAILURE_RETRY(fsync(prune->archive.folder.fd)) == 0) return SQLITE_OK;
  return tr_archive_error(prune, errno, "", "cannot be synced", message);
}

/* The caller knows that all lines of these are elsewhere. */
static int sweep(TrPrune *prune, uint64_t source, char **message) {
  TrSegmentName name;
  bool any = false;
  int code = SQLITE_OK;
  for (size_t i = 0; i < prune->archive.names.count && code == SQLITE_OK; i++) {
    const char *text = prune->archive.names.name[i];
    if (!tr_archive_parse_name(prune, text, &name) || !name.is_pending || name.source != source) continue;
    code = remove_segment(prune, text, message);
    any = true;
  }
  if (code != SQLITE_OK || !any) return code;
  code = tr_archive_sync(prune, message);
  return code == SQLITE_OK ? list_archive(prune, message) : code;
}

/* A prune that archives nothing goes on if the archive cannot be read. */
static int need_archive(const TrPrune *prune, int code, char *what, char **message) {
  bool is_needed = prune->options->archive || code == SQLITE_NOMEM || code == SQLITE_INTERRUPT;
  if (code != SQLITE_OK && is_needed && what) {
    sqlite3_free(*message);
    *message = what;
  } else {
    sqlite3_free(what);
  }
  return is_needed ? code : SQLITE_OK;
}

int tr_archive_find(TrPrune *prune, char **message) {
  char *what = NULL;
  int code = tr_archive_enter(prune, false, &what);
  if (code == SQLITE_OK) code = list_archive(prune, &what);
  if (code == SQLITE_OK) code = sweep(prune, prune->old_stat.st_ino, &what);
  return need_archive(prune, code, what, message);
}

/* --- the pending segment ------------------------------------------------------------------------------------------ */

void tr_archive_name_pending(TrPruneArchive *archive, uint64_t source) {
  snprintf(archive->pending_name, sizeof archive->pending_name, "%s" TR_PENDING_SEGMENT "%llu", archive->name,
           (unsigned long long)source);
}

void tr_archive_close_pending(TrPruneArchive *archive) {
  if (archive->writer.fd >= 0) close(archive->writer.fd);
  tr_archive_writer_close(&archive->writer);
}

int tr_archive_drop_pending(TrPrune *prune, char **message) {
  tr_archive_close_pending(&prune->archive);
  int code = remove_segment(prune, prune->archive.pending_name, message);
  prune->archive.is_made = code != SQLITE_OK;
  return code;
}

/* --- 4 ------------------------------------------------------------------------------------------------------------ */

static bool is_segment(const TrPrune *prune, const char *name, struct stat *found) {
  return prune->archive.folder.fd >= 0 && fstatat(prune->archive.folder.fd, name, found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(found->st_mode) && found->st_ino == prune->archive.inode;
}

static int missing_error(const TrPrune *prune, char **message) {
  return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                        "lacks what an interrupted prune has archived: " TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY
                        "/%s/%s is gone. %s beside it still has these lines: save them, then remove it, and %s",
                        prune->file_name, prune->archive.pending_name, prune->new_name, prune->journal_name);
}

int tr_archive_settle(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  struct stat found;
  int code = SQLITE_OK, folder = archive->folder.fd;
  if (prune->journal.state.archive[0] == '\0' || archive->is_settled) return SQLITE_OK;
  if (prune->journal.state.is_replaced) {
    code = folder >= 0 ? remove_segment(prune, archive->pending_name, message) : SQLITE_OK;
  } else if (is_segment(prune, archive->pending_name, &found)) {
    if (TEMP_FAILURE_RETRY(renameat(folder, archive->pending_name, folder, archive->name)) != 0) {
      code = tr_archive_error(prune, errno, archive->pending_name, "cannot get its name", message);
    }
  } else if (!is_segment(prune, archive->name, &found) && prune->old_fd >= 0) {
    return missing_error(prune, message);
  }
  if (code == SQLITE_OK && folder >= 0) code = tr_archive_sync(prune, message);
  archive->is_settled = code == SQLITE_OK;
  return code;
}

/* --- an interrupted prune ----------------------------------------------------------------------------------------- */

bool tr_archive_is_pending(const TrPrune *prune, struct stat *found) {
  return prune->journal.state.archive[0] && is_segment(prune, prune->archive.pending_name, found);
}

/* The source must not go before its segment is there, in either state. */
static int check_archived(const TrPrune *prune, const struct stat *old, char **message) {
  const TrJournalState *state = &prune->journal.state;
  struct stat found;
  bool is_source = old->st_dev == state->old_dev && old->st_ino == state->old_ino && !state->is_replaced;
  if (!is_source || tr_archive_is_pending(prune, &found)) return SQLITE_OK;
  return is_segment(prune, prune->archive.name, &found) ? SQLITE_OK : missing_error(prune, message);
}

int tr_archive_recover(TrPrune *prune, const struct stat *old, char **message) {
  const TrJournalState *state = &prune->journal.state;
  TrPruneArchive *archive = &prune->archive;
  if (state->archive[0] == '\0') return SQLITE_OK;
  memcpy(archive->name, state->archive, sizeof archive->name);
  archive->inode = state->archive_inode;
  tr_archive_name_pending(archive, state->archive_source);
  int code = tr_archive_enter(prune, false, message);
  if (code == SQLITE_OK) code = list_archive(prune, message);
  return code == SQLITE_OK && old ? check_archived(prune, old, message) : code;
}

/* Without a journal, the exchange has not happened; then the source still has the job's name, or another one that
** somebody gave to it. */
int tr_archive_discard(TrPrune *prune, char **message) {
  struct stat job;
  char *what = NULL;
  if (prune->journal.state.archive[0]) return sweep(prune, prune->journal.state.archive_source, message);
  if (fstatat(prune->dir->fd, prune->file_name, &job, AT_SYMLINK_NOFOLLOW) != 0) return SQLITE_OK;
  int code = tr_archive_enter(prune, false, &what);
  if (code == SQLITE_OK) code = list_archive(prune, &what);
  if (code == SQLITE_OK) code = sweep(prune, job.st_ino, &what);
  return need_archive(prune, code, what, message);
}

bool tr_archive_take_back(TrPrune *prune) {
  if (!prune->archive.is_made) return true;
  return tr_archive_drop_pending(prune, NULL) == SQLITE_OK;
}

void tr_archive_close(TrPrune *prune) {
  TrPruneArchive *archive = &prune->archive;
  tr_archive_close_pending(archive);
  tr_own_folder_close(&archive->folder);
  tr_name_list_free(&archive->names);
  *archive = (TrPruneArchive){.folder.fd = -1, .writer.fd = -1};
}
