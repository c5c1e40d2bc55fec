/*
** foreign.c - runs a program of another processor under qemu: PROGRAM, by its loader, with libraries of its own, and
** our arguments and environment. (qemu's option for that, -L, would also find other files there: /tmp is none of its
** own.) Linked statically, so that an LD_PRELOAD in the environment is the program's alone.
*/
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef PROGRAM /* each is compiled with its own */
#define QEMU "qemu-aarch64"
#define LOADER "ld.so"
#define LIBRARIES "/usr/lib"
#define PROGRAM "sqlite3"
#endif

int main(int argc, char **argv) {
  char **command = calloc((size_t)argc + 5, sizeof *command);
  if (command == NULL) return 127;
  command[0] = QEMU;
  command[1] = LOADER;
  command[2] = "--library-path";
  command[3] = LIBRARIES;
  command[4] = PROGRAM;
  for (int i = 1; i < argc; i++) command[i + 4] = argv[i];
  execvp(QEMU, command);
  perror(QEMU);
  return 127;
}
