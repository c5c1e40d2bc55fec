/*
** target.c - each call into libc fails in turn while an output is opened, put in its place and closed. What it replaces
** is then the old file or the complete new one, nothing else is left beside it, no descriptor stays open, and the
** failure is the call's own. The calls below take the place of libc's.
*/
#include "tr.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "check.h"

#define LIBC(name) (*(__typeof__(&name) *)&(void *){dlsym(RTLD_NEXT, #name)})

static int calls;              /* since the scenario began; -1: calls are not counted */
static int failing_call;       /* the number of the one that fails, from 1 on; 0: none does */
static int failing_errno;      /* how */
static const char *has_failed; /* its name; NULL: it was not reached */

static bool fails(const char *name) {
  if (calls < 0 || ++calls != failing_call) return false;
  has_failed = name;
  errno = failing_errno;
  return true;
}

#define INSTEAD(type, name, parameters, arguments)                                                                     \
  type name parameters {                                                                                               \
    return fails(#name) ? (type)-1 : LIBC(name) arguments;                                                             \
  }
INSTEAD(int, fstat, (int fd, struct stat *found), (fd, found))
INSTEAD(int, stat, (const char *path, struct stat *found), (path, found))
INSTEAD(int, fstatat, (int fd, const char *name, struct stat *found, int flags), (fd, name, found, flags))
INSTEAD(int, fstatfs, (int fd, struct statfs *found), (fd, found))
INSTEAD(ssize_t, readlinkat, (int fd, const char *name, char *text, size_t size), (fd, name, text, size))
INSTEAD(ssize_t, getrandom, (void *bytes, size_t count, unsigned flags), (bytes, count, flags))
INSTEAD(int, fchmod, (int fd, mode_t mode), (fd, mode))
INSTEAD(int, fsync, (int fd), (fd))
INSTEAD(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))

/* Also opens for reading only: each directory on the path. */
int openat(int dir_fd, const char *name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails("openat") ? -1 : LIBC(openat)(dir_fd, name, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails("open") ? -1 : LIBC(open)(path, flags, mode);
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  return fails("fcntl") ? -1 : LIBC(fcntl)(fd, command, argument);
}

/* It closes all the same, as on Linux. */
int close(int fd) {
  int closed = LIBC(close)(fd);
  return fails("close") ? -1 : closed;
}

/* --- a directory, and what becomes of it -------------------------------------------------------------------------- */

static char directory[] = "/tmp/taskresults-unit-XXXXXX";
#define OLD "what was there before\n"
#define NEW "what is written now\n"

typedef struct Scenario {
  const char *what, *path, *file; /* the file that is replaced; NULL: a pipe gets it */
  bool is_new, for_root;          /* the file is not there before; only root can make what it needs */
  const char *temporary;          /* the name that it is written under; NULL: a random one */
} Scenario;

static const Scenario scenarios[] = {
    {"a new file", "new.csv", "new.csv", true, false, NULL},
    {"a file", "file.csv", "file.csv", false, false, NULL},
    {"a file, under a name that is chosen", "file.csv", "file.csv", false, false, ".taskresults.chosen"},
    {"a file in a directory", "sub/./deep//file.csv", "sub/deep/file.csv", false, false, NULL},
    {"a link", "link.csv", "sub/deep/file.csv", false, false, NULL},
    {"a link in a link's directory", "linked/away.csv", "file.csv", false, false, NULL},
    {"a link to a new file", "ahead.csv", "sub/later.csv", true, false, NULL},
    {"a link of another user's", "theirs/link.csv", "theirs/file.csv", false, true, NULL},
    {"a pipe", "pipe", NULL, false, false, NULL},
    {"a descriptor of ours, a pipe", "/dev/fd/90", NULL, false, false, NULL},
    {"a descriptor's link", "/proc/self/fd/90", NULL, false, false, NULL},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios, PIPE_FD = 90 };

static void shell(const char *command) {
  CHECK(system(command) == 0);
}

static void fill_directory(bool for_root) {
  shell("rm -rf * && mkdir -p sub/deep && ln -s sub/deep/file.csv link.csv && ln -s sub/deep linked && "
        "ln -s sub/later.csv ahead.csv && ln -s \"$PWD/file.csv\" sub/deep/away.csv && mkfifo pipe && "
        "printf 'what was there before\\n' | tee file.csv sub/deep/file.csv >empty && chmod 640 file.csv "
        "sub/deep/file.csv");
  if (for_root) {
    shell("mkdir theirs && printf 'what was there before\\n' >theirs/file.csv && chmod 640 theirs/file.csv && "
          "ln -s file.csv theirs/link.csv && chown -h 12345 theirs theirs/link.csv");
  }
}

/* The file that a scenario replaces, as it is before: another one may have taken its place. */
static void put_back(const Scenario *scenario) {
  if (scenario->file == NULL) return;
  unlink(scenario->file);
  if (scenario->is_new) return;
  int fd = open(scenario->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  CHECK(fd >= 0 && write(fd, OLD, strlen(OLD)) == (ssize_t)strlen(OLD));
  LIBC(close)(fd);
}

static void read_file(const char *name, char text[100]) {
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd >= 0 ? read(fd, text, 99) : 0;
  text[length > 0 ? length : 0] = '\0';
  if (fd >= 0) close(fd);
}

static int file_count;
static int count_file(const char *path, const struct stat *found, int type, struct FTW *place) {
  (void)path, (void)found, (void)type, (void)place;
  file_count++;
  return 0;
}

/* Temporary files count, too. */
static int count_files(void) {
  file_count = 0;
  CHECK(nftw(".", count_file, 20, FTW_PHYS) == 0);
  return file_count;
}

static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 200; fd++) count += LIBC(fcntl)(fd, F_GETFD) >= 0;
  return count;
}

