/*
** runner.h - what `taskresults run` needs from C: one program.
**
**   capture.c      a command's output, byte by byte -> the text that is recorded; knows nothing of processes
**   environment.c  the environment that the command gets
**   supervise.c    starts the command, shows or keeps what it prints, ends it in time, has the run recorded
**   timeout.c      --timeout, read and worded
**   write.c        standard input -> a file that is there whole or not at all; knows nothing of commands
*/
#ifndef TASKRESULTS_RUNNER_H
#define TASKRESULTS_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_POINTS 5000 /* code points of a text that the scheduler keeps */

/* The first code points of a text, as UTF-8. */
typedef struct CaptureHead {
  unsigned char text[CAPTURE_POINTS * 4];
  size_t length;       /* bytes */
  size_t points;       /* code points, at most CAPTURE_POINTS */
  size_t solid_length; /* bytes up to the end of the last code point that is not white space */
} CaptureHead;

/* One stream, of any length, in constant memory. A zeroed Capture is ready. */
typedef struct Capture {
  CaptureHead whole;       /* from the first code point */
  CaptureHead stripped;    /* from the first that is not white space */
  bool goes_on;            /* something that is not white space came after `stripped` was full */
  bool after_return;       /* the last byte was a carriage return: a newline behind it is part of it */
  unsigned missing;        /* bytes that the sequence begun still wants */
  uint32_t point;          /* what it has so far */
  unsigned char low, high; /* the range of its next byte */
} Capture;

void capture_bytes(Capture *capture, const unsigned char *bytes, size_t length);
void capture_end(Capture *capture); /* no more will come */

/* The length of capture->stripped.text without the white space at the end of the whole output. */
size_t capture_stripped_length(const Capture *capture);

/* Standard input, up to the seal at its end, becomes the file. The exit status: see write.c. */
int write_main(const char *path, const char *seal);

/* `timeout.c`: false if the text is no length of time, or too short a one. */
bool timeout_parse(const char *text, int64_t *timeout_ms);
#define TIMEOUT_WORDS_SIZE 64
void timeout_words(int64_t timeout_ms, char out[TIMEOUT_WORDS_SIZE]);

/* The words that come from fd, each ended by a NUL byte, to be used as `environ` until the end; NULL with errno set. */
char **environment_read(int fd);

#endif /* TASKRESULTS_RUNNER_H */
