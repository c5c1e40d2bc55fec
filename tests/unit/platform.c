/*
** platform.c - what is found out about processes, processors, leases and threads on an unusual system: /proc hides
** processes, one of its files has other content, a call fails. The calls into libc below replace libc's own.
*/
#include "tr.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

#define LIBC(name) (*(__typeof__(&name) *)&(void *){dlsym(RTLD_NEXT, #name)})

static const char *failing;          /* the call that fails; NULL: none does */
static int failing_errno;            /* how */
static char instead[64];             /* a path: it is opened instead of a file of /proc; "": it is not */
static unsigned processors_there;    /* 0: the real number */
static const char *const *attribute; /* of each file; the last one is NULL */
static char copied[256];             /* the attributes that were set, each with a space behind it */

static bool fails(const char *name) {
  if (failing == NULL || strcmp(failing, name) != 0) return false;
  errno = failing_errno;
  return true;
}

static bool is_of_proc(const char *path) {
  return strncmp(path, "/proc/", 6) == 0;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (is_of_proc(path) && fails("open")) return -1;
  return LIBC(open)(is_of_proc(path) && *instead ? instead : path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
  if (is_of_proc(path) && fails("fopen")) return NULL;
  return LIBC(fopen)(is_of_proc(path) && *instead ? instead : path, mode);
}

ssize_t read(int fd, void *bytes, size_t count) {
  return fails("read") ? -1 : LIBC(read)(fd, bytes, count);
}

int fstat(int fd, struct stat *found) {
  return fails("fstat") ? -1 : LIBC(fstat)(fd, found);
}

int stat(const char *path, struct stat *found) {
  return fails("stat") ? -1 : LIBC(stat)(path, found);
}

int fstatfs(int fd, struct statfs *found) {
  return fails("fstatfs") ? -1 : LIBC(fstatfs)(fd, found);
}

ssize_t getrandom(void *bytes, size_t count, unsigned flags) {
  return fails("getrandom") ? -1 : LIBC(getrandom)(bytes, count, flags);
}

long sysconf(int name) {
  return fails("sysconf") ? -1 : LIBC(sysconf)(name);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  if (fails("sched_getaffinity")) return -1;
  if (processors_there == 0) return LIBC(sched_getaffinity)(pid, size, set);
  CPU_ZERO(set);
  for (unsigned i = 0; i < processors_there; i++) CPU_SET(i, set);
  return 0;
}

ssize_t flistxattr(int fd, char *list, size_t size) {
  (void)fd, (void)size;
  if (fails("flistxattr")) return -1;
  char *end = list;
  for (const char *const *name = attribute; *name; name++) end = stpcpy(end, *name) + 1;
  return end - list;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size) {
  (void)fd, (void)name, (void)size;
  if (fails("fgetxattr")) return -1;
  memcpy(value, "v", 1);
  return 1;
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
  (void)fd, (void)flags;
  if (fails("fsetxattr")) return -1;
  CHECK(size == 1 && memcmp(value, "v", 1) == 0);
  strcat(strcat(copied, name), " ");
  return 0;
}

int pthread_attr_init(pthread_attr_t *attributes) {
  return fails("pthread_attr_init") ? failing_errno : LIBC(pthread_attr_init)(attributes);
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes) {
  return fails("pthread_attr_setstacksize") ? failing_errno : LIBC(pthread_attr_setstacksize)(attributes, bytes);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
  return fails("pthread_sigmask") ? failing_errno : LIBC(pthread_sigmask)(how, set, before);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument) {
  return fails("pthread_create") ? failing_errno : LIBC(pthread_create)(thread, attributes, work, argument);
}

static void fail(const char *name, int error_number) {
  failing = name;
  failing_errno = error_number;
}

/* A file of /proc holds `text`. */
static void proc_holds(const char *text) {
  strcpy(instead, "/tmp/taskresults-unit-XXXXXX");
  int fd = mkstemp(instead);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void proc_is_itself(void) {
  CHECK(unlink(instead) == 0);
  *instead = '\0';
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static int read_ourselves(char *state, int64_t *started_us) {
  *state = '?';
  *started_us = -1;
  return tr_process_read(getpid(), state, started_us);
}

/* A name may look like the fields that follow it. */
static void a_process_may_have_any_name(void) {
  static const char *const names[] = {"", "a b", ") S 1 2 3", "(a) Z 0", ")", "a) T 9 9"};
  char state;
  int64_t started_us, first_us, now_us = tr_clock_us();
  CHECK(read_ourselves(&state, &first_us) == 0 && state == 'R');
  CHECK(first_us > now_us - 3600 * TR_US_PER_SECOND && first_us <= now_us + TR_US_PER_SECOND);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    CHECK(prctl(PR_SET_NAME, names[i]) == 0);
    CHECK(read_ourselves(&state, &started_us) == 0 && state == 'R');
    CHECK(llabs(started_us - first_us) < TR_US_PER_SECOND / 10);
  }
}

static void a_file_of_proc_without_the_fields_hides_the_process(void) {
  static const char *const texts[] = {
      "",        "7",          "7 (a",       "7 (a)",
      "7 (a) ",  "7 (a)S 1",   "7 (a) S",    "7 (a) S 1 2 3",
      "7 a S 1", "7 (a) S 1 ", "no process", "7 (a) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"};
  char state;
  int64_t started_us;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    proc_holds(texts[i]);
    int reason = read_ourselves(&state, &started_us);
    if (reason != TR_PROCESS_HIDDEN) printf("# '%s': %d\n", texts[i], reason);
    CHECK(reason == TR_PROCESS_HIDDEN && started_us == -1);
    proc_is_itself();
  }
  proc_holds("7 (a) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 100 23");
  CHECK(read_ourselves(&state, &started_us) == 0 && state == 'S' && started_us > 0);
  fail("sysconf", EINVAL);
  CHECK(read_ourselves(&state, &started_us) == TR_PROCESS_HIDDEN);
  fail(NULL, 0);
  proc_is_itself();
}

/* ENOENT, EACCES, EPERM: /proc hides other users' processes. ESRCH: the process ended after the file was opened. */
static void a_process_is_hidden_or_cannot_be_read(void) {
  static const struct {
    const char *call;
    int error_number, reason;
  } cases[] = {{"open", ENOENT, TR_PROCESS_HIDDEN},
               {"open", EACCES, TR_PROCESS_HIDDEN},
               {"open", EPERM, TR_PROCESS_HIDDEN},
               {"open", EMFILE, EMFILE},
               {"open", ENOMEM, ENOMEM},
               {"read", ESRCH, TR_PROCESS_HIDDEN},
               {"read", EIO, EIO}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char state;
    int64_t started_us;
    int next_fd = dup(0);
    close(next_fd);
    fail(cases[i].call, cases[i].error_number);
    CHECK(read_ourselves(&state, &started_us) == cases[i].reason && started_us == -1);
    fail(NULL, 0);
    int fd = dup(0);
    CHECK(fd == next_fd); /* nothing stays open */
    close(fd);
  }
}

/* --- processors and threads --------------------------------------------------------------------------------------- */

static void a_query_uses_two_threads_if_there_are_two_processors(void) {
  static const unsigned threads_of[] = {0, 1, 2, 2, 2};
  for (processors_there = 1; processors_there <= 4; processors_there++) {
    CHECK(tr_processors() == processors_there);
    CHECK(tr_threads_default() == threads_of[processors_there]);
  }
  processors_there = 0;
  fail("sched_getaffinity", EINVAL); /* so with more than 1,024 */
  CHECK(tr_processors() == 1 && tr_threads_default() == 1);
  fail(NULL, 0);
}

static void *look_at_signals(void *result) {
  sigset_t blocked;
  LIBC(pthread_sigmask)(SIG_BLOCK, NULL, &blocked);
  bool *all = result;
  *all = true;
  for (int number = 1; number <= SIGSYS; number++) {
    *all &= number == SIGKILL || number == SIGSTOP || sigismember(&blocked, number) == 1;
  }
  return NULL;
}

static bool signals_are(const sigset_t *expected) {
  sigset_t now;
  LIBC(pthread_sigmask)(SIG_BLOCK, NULL, &now);
  for (int number = 1; number <= SIGSYS; number++) {
    if (sigismember(&now, number) != sigismember(expected, number)) return false;
  }
  return true;
}

static void a_helper_gets_no_signals_and_the_caller_keeps_its_own(void) {
  static const char *const calls[] = {"pthread_attr_init", "pthread_attr_setstacksize", "pthread_sigmask",
                                      "pthread_create"};
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  CHECK(LIBC(pthread_sigmask)(SIG_SETMASK, &usr1, NULL) == 0);
  bool all = false;
  pthread_t thread;
  CHECK(tr_thread_start(&thread, look_at_signals, &all) && pthread_join(thread, NULL) == 0);
  CHECK(all && signals_are(&usr1));
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    fail(calls[i], EAGAIN);
    CHECK(!tr_thread_start(&thread, look_at_signals, &all));
    fail(NULL, 0);
    CHECK(signals_are(&usr1));
  }
  sigemptyset(&usr1);
  CHECK(LIBC(pthread_sigmask)(SIG_SETMASK, &usr1, NULL) == 0);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* Half of the time that the kernel gives, and half an hour at most; half of 45 seconds, the kernel's default, if it is
** unknown. */
static void the_time_of_a_lease_is_half_of_what_the_system_gives(void) {
  static const struct {
    const char *text;
    int budget_ms;
  } cases[] = {{"45\n", 22500}, {"10\n", 5000},          {"1", 500},      {"3600\n", 1800000}, {"3601\n", 1800000},
               {"0\n", 22500},  {"2147483647", 1800000}, {"-3\n", 22500}, {"", 22500},         {"long", 22500}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    proc_holds(cases[i].text);
    CHECK(tr_lease_budget_ms() == cases[i].budget_ms);
    proc_is_itself();
  }
  fail("fopen", ENOENT);
  CHECK(tr_lease_budget_ms() == 22500);
  fail(NULL, 0);
}

static void random_bytes_are_given_or_the_reason_why_not(void) {
  unsigned char bytes[2][16] = {0};
  CHECK(tr_random_bytes(bytes[0], 16) == 0 && tr_random_bytes(bytes[1], 16) == 0 &&
        memcmp(bytes[0], bytes[1], 16) != 0);
  fail("getrandom", ENOSYS);
  CHECK(tr_random_bytes(bytes[0], 16) == ENOSYS);
  fail(NULL, 0);
}

static void only_names_in_our_own_list_are_descriptors_of_ours(void) {
  static const char *const calls[] = {"fstatfs", "fstat", "stat"};
  int ours = open("/proc/self/fd", O_RDONLY | O_DIRECTORY), another = open("/proc/1/fd", O_RDONLY | O_DIRECTORY);
  int proc = open("/proc", O_RDONLY | O_DIRECTORY), tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
  CHECK(ours >= 0 && proc >= 0 && tmp >= 0);
  CHECK(tr_descriptor_named(ours, "0") == 0 && tr_descriptor_named(ours, "63") == 63);
  CHECK(tr_descriptor_named(ours, "1a") == -1 && tr_descriptor_named(ours, "-1") == -1);
  CHECK(tr_descriptor_named(ours, "name") == -1);
  CHECK(tr_descriptor_named(proc, "1") == -1 && tr_descriptor_named(tmp, "1") == -1);
  if (another >= 0) CHECK(tr_descriptor_named(another, "1") == -1); /* without the right to it, there is none */
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    fail(calls[i], EIO);
    CHECK(tr_descriptor_named(ours, "1") == -1);
    fail(NULL, 0);
  }
  close(ours), close(proc), close(tmp), close(another);
}

