/*
** ping_text.c - a ping -> curl's config file; and the URL from its source.
**
** The URL is a secret: whoever has it can silence the alarm. So it comes from the environment or a file, and goes to
** curl on standard input: an argument is shown by `ps` to everybody.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_BYTES 2000 /* so that the first ping's config fits into a pipe before curl reads */

/* --- the URL ------------------------------------------------------------------------------------------------------ */

/* The file's first bytes, as a text; 0, or errno. */
static int read_file(const char *path, char text[URL_BYTES + 2]) {
  size_t length = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return errno;
  int reason = 0;
  while (length <= URL_BYTES) {
    ssize_t count = read(fd, text + length, URL_BYTES + 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) reason = errno;
    if (count <= 0) break;
    length += (size_t)count;
  }
  close(fd);
  text[length] = '\0';
  return reason;
}

/* What is wrong with it; NULL: nothing. */
static const char *fault_of_url(const char *url) {
  bool is_web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
  if (*url == '\0') return "there is no URL";
  if (strlen(url) > URL_BYTES) return "the URL is too long";
  for (const unsigned char *p = (const unsigned char *)url; *p; p++) {
    if (*p <= ' ' || *p == 0x7f) return "the URL has a blank or a control character in it";
  }
  return is_web ? NULL : "the URL does not begin with http:// or https://";
}

char *ping_url(const char *source, const char **fault) {
  char text[URL_BYTES + 2];
  const char *url = text;
  *fault = NULL;
  if (*source == '@') {
    int reason = read_file(source + 1, text);
    if (reason) *fault = strerror(reason);
    if (reason) return NULL;
    text[strcspn(text, "\r\n")] = '\0';
  } else {
    url = getenv("TASKRESULTS_PING_URL");
    if (url == NULL) url = "";
  }
  *fault = fault_of_url(url);
  return *fault ? NULL : strdup(url);
}

/* --- the config --------------------------------------------------------------------------------------------------- */

/* In quotes, with curl's escapes. A NUL or an invalid byte becomes U+FFFD. */
static void put_quoted(FILE *out, const unsigned char *text, size_t length) {
  for (size_t at = 0, step; at < length; at += step) {
    unsigned char byte = text[at];
    step = byte < 0x80 ? 1 : tr_utf8_sequence(text + at, length - at);
    if (step == 0 || byte == '\0') {
      fputs("\xef\xbf\xbd", out);
      step = 1;
    } else if (byte == '\n' || byte == '\r' || byte == '\t') {
      fputs(byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t", out);
    } else if (byte == '"' || byte == '\\') {
      fprintf(out, "\\%c", byte);
    } else {
      fwrite(text + at, 1, step, out);
    }
  }
}

/* Appends the action to the path: a slash at the path's end is not doubled, and a query stays behind. */
static void put_url(FILE *out, const char *url, const char *action) {
  size_t path = strcspn(url, "?#"), base = path;
  while (base > 0 && url[base - 1] == '/') base--;
  fputs("url = \"", out);
  put_quoted(out, (const unsigned char *)url, base);
  fprintf(out, "/%s", action);
  put_quoted(out, (const unsigned char *)url + path, strlen(url + path));
  fputs("\"\n", out);
}

void ping_write(FILE *out, const char *url, const char *action, const unsigned char *body, size_t length) {
  bool is_secure = strncmp(url, "https:", 6) == 0;
  put_url(out, url, action);
  fputs("globoff\nsilent\nshow-error\nfail\noutput = \"/dev/null\"\n", out);
  fputs("location\nmax-redirs = 5\npost301\npost302\n", out);
  fprintf(out, "proto = \"=http,https\"\nproto-redir = \"=%s\"\n", is_secure ? "https" : "http,https");
  fprintf(out, "max-time = %d\nretry = 2\n", PING_SECONDS);
  if (body == NULL) return;
  fputs("header = \"Content-Type: text/plain; charset=utf-8\"\nheader = \"Expect:\"\ndata-raw = \"", out);
  put_quoted(out, body, length);
  fputs("\"\n", out);
}
