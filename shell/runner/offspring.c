/*
** offspring.c - the processes that a command leaves behind, wherever they have gone: into other groups and sessions
** too.
**
** We are the subreaper: a process whose parent has ended becomes our child. So once the command has ended, each process
** that it left is our child, or has an ancestor that is, and is our child when that one has ended. A child that we have
** not waited for keeps its process number, so a signal cannot hit another process.
**
** The system's list of children is only a hint: each process in it is checked with waitid(). Without such a list (/proc
** is not mounted, or belongs to another namespace), all numbers are tried.
*/
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has(const Pids *pids, pid_t pid) {
  for (size_t i = 0; i < pids->count; i++) {
    if (pids->list[i] == pid) return true;
  }
  return false;
}

/* Without memory, the process is left out. */
void pids_add(Pids *pids, pid_t pid) {
  if (pids->count == pids->room) {
    size_t room = pids->room ? 2 * pids->room : 64;
    pid_t *list = realloc(pids->list, room * sizeof *list);
    if (list == NULL) return;
    pids->list = list;
    pids->room = room;
  }
  pids->list[pids->count++] = pid;
}

static void forget(Pids *pids, pid_t pid) {
  for (size_t i = 0; i < pids->count; i++) {
    if (pids->list[i] == pid) pids->list[i--] = pids->list[--pids->count];
  }
}

static bool is_child(pid_t pid) {
  siginfo_t info;
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool list_by_system(Pids *children) {
  if (!children_listed(children)) return false;
  for (size_t i = children->count; i-- > 0;) {
    if (!is_child(children->list[i])) children->list[i] = children->list[--children->count];
  }
  return true;
}

static void list_by_trying(Pids *children) {
  pid_t most = highest_pid();
  for (pid_t pid = 2; pid <= most; pid++) {
    if (is_child(pid)) pids_add(children, pid);
  }
}

static bool has_children(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Call it before the command is started: `exec taskresults run` makes its caller's children ours, which are left
** alone. */
void offspring_begin(Offspring *offspring) {
  adopt_orphans();
  if (has_children() && !list_by_system(&offspring->strangers)) list_by_trying(&offspring->strangers);
}

static void forget_others(const Offspring *offspring, Pids *children) {
  forget(children, offspring->command);
  for (size_t i = 0; i < offspring->strangers.count; i++) forget(children, offspring->strangers.list[i]);
}

static void list_offspring(const Offspring *offspring, Pids *children) {
  if (!list_by_system(children)) list_by_trying(children);
  forget_others(offspring, children);
}

/* Each process gets TERM once; those in the command's group got it with the group. */
static void tell(Offspring *offspring, pid_t pid, int number) {
  if (number == SIGTERM && (has(&offspring->told, pid) || getpgid(pid) == offspring->command)) return;
  if (number == SIGTERM) pids_add(&offspring->told, pid);
  kill(pid, number);
  if (number == SIGTERM) kill(pid, SIGCONT);
}

/* True: some had ended, so the list is out of date: what they left behind is now our child. */
static bool tell_list(Offspring *offspring, const Pids *children, int number) {
  bool has_changed = false;
  for (size_t i = 0; i < children->count; i++) {
    pid_t pid = children->list[i];
    if (waitpid(pid, NULL, WNOHANG) == pid) {
      forget(&offspring->told, pid);
      has_changed = true;
    } else {
      tell(offspring, pid, number);
    }
  }
  return has_changed;
}

bool offspring_tell(Offspring *offspring, int number) {
  Pids children = {0};
  do {
    children.count = 0;
    list_offspring(offspring, &children);
  } while (tell_list(offspring, &children, number));
  free(children.list);
  return children.count > 0;
}

/* Reaps processes that end while the command runs. If /proc does not list them, they stay zombies until we end. */
void offspring_reap(const Offspring *offspring) {
  Pids children = {0};
  if (list_by_system(&children)) {
    forget_others(offspring, &children);
    for (size_t i = 0; i < children.count; i++) waitpid(children.list[i], NULL, WNOHANG);
  }
  free(children.list);
}