/* What only the system sets (security.*) comes by itself. */
static void attributes_of_the_user_and_access_lists_are_copied(void) {
  static const char *const attributes[] = {"security.selinux", "user.a", "system.posix_acl_access",
                                           "trusted.b",        "user.c", NULL};
  static char buffer[TR_ATTRIBUTES_BYTES];
  const char *name = "";
  attribute = attributes;
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == 0);
  CHECK(strcmp(copied, "user.a system.posix_acl_access user.c ") == 0);
  fail("flistxattr", ENOTSUP);
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == 0);
  fail("flistxattr", ENOSYS);
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == 0);
  fail("flistxattr", EIO);
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == EIO && name == NULL);
  fail("fgetxattr", EIO);
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == EIO && strcmp(name, "user.a") == 0);
  fail("fsetxattr", ENOSPC);
  CHECK(tr_attributes_copy(0, 1, buffer, &name) == ENOSPC && strcmp(name, "user.a") == 0);
  fail(NULL, 0);
}

int main(void) {
  RUN(a_process_may_have_any_name);
  RUN(a_file_of_proc_without_the_fields_hides_the_process);
  RUN(a_process_is_hidden_or_cannot_be_read);
  RUN(a_query_uses_two_threads_if_there_are_two_processors);
  RUN(a_helper_gets_no_signals_and_the_caller_keeps_its_own);
  RUN(the_time_of_a_lease_is_half_of_what_the_system_gives);
  RUN(random_bytes_are_given_or_the_reason_why_not);
  RUN(only_names_in_our_own_list_are_descriptors_of_ours);
  RUN(attributes_of_the_user_and_access_lists_are_copied);
  return check_result();
}
