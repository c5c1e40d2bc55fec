/*
** trust.c - which leftovers of a killed prune are trusted.
**
** The results directory may belong to another user than the one who prunes: root's cron job may prune the files of the
** scheduler's user. That user can create files with a prune's names there. A recovery does what the journal says, with
** our rights. So it must not do for others what they could not do themselves: append a third user's file to a file that
** they may read, or their lines to a file that they may not write. Therefore:
**
**   1  lock, journal and the temporary (or old) file are regular files with one name each;
**   2  journal and temporary belong to us, to root, or to the owner of the job's file (if the job has none: of the
**      directory);
**   3  to drain, old and job's file belong to one user, and each has one name; the old one may be read by all who may
**      read the job's; and the journal belongs to that user or to us.
**
** A real prune's leftovers always pass: the temporary belongs first to the user who prunes, then to the job's owner;
** the old file belongs to the job's owner and has the mode of its successor; the journal belongs to the user who
** prunes. The lock is only held, never read, so anybody may own it. A file that breaks the rules is refused, nothing is
** changed, and a person has to decide; task_rejects and doctor keep showing it.
**
** The same rules hold for a file that replaces the job's file in the last instant before the exchange.
*/
#include "prune.h"

#include <fcntl.h>
#include <unistd.h>

#define REMEDY "find out who put it there, save the records in it, and remove it"

int tr_trust_file(const TrPrune *prune, const char *name, const struct stat *found, char **message) {
  if (!S_ISREG(found->st_mode)) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0, "cannot be pruned: %s beside it is %s: " REMEDY, name,
                          tr_file_type(found->st_mode));
  }
  if (found->st_nlink <= 1) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                        "cannot be pruned: %s beside it has %lu names (hard links): " REMEDY, name,
                        (unsigned long)found->st_nlink);
}

/* Rule 2's last part. */
static uid_t expected_owner(const TrPrune *prune) {
  struct stat found;
  if (fstatat(prune->dir->fd, prune->file_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode)) {
    return found.st_uid;
  }
  return fstat(prune->dir->fd, &found) == 0 ? found.st_uid : 0;
}

int tr_trust_leftover(const TrPrune *prune, const char *name, const struct stat *found, char **message) {
  int code = tr_trust_file(prune, name, found, message);
  if (code != SQLITE_OK || found->st_uid == geteuid() || found->st_uid == 0) return code;
  uid_t owner = expected_owner(prune);
  if (found->st_uid == owner) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                        "cannot be pruned: %s beside it belongs to user %u, and should to user %u or %u: " REMEDY, name,
                        (unsigned)found->st_uid, (unsigned)owner, (unsigned)geteuid());
}

/* Could somebody read the live file but not the old one? Access lists show in the group's bits. */
static bool is_more_open(const struct stat *live, const struct stat *old) {
  const mode_t readable = S_IRUSR | S_IRGRP | S_IROTH;
  if (live->st_mode & ~old->st_mode & readable) return true;
  return live->st_gid != old->st_gid && (live->st_mode & S_IRGRP) && !(old->st_mode & S_IROTH);
}

int tr_trust_drain(const TrPrune *prune, const struct stat *old, const struct stat *live, uid_t journal_owner,
                   char **message) {
  int code = tr_trust_file(prune, prune->new_name, old, message);
  if (code != SQLITE_OK) return code;
  if (live && live->st_nlink > 1) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                          "has %lu names (hard links), and an interrupted prune is still to append to it: remove the "
                          "others first",
                          (unsigned long)live->st_nlink);
  }
  if (live && live->st_uid != old->st_uid) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                          "belongs to user %u, and %s, of which an interrupted prune is still to append the rest, to "
                          "user %u: if both are genuine, give them one owner; else remove the false one",
                          (unsigned)live->st_uid, prune->new_name, (unsigned)old->st_uid);
  }
  if (live && is_more_open(live, old)) {
    return tr_prune_error(
        prune, SQLITE_ERROR, message, 0,
        "can be read by more users than %s, of which an interrupted prune is still to append the rest: "
        "give both one group and mode",
        prune->new_name);
  }
  if (journal_owner == geteuid() || journal_owner == old->st_uid) return SQLITE_OK;
  return tr_prune_error(
      prune, SQLITE_ERROR, message, 0,
      "cannot be pruned: %s beside it belongs to user %u, and the file of which it tells to user %u: " REMEDY,
      prune->journal_name, (unsigned)journal_owner, (unsigned)old->st_uid);
}
