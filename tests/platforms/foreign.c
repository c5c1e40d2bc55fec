/*
** foreign.c - runs a program of another processor under qemu, with its libraries: PROGRAM, with our arguments and
** environment. Linked statically, so that an LD_PRELOAD in the environment is the program's alone.
*/
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef PROGRAM /* each is compiled with its own */
#define QEMU "qemu-aarch64"
#define SYSROOT "/"
#define PROGRAM "sqlite3"
#endif

int main(int argc, char **argv) {
  char **command = calloc((size_t)argc + 4, sizeof *command);
  if (command == NULL) return 127;
  command[0] = QEMU;
  command[1] = "-L";
  command[2] = SYSROOT;
  command[3] = PROGRAM;
  for (int i = 1; i < argc; i++) command[i + 3] = argv[i];
  execvp(QEMU, command);
  perror(QEMU);
  return 127;
}
