/*
** error.c - messages that name the file, the place and the cause.
**
** Every error is reported in the same way: the code is returned, the text goes to *message. No "last error" is kept
** anywhere.
*/
#include "base.h"

#include <errno.h>
#include <sys/stat.h>

int tr_error(char **message, int code, const char *format, ...) {
  if (message == NULL) return code;
  va_list arguments;
  va_start(arguments, format);
  char *text = sqlite3_vmprintf(format, arguments);
  va_end(arguments);
  sqlite3_free(*message);
  *message = text;
  return code;
}

int tr_error_code(int error_number) {
  switch (error_number) {
  case ENOSPC:
  case EDQUOT: return SQLITE_FULL;
  case ENOMEM: return SQLITE_NOMEM;
  case EACCES:
  case EPERM:
  case EROFS: return SQLITE_READONLY;
  default: return SQLITE_IOERR;
  }
}

const char *tr_file_type(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}
