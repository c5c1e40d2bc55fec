/*
** own_folder.c - folders of ours in a directory of results: who may own them, what is followed, how they are made.
*/
#include "tr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static char place[64];
static int dir_fd;

static const char *swapped; /* the folder of this name is moved away, once it is made, and "other" has its name */

/* The call that fails, and at which of its calls from 1 on. */
static const char *failing;
static int failing_at, failing_errno;

static bool fails(const char *call) {
  if (!failing || strcmp(failing, call) != 0 || --failing_at != 0) return false;
  errno = failing_errno;
  return true;
}

int fchown(int fd, uid_t owner, gid_t group) {
  return fails(owner == (uid_t)-1 ? "fchown group" : "fchown user") ? -1 : (int)syscall(SYS_fchown, fd, owner, group);
}

int fchmod(int fd, mode_t mode) {
  return fails("fchmod") ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int fsync(int fd) {
  return fails("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int fstat(int fd, struct stat *found) {
  return fails("fstat") ? -1 : fstatat(fd, "", found, AT_EMPTY_PATH);
}

int mkdirat(int fd, const char *name, mode_t mode) {
  if (fails("mkdirat")) return -1;
  if (fails("vanish")) return 0;
  int code = (int)syscall(SYS_mkdirat, fd, name, mode);
  if (code == 0 && swapped && strcmp(name, swapped) == 0) {
    CHECK(renameat(fd, name, dir_fd, "made") == 0 && renameat(dir_fd, "other", fd, name) == 0);
  }
  return code;
}

static void begin_with_mode(mode_t mode) {
  snprintf(place, sizeof place, "/tmp/own_folder.XXXXXX");
  CHECK(mkdtemp(place) != NULL && chmod(place, mode) == 0);
  dir_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK(dir_fd >= 0);
}

static void clean_up(void) {
  unlinkat(dir_fd, ".taskresults/mine", AT_REMOVEDIR);
  unlinkat(dir_fd, ".taskresults", AT_REMOVEDIR);
  unlinkat(dir_fd, ".taskresults", 0);
  close(dir_fd);
  CHECK(rmdir(place) == 0);
}

static mode_t mode_of(const char *name) {
  struct stat found;
  return fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 ? found.st_mode & 07777 : 0;
}

static void none_is_no_error_and_nothing_is_made(void) {
  TrOwnFolder folder;
  char *message = NULL;
  begin_with_mode(0755);
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", false, "x", &message) == SQLITE_OK && folder.fd == -1);
  CHECK(faccessat(dir_fd, ".taskresults", F_OK, 0) != 0 && message == NULL);
  tr_own_folder_close(&folder);
  clean_up();
}

static void both_folders_are_made_with_the_rights_to_read_of_the_directory(void) {
  const mode_t modes[] = {0755, 0750, 0777, 0700};
  const mode_t wanted[] = {0755, 0750, 0755, 0700};
  for (size_t i = 0; i < 4; i++) {
    TrOwnFolder folder;
    begin_with_mode(modes[i]);
    mode_t mask = umask(077);
    CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK && folder.fd >= 0);
    umask(mask);
    CHECK(mode_of(".taskresults") == wanted[i] && mode_of(".taskresults/mine") == wanted[i]);
    tr_own_folder_close(&folder);
    CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK && folder.fd >= 0);
    CHECK(folder.found.st_uid == geteuid() && folder.dir_owner == geteuid());
    tr_own_folder_close(&folder);
    clean_up();
  }
}

