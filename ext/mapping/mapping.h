/*
** mapping.h - a mapping: which keys of a line of JSON are the columns of a record, and what counts as a success.
**
** Other programs than our scheduler write one line of JSON for each run, too; they differ in the names of the keys.
** A mapping is data that names them. Its grammar is in ext/DIALECTS.md. Here it is read from JSON, and put into the
** form that the lanes of read/ need: a table of all keys that it mentions, each with a number, its slot. A lane sets
** the span of each slot; read/mapped.c makes the columns from the spans.
*/
#ifndef TR_MAPPING_H
#define TR_MAPPING_H

#include "../base/base.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** mapping/keys.c - the keys that are looked for, and their slots */
#define TR_MAX_KEYS 48      /* slots */
#define TR_MAX_KEY_BYTES 64 /* of a key */
#define TR_KEY_BUCKETS 64

typedef struct TrKey {
  char text[TR_MAX_KEY_BYTES];
  uint8_t length; /* bytes */
  uint8_t parent; /* 0: a member of the record; else of the member that `opens` this */
  uint8_t slot;   /* TrKeys.count: only its members are asked for */
  uint8_t opens;  /* 0: its members are not asked for */
  uint8_t next;   /* in its bucket: index + 1; 0: none */
} TrKey;

typedef struct TrKeys {
  unsigned count;                 /* slots; the one behind them is for values that nobody asks for */
  unsigned names;                 /* of key[] */
  unsigned parents;               /* the highest `opens` */
  uint64_t constants;             /* a bit for each slot whose few values only decide, and are shown nowhere */
  TrKey key[2 * TR_MAX_KEYS];     /* the slot of a key that is only a parent is set when all are known: tr_keys_end() */
  uint8_t bucket[TR_KEY_BUCKETS]; /* index + 1; 0: empty */
} TrKeys;

static inline unsigned tr_keys_bucket(unsigned parent, const unsigned char *key, size_t length) {
  return ((unsigned)length * 5 + key[0] + key[length - 1] * 7U + parent * 11) % TR_KEY_BUCKETS;
}

/* The key of so many bytes below that parent, or NULL. It is called for the keys of most lines. */
static inline const TrKey *tr_keys_find(const TrKeys *keys, unsigned parent, const unsigned char *text, size_t length) {
  if (length == 0) return NULL;
  for (unsigned i = keys->bucket[tr_keys_bucket(parent, text, length)]; i; i = keys->key[i - 1].next) {
    const TrKey *key = &keys->key[i - 1];
    if (key->length == length && key->parent == parent && memcmp(key->text, text, length) == 0) return key;
  }
  return NULL;
}

/* *slot: that of the key, or of the key below `parent` (NULL: none). False: there are too many. A key has at least one
** byte, and at most TR_MAX_KEY_BYTES. */
TR_CHECKED bool tr_keys_add(TrKeys *keys, const char *parent, const char *key, uint8_t *slot);
void tr_keys_end(TrKeys *keys); /* after the last one */

/* ------------------------------------------------------------------------------------------------------------------
** What a fast lane remembers of the previous line (read/fast.c) */
#define TR_LAYOUT_STEPS 12
#define TR_LAYOUT_TEXT 128

/* The bytes before a value, as they were in the previous line, to compare with the next one: keys and separators, and
** whole members that are the same in each line of a file (the job's id and name). */
typedef struct TrLayoutStep {
  unsigned char text[TR_LAYOUT_TEXT]; /* from the end of the previous value to the start of this one */
  uint8_t length;                     /* of text */
  uint8_t field;                      /* whose value follows: TrField, or TR_FIELD_COUNT; of a mapping, the slot */
  uint8_t name_at, name_length;       /* the job's name within text, if names_job */
  bool names_job;
} TrLayoutStep;

typedef struct TrLayout {
  unsigned count; /* steps; 0: no layout known */
  unsigned lines; /* that had this layout */
  bool varies;    /* members assumed to be the same in each line turned out not to be */
  bool repeats;   /* the layout assumes such a member */
  TrLayoutStep step[TR_LAYOUT_STEPS];
} TrLayout;

/* As TrLayoutStep. A value that is the same in each line is a part of the text. */
typedef struct TrMappedStep {
  unsigned char text[TR_LAYOUT_TEXT];
  uint8_t length;
  uint8_t field;     /* slot whose value follows */
  uint8_t null_kind; /* direct: what null is in the record: TrKind */
  uint16_t into;     /* direct: the place of the value's span in TrRecord, in bytes */
} TrMappedStep;

typedef struct
    TrFixedValue { /* that of a slot, which is a part of a step's text; or of the tail, as of one more step */
  uint8_t step, at, length;
  uint8_t kind; /* TrKind */
  uint8_t slot;
} TrFixedValue;

/* The layout of a line under a mapping: values at any depth, so that nested ones are compared, too. It is direct if
** each value belongs to one column at most, and those that decide are the same in each line: then the verdict is,
** too. */
#define TR_MAPPED_STEPS 24
#define TR_FIXED_VALUES 8
typedef struct TrMappedLayout {
  unsigned count, lines; /* as in TrLayout */
  uint32_t used;         /* when it was the latest one */
  uint8_t next;          /* which one the line had that followed the last time */
  bool is_judged;        /* it is known whether it is direct */
  bool is_direct, duration_in_seconds;
  uint8_t reason, success; /* direct: TrReason, TrKind */
  uint8_t fixed_count, tail_length;
  TrFixedValue fixed[TR_FIXED_VALUES];
  unsigned char tail[TR_LAYOUT_TEXT]; /* from the end of the last value to the brace that closes the record */
  TrMappedStep step[TR_MAPPED_STEPS];
} TrMappedLayout;

