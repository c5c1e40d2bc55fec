/*
** random.h - the same random numbers in every run, and what they do to a text. For tests that try thousands of inputs.
*/
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint64_t random_state = UINT64_C(20260215);

/* splitmix64 */
static inline uint64_t random_bits(void) {
  uint64_t z = (random_state += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static inline size_t random_below(size_t limit) {
  return (size_t)(random_bits() % limit);
}

/* Opens a gap of `count` bytes at `at`, or closes one (text[at, at + count) is gone then). */
static inline size_t random_gap(unsigned char *text, size_t length, size_t room, size_t at, size_t count) {
  if (length + count > room) return length;
  memmove(text + at + count, text + at, length - at);
  return length + count;
}
static inline size_t random_cut(unsigned char *text, size_t length, size_t at, size_t count) {
  if (count > length - at) count = length - at;
  memmove(text + at, text + at + count, length - at - count);
  return length - count;
}

/* One change to text[0, length), in a buffer of `room` bytes. `words` are what to insert. Returns the new length. */
static inline size_t random_mutation(unsigned char *text, size_t length, size_t room, const char *const *words,
                                     size_t word_count) {
  size_t at = random_below(length + 1), other = random_below(length + 1);
  const char *word = words[random_below(word_count)];
  size_t word_length = strlen(word), before = length;
  switch (random_below(8)) {
  case 0: /* flip a bit */
    if (at < length) text[at] ^= (unsigned char)(1u << random_below(8));
    return length;
  case 1: /* overwrite with a byte of a word */
    if (at < length && word_length) text[at] = (unsigned char)word[random_below(word_length)];
    return length;
  case 2: return random_cut(text, length, at, 1);
  case 3: return random_cut(text, length, at, random_below(20));
  case 4: /* insert a word */
    length = random_gap(text, length, room, at, word_length);
    if (length > before) memcpy(text + at, word, word_length);
    return length;
  case 5: /* repeat what stands elsewhere */
    word_length = random_below(20) < length - other ? random_below(length - other + 1) : 0;
    if (word_length > 40) word_length = 40;
    if (other >= at || length + word_length > room) return length;
    length = random_gap(text, length, room, at, word_length);
    if (other + word_length <= at) memcpy(text + at, text + other, word_length);
    return length;
  case 6: return random_below(4) ? length : at; /* cut short */
  default:                                      /* exchange two bytes */
    if (at < length && other < length) {
      unsigned char byte = text[at];
      text[at] = text[other];
      text[other] = byte;
    }
    return length;
  }
}

#endif /* RANDOM_H */
