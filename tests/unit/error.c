/* error.c - messages, and the SQLite code for an errno. */
#include "tr.h"

#include <errno.h>
#include <string.h>

#include "check.h"

static void a_message_replaces_the_one_before(void) {
  char *message = NULL;
  CHECK(tr_error(&message, SQLITE_IOERR, "%s %d", "byte", 1) == SQLITE_IOERR && strcmp(message, "byte 1") == 0);
  CHECK(tr_error(&message, SQLITE_FULL, "other") == SQLITE_FULL && strcmp(message, "other") == 0);
  sqlite3_free(message);
  CHECK(tr_error(NULL, SQLITE_CORRUPT, "%s", "nobody asked") == SQLITE_CORRUPT);
}

static void a_full_disk_a_missing_permission_and_a_failure_have_different_codes(void) {
  static const struct {
    int error_number, code;
  } expected[] = {
      {ENOSPC, SQLITE_FULL},    {EDQUOT, SQLITE_FULL},    {ENOMEM, SQLITE_NOMEM}, {EACCES, SQLITE_READONLY},
      {EPERM, SQLITE_READONLY}, {EROFS, SQLITE_READONLY}, {EIO, SQLITE_IOERR},    {EINVAL, SQLITE_IOERR},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    int code = tr_error_code(expected[i].error_number);
    if (code != expected[i].code) printf("# %s gives %d\n", strerror(expected[i].error_number), code);
    CHECK(code == expected[i].code);
  }
}

int main(void) {
  RUN(a_message_replaces_the_one_before);
  RUN(a_full_disk_a_missing_permission_and_a_failure_have_different_codes);
  return check_result();
}