static void root_gives_them_to_the_owner_and_group_of_the_directory(void) {
  if (geteuid() != 0) return;
  TrOwnFolder folder;
  struct stat outer;
  begin_with_mode(0750);
  CHECK(fchown(dir_fd, 65534, 65533) == 0);
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK);
  CHECK(fstatat(dir_fd, ".taskresults", &outer, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(outer.st_uid == 65534 && outer.st_gid == 65533 && folder.found.st_uid == 65534);
  CHECK(tr_own_folder_trusts(&folder, 65534) && tr_own_folder_trusts(&folder, 0));
  CHECK(!tr_own_folder_trusts(&folder, 65533));
  tr_own_folder_close(&folder);
  clean_up();
}

static void refused(const char *name, const char *cause) {
  TrOwnFolder folder;
  for (int makes = 0; makes < 2; makes++) {
    char *message = NULL;
    CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", makes, "the receipts", &message) == SQLITE_ERROR);
    CHECK(folder.fd == -1 && message && strstr(message, "the receipts, ") == message);
    CHECK(message && strstr(message, place) && strstr(message, name) && strstr(message, cause));
    sqlite3_free(message);
  }
}

static void links_files_and_folders_of_others_are_refused_at_both_levels(void) {
  begin_with_mode(0755);
  CHECK(symlinkat("/tmp", dir_fd, ".taskresults") == 0);
  refused("/.taskresults: ", "it is a symbolic link");
  CHECK(unlinkat(dir_fd, ".taskresults", 0) == 0 && mkfifoat(dir_fd, ".taskresults", 0600) == 0);
  refused("/.taskresults: ", "it is a FIFO");
  CHECK(unlinkat(dir_fd, ".taskresults", 0) == 0 && mkdirat(dir_fd, ".taskresults", 0755) == 0);
  CHECK(symlinkat("/tmp", dir_fd, ".taskresults/mine") == 0);
  refused("/.taskresults/mine: ", "it is a symbolic link");
  CHECK(unlinkat(dir_fd, ".taskresults/mine", 0) == 0 && mkdirat(dir_fd, ".taskresults/mine", 0755) == 0);
  if (geteuid() == 0) {
    CHECK(fchownat(dir_fd, ".taskresults/mine", 65534, 0, 0) == 0);
    refused("/.taskresults/mine: ", "it belongs to user 65534");
  }
  clean_up();
}

/* Root must not give away a folder of its own that the directory's owner moves to the place of the one just made. */
static void another_folder_in_the_place_of_the_new_one_is_not_given_away(void) {
  const char *const places[] = {".taskresults", ".taskresults/mine"};
  if (geteuid() != 0) return;
  for (size_t i = 0; i < 2; i++) {
    TrOwnFolder folder;
    struct stat other;
    char *message = NULL, inside[64];
    snprintf(inside, sizeof inside, "%s/secret", places[i]);
    begin_with_mode(0755);
    CHECK(fchown(dir_fd, 65534, 65533) == 0);
    CHECK(mkdirat(dir_fd, "other", 0700) == 0 && mkdirat(dir_fd, "other/secret", 0700) == 0);
    swapped = i ? "mine" : ".taskresults";
    CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", &message) == SQLITE_ERROR && folder.fd == -1);
    swapped = NULL;
    CHECK(message && strstr(message, places[i]) && strstr(message, "another folder has its name now"));
    CHECK(fstatat(dir_fd, places[i], &other, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(other.st_uid == 0 && other.st_gid == getegid() && (other.st_mode & 0777) == 0700);
    sqlite3_free(message);
    CHECK(unlinkat(dir_fd, inside, AT_REMOVEDIR) == 0 && unlinkat(dir_fd, "made", AT_REMOVEDIR) == 0);
    clean_up();
  }
}

/* So it does not stay root's if its maker is killed, and nobody puts anything into it before it is given. */
static void what_root_has_just_made_is_given_by_whoever_finds_it(void) {
  if (geteuid() != 0) return;
  TrOwnFolder folder;
  begin_with_mode(0750);
  CHECK(fchown(dir_fd, 65534, 65533) == 0 && mkdirat(dir_fd, ".taskresults", 0700) == 0);
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK && folder.fd >= 0);
  tr_own_folder_close(&folder);
  CHECK(fstatat(dir_fd, ".taskresults", &folder.found, 0) == 0);
  CHECK(folder.found.st_uid == 65534 && folder.found.st_gid == 65533 && (folder.found.st_mode & 0777) == 0750);
  clean_up();
}

/* A user who may not make it is told why. Root may always. */
static void what_cannot_be_made_is_told(void) {
  if (geteuid() == 0) return;
  TrOwnFolder folder;
  char *message = NULL;
  begin_with_mode(0555);
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", &message) == SQLITE_READONLY);
  CHECK(message && strstr(message, "it cannot be made: Permission denied"));
  sqlite3_free(message);
  clean_up();
}

static void a_call_that_fails_is_told_and_what_was_made_is_removed(void) {
  const struct {
    const char *call;
    int at, error;
    const char *words;
  } faults[] = {
      {"fstat", 1, EIO, "Input/output error"},
      {"mkdirat", 1, EROFS, "/.taskresults: it cannot be made: Read-only file system"},
      {"mkdirat", 2, ENOSPC, "/.taskresults/mine: it cannot be made: No space left on device"},
      {"vanish", 1, 0, "/.taskresults: No such file or directory"},
      {"fstat", 2, EIO, "/.taskresults: Input/output error"},
      {"fstat", 3, EIO, "/.taskresults: Input/output error"},
      {"fchmod", 1, EPERM, "/.taskresults: its mode cannot be set: Operation not permitted"},
      {"fchmod", 2, EPERM, "/.taskresults/mine: its mode cannot be set: Operation not permitted"},
      {"fsync", 1, EIO, "/.taskresults: it cannot be secured: Input/output error"},
      {"fsync", 2, EIO, "/.taskresults/mine: it cannot be secured: Input/output error"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    TrOwnFolder folder;
    char *message = NULL;
    begin_with_mode(0750);
    failing = faults[i].call, failing_at = faults[i].at, failing_errno = faults[i].error;
    int code = tr_own_folder_open(&folder, dir_fd, place, "mine", true, "the receipts", &message);
    failing = NULL;
    CHECK(code != SQLITE_OK && folder.fd == -1 && message && strstr(message, faults[i].words));
    CHECK(strcmp(faults[i].call, "fstat") == 0 || faccessat(dir_fd, ".taskresults/mine", F_OK, 0) != 0);
    sqlite3_free(message);
    CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "the receipts", NULL) == SQLITE_OK &&
          folder.fd >= 0);
    CHECK(strcmp(faults[i].call, "fstat") == 0 || mode_of(".taskresults") == 0750);
    CHECK(mode_of(".taskresults/mine") == 0750);
    tr_own_folder_close(&folder);
    clean_up();
  }
}

static void a_folder_that_cannot_have_the_group_is_closed_to_groups(void) {
  TrOwnFolder folder;
  begin_with_mode(0750);
  failing = "fchown group", failing_at = 1, failing_errno = EPERM;
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK);
  failing = NULL;
  CHECK(mode_of(".taskresults") == 0700);
  tr_own_folder_close(&folder);
  clean_up();
}

