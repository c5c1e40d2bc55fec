/* place.h - a directory for a fuzz target whose input is a file of it. Include "tr.h" first, and "fuzz.h". */
#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include <fcntl.h>

/* A new directory: its descriptor. `path` gets its name. */
static inline int fuzz_make_place(const char *name, char path[256]) {
  const char *base = getenv("TMPDIR");
  snprintf(path, 256, "%s/%s.XXXXXX", base ? base : "/tmp", name);
  MUST(mkdtemp(path) != NULL);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST(fd >= 0);
  return fd;
}

#endif /* FUZZ_PLACE_H */