/* --- one run ------------------------------------------------------------------------------------------------------ */

/* Writes as output.c does. Returns 0 or errno. */
static int write_target(const Scenario *scenario) {
  TrTarget target;
  calls = 0;
  int code = tr_target_open(&target, scenario->path, scenario->temporary);
  if (code == 0 && write(target.fd, NEW, strlen(NEW)) != (ssize_t)strlen(NEW)) code = EPIPE;
  if (code == 0) code = tr_target_commit(&target, true);
  bool is_in_place = target.in_place;
  tr_target_close(&target);
  calls = -1;
  CHECK(code == 0 || !is_in_place || strcmp(has_failed, "fsync") == 0); /* the directory's */
  return code;
}

/* The pipe has a reader, so that it can be opened. Returns what came out of it. */
static int run(const Scenario *scenario, char got[100]) {
  int reader = open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC), pipe_fd = open("pipe", O_WRONLY | O_CLOEXEC);
  CHECK(dup2(pipe_fd, PIPE_FD) == PIPE_FD && LIBC(close)(pipe_fd) == 0);
  int before = count_descriptors(), code = write_target(scenario);
  CHECK(count_descriptors() == before);
  ssize_t length = read(reader, got, 99);
  got[length > 0 ? length : 0] = '\0';
  if (scenario->file) read_file(scenario->file, got);
  close(reader), close(PIPE_FD);
  return code;
}

static void check_failure(const Scenario *scenario, int code, const char *got, int files_before) {
  bool is_whole = strcmp(got, NEW) == 0, is_old = strcmp(got, scenario->file && !scenario->is_new ? OLD : "") == 0;
  /* Closing what was only looked at need not succeed; and what is no descriptor of ours has another way. */
  bool may_succeed = scenario->file == NULL || strcmp(has_failed, "close") == 0;
  bool is_fine = code == failing_errno ? is_old || is_whole : code == 0 && is_whole && may_succeed;
  bool left_nothing = count_files() == files_before + (scenario->is_new && is_whole);
  if (!is_fine || !left_nothing) {
    printf("# %s: call %d, %s: %s, '%s'\n", scenario->what, failing_call, has_failed, strerror(code), got);
  }
  CHECK(is_fine && left_nothing);
}

