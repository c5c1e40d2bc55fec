/*
** capture.c - what a command prints -> the text that is recorded, exactly as the scheduler's Python makes it.
**
** That is subprocess's text mode, str.strip() and [:5000], with undecodable bytes replaced instead of failing the run:
**   - UTF-8, each maximal part of a broken sequence as one U+FFFD (errors='replace');
**   - \r\n and \r as \n;
**   - for a success, white space gone from both ends, and then the first 5000 code points; for a failure, only the
**     latter. Which of the two is wanted is known when the command ends, so both are kept.
** The output may be endless: only these two beginnings are kept.
*/
#include "base/base.h"
#include "runner.h"

#define REPLACEMENT 0xfffd

/* The characters for which Python's str.isspace() is true. */
static bool is_space(uint32_t point) {
  return (point >= 0x09 && point <= 0x0d) || (point >= 0x1c && point <= 0x20) || point == 0x85 || point == 0xa0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
         point == 0x202f || point == 0x205f || point == 0x3000;
}

static void add_to_head(CaptureHead *head, uint32_t point, bool space) {
  head->length += tr_utf8_put(point, head->text + head->length);
  head->points++;
  if (!space) head->solid_length = head->length;
}

static void add_point(Capture *capture, uint32_t point) {
  if (capture->goes_on) return; /* then both heads are full */
  bool space = is_space(point);
  if (capture->whole.points < CAPTURE_POINTS) add_to_head(&capture->whole, point, space);
  if (capture->stripped.points == CAPTURE_POINTS) {
    capture->goes_on = !space;
  } else if (capture->stripped.points > 0 || !space) {
    add_to_head(&capture->stripped, point, space);
  }
}

/* \r\n and \r become \n. */
static void add_decoded(Capture *capture, uint32_t point) {
  bool is_second_half = capture->after_return && point == '\n';
  capture->after_return = point == '\r';
  if (!is_second_half) add_point(capture, point == '\r' ? '\n' : point);
}

/* The range of the byte behind a lead byte excludes overlong forms, surrogates and what lies above U+10FFFF. */
static void begin_sequence(Capture *capture, unsigned char byte) {
  capture->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  capture->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  if (byte < 0x80) {
    add_decoded(capture, byte);
  } else if (byte >= 0xc2 && byte <= 0xdf) {
    capture->missing = 1;
    capture->point = byte & 0x1f;
  } else if (byte >= 0xe0 && byte <= 0xef) {
    capture->missing = 2;
    capture->point = byte & 0x0f;
  } else if (byte >= 0xf0 && byte <= 0xf4) {
    capture->missing = 3;
    capture->point = byte & 0x07;
  } else {
    add_decoded(capture, REPLACEMENT);
  }
}

static void capture_byte(Capture *capture, unsigned char byte) {
  if (capture->missing == 0) {
    begin_sequence(capture, byte);
  } else if (byte >= capture->low && byte <= capture->high) {
    capture->point = capture->point << 6 | (byte & 0x3f);
    capture->low = 0x80;
    capture->high = 0xbf;
    if (--capture->missing == 0) add_decoded(capture, capture->point);
  } else { /* the incomplete sequence is one error, and this byte starts a new character */
    capture->missing = 0;
    add_decoded(capture, REPLACEMENT);
    begin_sequence(capture, byte);
  }
}

void capture_bytes(Capture *capture, const unsigned char *bytes, size_t length) {
  for (size_t i = 0; i < length && !capture->goes_on; i++) capture_byte(capture, bytes[i]);
}

void capture_end(Capture *capture) {
  if (capture->missing) add_decoded(capture, REPLACEMENT);
  capture->missing = 0;
}

size_t capture_stripped_length(const Capture *capture) {
  return capture->goes_on ? capture->stripped.length : capture->stripped.solid_length;
}