static void a_folder_that_cannot_be_given_away_is_no_use(void) {
  if (geteuid() != 0) return;
  TrOwnFolder folder;
  char *message = NULL;
  begin_with_mode(0750);
  CHECK(fchown(dir_fd, 65534, 65533) == 0);
  failing = "fchown user", failing_at = 1, failing_errno = EPERM;
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", &message) == SQLITE_READONLY && folder.fd == -1);
  failing = NULL;
  CHECK(message && strstr(message, "it cannot be given to the owner of the directory of results"));
  CHECK(faccessat(dir_fd, ".taskresults", F_OK, 0) != 0);
  sqlite3_free(message);
  clean_up();
}

/* Two make it at the same time. */
static void a_folder_that_another_process_has_just_made_is_taken(void) {
  TrOwnFolder folder;
  begin_with_mode(0755);
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", NULL) == SQLITE_OK);
  tr_own_folder_close(&folder);
  CHECK(unlinkat(dir_fd, ".taskresults/mine", AT_REMOVEDIR) == 0);
  failing = "mkdirat", failing_at = 1, failing_errno = EEXIST;
  char *message = NULL;
  CHECK(tr_own_folder_open(&folder, dir_fd, place, "mine", true, "x", &message) != SQLITE_OK);
  CHECK(message && strstr(message, "/.taskresults/mine: No such file or directory")); /* and removed at once */
  failing = NULL;
  sqlite3_free(message);
  clean_up();
}

int main(void) {
  RUN(none_is_no_error_and_nothing_is_made);
  RUN(both_folders_are_made_with_the_rights_to_read_of_the_directory);
  RUN(root_gives_them_to_the_owner_and_group_of_the_directory);
  RUN(links_files_and_folders_of_others_are_refused_at_both_levels);
  RUN(another_folder_in_the_place_of_the_new_one_is_not_given_away);
  RUN(what_root_has_just_made_is_given_by_whoever_finds_it);
  RUN(what_cannot_be_made_is_told);
  RUN(a_call_that_fails_is_told_and_what_was_made_is_removed);
  RUN(a_folder_that_cannot_have_the_group_is_closed_to_groups);
  RUN(a_folder_that_cannot_be_given_away_is_no_use);
  RUN(a_folder_that_another_process_has_just_made_is_taken);
  return check_result();
}
