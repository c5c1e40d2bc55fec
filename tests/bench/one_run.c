/*
** one_run.c REPORT COMMAND... - runs the command, and writes what it took to the file REPORT: wall seconds, processor
** seconds (those of its children too), and the peak memory in KiB of the largest process, by wait4().
**
** A small program of its own, since Linux counts the memory of the process that forks as the child's peak, up to its
** exec: below Python, nothing would ever seem to take less than Python does. Exits as the command does, 128 + N by
** signal N.
*/
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(const char *path, double wall_s, const struct rusage *usage) {
  FILE *file = fopen(path, "w");
  if (!file) {
    perror(path);
    exit(126);
  }
  fprintf(file, "%.9f %.6f %ld\n", wall_s, seconds(usage->ru_utime) + seconds(usage->ru_stime), usage->ru_maxrss);
  fclose(file);
}

int main(int argc, char **argv) {
  struct rusage usage;
  int status;
  if (argc < 3) return 2;
  double start_s = now_s();
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
    perror("one_run");
    return 126;
  }
  report(argv[1], now_s() - start_s, &usage);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