#define TR_MAPPED_LAYOUTS 8 /* the lines of successes and of failures often differ, and those of other events */
#define TR_OTHER_KEYS 256   /* keys that nobody asks for, by a hash */
typedef struct TrMappedLayouts {
  TrMappedLayout likely[TR_MAPPED_LAYOUTS];
  unsigned latest; /* the layout of the previous line */
  uint32_t clock;
  unsigned wasted;              /* layouts that fitted no second line, one after another */
  bool constants_vary;          /* so many that the values that decide are not taken for the same any more */
  bool is_direct;               /* the current line was read straight into the record */
  uint8_t other[TR_OTHER_KEYS]; /* what is known of their values: TrOtherValue of fast.c */
  uint32_t key[TR_OTHER_KEYS], value[TR_OTHER_KEYS]; /* hashes */
} TrMappedLayouts;

/* ------------------------------------------------------------------------------------------------------------------
** mapping/mapping.c - JSON -> a mapping, or what is wrong with it, and where
** mapping/builtin.c - the mappings that are built in */
#define TR_CHOICES 16     /* keys of an "any" */
#define TR_MAX_CASES 64   /* of all lists together */
#define TR_MAX_PAIRS 128  /* of all cases */
#define TR_MAX_VALUES 256 /* of all pairs */
#define TR_MAX_MAPPING_BYTES (64 * 1024)

typedef struct TrChoice { /* the first that is there and not null */
  uint8_t count;
  uint8_t slot[TR_CHOICES];
} TrChoice;

typedef enum TrMatchKind { TR_MATCH_NULL, TR_MATCH_FALSE, TR_MATCH_TRUE, TR_MATCH_NUMBER, TR_MATCH_TEXT } TrMatchKind;

typedef struct TrMatch { /* a value to compare with */
  uint8_t kind;          /* TrMatchKind */
  uint32_t length;       /* bytes */
  const char *text;      /* in TrMapping.texts */
  double number;
} TrMatch;

typedef struct TrSlice { /* [first, first + count) of an array of the mapping */
  uint16_t first, count;
} TrSlice;

typedef struct TrPair { /* the slot's value is one of these */
  uint8_t slot;
  TrSlice values;
} TrPair;

typedef struct TrMapping {
  char *prefix, *suffix; /* owned: of the files' names, before and behind the star */
  bool has_star;
  bool job_in_record; /* else the star stands for the job */
  bool by_number;     /* the files' order: by number, the highest first; else by name */
  bool has_truth;     /* success is what Python calls true of the value of `truth`; else the lists say it */
  uint8_t truth;      /* slot */
  TrKeys keys;
  TrChoice job, timestamp, started, name, output, error, duration;
  uint32_t in_seconds;                      /* bit i: choice i of `duration` is in seconds; else in milliseconds */
  TrSlice where, success, failure, unknown; /* of case_ */
  TrSlice case_[TR_MAX_CASES];              /* of pair */
  TrPair pair[TR_MAX_PAIRS];
  TrMatch value[TR_MAX_VALUES];
  unsigned cases, pairs, values;
  uint8_t decides[TR_MAX_KEYS]; /* the slots of all pairs, each once */
  unsigned deciding;            /* how many */
  char *texts;                  /* owned */
  locale_t c_locale;            /* owned: numbers are read with '.', whatever the host's locale */
  size_t texts_length;
} TrMapping;

/* mapping/syntax.c - where a text stops to be JSON, strictly; NULL: it is. */
const char *tr_mapping_syntax_fault(const char *text);

/* Does a name tell whose file it is, so that those of rotated files do, too? */
static inline bool tr_mapping_has_segments(const TrMapping *mapping) {
  return !mapping->job_in_record && mapping->suffix[0] != '\0';
}

/* SQLITE_OK and an owned *mapping; or an error that names `what`, and the key and its place, or the byte. */
TR_CHECKED int tr_mapping_parse(const char *what, const char *text, TrMapping **mapping, char **message);
void tr_mapping_free(TrMapping *mapping); /* NULL is allowed */

#define TR_VERDICT_BYTES 120
typedef struct TrMappedVerdict {        /* what a line's values, where they decide, mean */
  uint8_t length;                       /* of them; 0: none */
  uint8_t reason, success;              /* TrReason, TrKind */
  unsigned char text[TR_VERDICT_BYTES]; /* see mapped.c */
} TrMappedVerdict;
#define TR_VERDICTS 4 /* kept at a time */

const char *tr_mapping_builtin(const char *name); /* its JSON; NULL: there is none of that name */
extern const char *const tr_mapping_names[];      /* of those that are built in; ends with NULL */
#define TR_NATIVE "native" /* the first of them: what our scheduler writes; it is read without a mapping */

/* mapping/source.c - a name, @FILE or JSON -> a mapping; *mapping NULL: it is that of our scheduler. `where`: who says
** so, for messages. */
TR_CHECKED int tr_mapping_load(const char *where, const char *source, TrMapping **mapping, char **message);
/* The same, with the JSON; both are owned, and never NULL. */
TR_CHECKED int tr_mapping_read(const char *where, const char *source, char **text, TrMapping **mapping, char **message);

#pragma GCC visibility pop
#endif /* TR_MAPPING_H */
