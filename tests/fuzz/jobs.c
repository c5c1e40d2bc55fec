/*
** jobs.c - fuzz target: a jobs file. What the strict lane refuses is refused; what is accepted has values that can all
** be read.
**
** Aimed at ext/scheduler/json_file.c.
*/
#include "tr.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static void read_value(const TrJson *value) {
  static const char *const member[] = {"id", "name", "enabled", "next_run", "timeout", ""};
  int64_t number;
  if (value == NULL) return;
  tr_json_is_truthy(value);
  tr_json_integer(value, &number);
  const char *text = tr_json_text(value);
  MUST(text == NULL || tr_utf8_is_valid(text, strlen(text)));
  for (size_t i = 0; tr_json_is_object(value) && i < sizeof member / sizeof *member; i++) {
    read_value(tr_json_member(value, member[i]));
  }
  if (!tr_json_is_array(value)) return;
  for (const TrJson *element = tr_json_first(value); element; element = tr_json_next(element)) read_value(element);
}

/* Is it JSON, an object, by the strict lane? That knows lines: between tokens a carriage return is as good as a
** newline. */
static bool is_object(const uint8_t *data, size_t size) {
  TrRecord record;
  unsigned char *line = malloc(size + TR_PADDING);
  for (size_t i = 0; i < size; i++) line[i] = data[i] == '\n' ? '\r' : data[i];
  memset(line + size, 0, TR_PADDING);
  bool is = tr_slow_lane(line, size, &record) == TR_OK;
  free(line);
  return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64], *message = NULL;
  TrPoll poll = {0};
  TrJson *root;
  int fd = memfd_create("jobs", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int code = tr_json_load(AT_FDCWD, path, 0, 0, &poll, &root, &message);
  MUST(code == SQLITE_OK || (code == SQLITE_CORRUPT && message));
  if (code == SQLITE_OK) {
    MUST(is_object(data, size));
    read_value(tr_json_member(root, "jobs"));
    read_value(root);
    tr_json_free(root);
  }
  sqlite3_free(message);
  close(fd);
  return 0;
}
