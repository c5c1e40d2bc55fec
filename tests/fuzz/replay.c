/*
** replay.c - runs a fuzz target over files and directories of inputs, without a fuzzer, so that old findings are tested
** again. Prints how many there were; an input that fails ends the process, and its name is the last line printed.
**
** usage: TARGET FILE-OR-DIRECTORY...
*/
#include "fuzz.h"

#include <dirent.h>

static unsigned long inputs;

static void replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return;
  size_t room = 1 << 20, size;
  uint8_t *data = malloc(room);
  size = fread(data, 1, room, file);
  fclose(file);
  uint8_t *exact = malloc(size ? size : 1); /* of its very size: a sanitizer sees any overread */
  memcpy(exact, data, size);
  free(data);
  fprintf(stderr, "# %s\n", path);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  inputs++;
}

static void replay(const char *path) {
  DIR *stream = opendir(path);
  if (stream == NULL) {
    replay_file(path);
    return;
  }
  for (struct dirent *entry; (entry = readdir(stream));) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    replay_file(name);
  }
  closedir(stream);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  printf("%lu inputs\n", inputs);
  return inputs == 0;
}
