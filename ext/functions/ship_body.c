/*
** ship_body.c - taskresults_ship_body(head, seq, hash, n, row): an aggregate that joins the rows of a batch into the
** body of one request, for `taskresults ship`.
**
** A row becomes head,"seq":SEQ,"hash":HASH,"n":N,row and there is a line feed between two of them. `head` begins with
** the bracket, and `row` ends with it (tables/lines_row.c). Rows are long: here each is copied once, into one buffer;
** group_concat() over printf() would copy it four times.
*/
#include "functions.h"

#include <string.h>

/* More than the keys and three numbers take. */
#define NUMBERS_SIZE 128

typedef struct ShipBody {
  char *bytes; /* owned */
  size_t length, room;
  int rc; /* SQLITE_NOMEM or SQLITE_TOOBIG: nothing more is joined */
} ShipBody;

static int body_reserve(ShipBody *body, sqlite3 *db, size_t more) {
  size_t wanted = body->length + more;
  if (wanted > (size_t)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1)) return SQLITE_TOOBIG;
  char *bytes = tr_array_reserve(body->bytes, &body->room, wanted, 1);
  if (bytes == NULL) return SQLITE_NOMEM;
  body->bytes = bytes;
  return SQLITE_OK;
}

static void body_put(ShipBody *body, const void *bytes, size_t length) {
  memcpy(body->bytes + body->length, bytes, length);
  body->length += length;
}

static void ship_body_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  ShipBody *body = sqlite3_aggregate_context(context, sizeof *body);
  const unsigned char *head = sqlite3_value_text(argv[0]), *row = sqlite3_value_text(argv[4]);
  size_t head_length = (size_t)sqlite3_value_bytes(argv[0]), row_length = (size_t)sqlite3_value_bytes(argv[4]);
  char numbers[NUMBERS_SIZE];
  if (body == NULL || body->rc != SQLITE_OK) return;
  if (head == NULL || row == NULL)
    body->rc = SQLITE_NOMEM;
  else
    body->rc = body_reserve(body, sqlite3_context_db_handle(context), head_length + row_length + sizeof numbers);
  if (body->rc != SQLITE_OK) return;
  sqlite3_snprintf(sizeof numbers, numbers, ",\"seq\":%lld,\"hash\":%lld,\"n\":%lld,", sqlite3_value_int64(argv[1]),
                   sqlite3_value_int64(argv[2]), sqlite3_value_int64(argv[3]));
  if (body->length > 0) body_put(body, "\n", 1);
  body_put(body, head, head_length);
  body_put(body, numbers, strlen(numbers));
  body_put(body, row, row_length);
}

static void ship_body_final(sqlite3_context *context) {
  ShipBody *body = sqlite3_aggregate_context(context, 0);
  if (body == NULL) return;
  if (body->rc != SQLITE_OK) {
    sqlite3_result_error_code(context, body->rc);
    sqlite3_free(body->bytes);
  } else {
    sqlite3_result_text64(context, body->bytes, body->length, sqlite3_free, SQLITE_UTF8);
  }
}

int tr_ship_body_register(sqlite3 *db) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  return sqlite3_create_function_v2(db, "taskresults_ship_body", 5, flags, NULL, NULL, ship_body_step, ship_body_final,
                                    NULL);
}
