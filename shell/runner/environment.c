/*
** environment.c - the environment that the command gets: exactly that of the user. The script that starts us has
** changed its own environment, so it passes the original through a pipe, each word ended by a NUL byte, where nobody
** else can read it.
*/
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All bytes until the end of file, and a NUL after them; NULL with errno set. */
static char *read_all(int fd, size_t *length) {
  size_t room = 0;
  char *bytes = NULL;
  *length = 0;
  for (;;) {
    if (room - *length < 2) {
      room = room ? 2 * room : 65536;
      char *larger = realloc(bytes, room);
      if (larger == NULL) break;
      bytes = larger;
    }
    ssize_t count = read(fd, bytes + *length, room - *length - 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    if (count == 0) {
      bytes[*length] = '\0';
      return bytes;
    }
    *length += (size_t)count;
  }
  free(bytes);
  return NULL;
}

char **environment_read(int fd) {
  size_t length, count = 0, at = 0;
  char *bytes = read_all(fd, &length);
  if (bytes == NULL) return NULL;
  for (size_t i = 0; i < length; i++) count += bytes[i] == '\0';
  char **words = calloc(count + 1, sizeof *words);
  if (words == NULL) {
    free(bytes);
    return NULL;
  }
  for (char *word = bytes; at < count; word += strlen(word) + 1) words[at++] = word;
  return words;
}