static void try_each_call(const Scenario *scenario) {
  char got[100];
  struct stat kept;
  fill_directory(scenario->for_root);
  put_back(scenario);
  int files = count_files();
  failing_call = 0;
  CHECK(run(scenario, got) == 0 && strcmp(got, NEW) == 0);
  if (scenario->file && !scenario->is_new) CHECK(stat(scenario->file, &kept) == 0 && (kept.st_mode & 0777) == 0640);
  failing_errno = EIO;
  for (failing_call = 1; failing_call < 200; failing_call++) {
    put_back(scenario);
    has_failed = NULL;
    int code = run(scenario, got);
    if (has_failed == NULL) break;
    check_failure(scenario, code, got, files);
  }
  CHECK(failing_call > 3 && failing_call < 200);
}

static void whichever_call_fails_the_file_is_the_old_or_the_new_one(void) {
  for (int i = 0; i < SCENARIOS; i++) {
    if (!scenarios[i].for_root || geteuid() == 0) try_each_call(&scenarios[i]);
  }
}

static void an_impossible_path_is_refused(void) {
  static const struct {
    const char *path;
    int code;
  } cases[] = {{"", ENOENT},          {"sub", EISDIR},   {"sub/", EISDIR},       {"/", EISDIR},
               {"none/file", ENOENT}, {"none/", ENOENT}, {"file.csv/", ENOTDIR}, {"file.csv/x", ENOTDIR},
               {"loop", ELOOP},       {"nobody", EAGAIN}};
  static char long_name[PATH_MAX + 1], long_path[PATH_MAX + 1];
  fill_directory(false);
  shell("ln -s loop loop && mkfifo nobody");
  int before = count_descriptors();
  TrTarget target;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int code = tr_target_open(&target, cases[i].path, NULL);
    if (code != cases[i].code) printf("# '%s': %s\n", cases[i].path, strerror(code));
    CHECK(code == cases[i].code);
    tr_target_close(&target);
  }
  memset(long_name, 'x', NAME_MAX + 1);
  CHECK(tr_target_open(&target, long_name, NULL) == ENAMETOOLONG);
  for (int i = 0; i < PATH_MAX; i++) long_path[i] = "./"[i % 2];
  CHECK(tr_target_open(&target, long_path, NULL) == ENAMETOOLONG);
  CHECK(count_descriptors() == before);
}

static void the_temporary_has_the_chosen_name_unless_that_is_taken_or_too_long(void) {
  static char long_name[NAME_MAX + 2];
  memset(long_name, 'x', NAME_MAX + 1);
  fill_directory(false);
  shell("echo mine >taken");
  int files_before = count_files();
  const char *const names[] = {"chosen", "taken", long_name};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    TrTarget target;
    char got[100];
    CHECK(tr_target_open(&target, "file.csv", names[i]) == 0);
    CHECK((access("chosen", F_OK) == 0) == (i == 0) && count_files() == files_before + 1);
    CHECK(write(target.fd, NEW, strlen(NEW)) == (ssize_t)strlen(NEW) && tr_target_commit(&target, true) == 0);
    tr_target_close(&target);
    read_file("file.csv", got);
    CHECK(strcmp(got, NEW) == 0 && count_files() == files_before);
    read_file("taken", got);
    CHECK(strcmp(got, "mine\n") == 0);
  }
}

int main(void) {
  calls = -1;
  CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
  RUN(whichever_call_fails_the_file_is_the_old_or_the_new_one);
  RUN(an_impossible_path_is_refused);
  RUN(the_temporary_has_the_chosen_name_unless_that_is_taken_or_too_long);
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", directory);
  shell(command);
  return check_result();
}
