/*
** digest.c - SHA-256, by libcrypto.
**
** libcrypto is loaded by the first prune or seal, and not linked: loading it more than doubles what a sqlite3 process
** has to do before its first statement (2.2 to 4.8 million instructions), and only those need it. Its configuration
** file is not read, because that can name code to be run.
**
** A build with -DTR_WITHOUT_DIGEST (make WITH_SEAL=0) does without: then there is no digest.
*/
#include "history.h"

#include <stdio.h>
#include <string.h>

void tr_digest_text(const unsigned char bytes[TR_DIGEST_BYTES], char out[TR_DIGEST_TEXT_SIZE]) {
  for (int i = 0; i < TR_DIGEST_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Only what tr_digest_text() writes: lower case. */
bool tr_digest_parse(const char *text, unsigned char out[TR_DIGEST_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  if (strlen(text) != TR_DIGEST_TEXT_SIZE - 1 || strspn(text, digits) != TR_DIGEST_TEXT_SIZE - 1) return false;
  for (int i = 0; i < TR_DIGEST_BYTES; i++) {
    ptrdiff_t high = strchr(digits, text[2 * i]) - digits, low = strchr(digits, text[2 * i + 1]) - digits;
    out[i] = (unsigned char)(high * 16 + low);
  }
  return true;
}

void tr_digest_append(sqlite3_str *out, const char *name, const unsigned char digest[TR_DIGEST_BYTES]) {
  char text[TR_DIGEST_TEXT_SIZE];
  tr_digest_text(digest, text);
  tr_json_append_text(out, name, text);
}

bool tr_digest_take(const TrJson *object, const char *key, unsigned char digest[TR_DIGEST_BYTES]) {
  const char *text = tr_json_text(tr_json_member(object, key));
  return text && tr_digest_parse(text, digest);
}

#ifdef TR_WITHOUT_DIGEST

int tr_digest_new(TrDigest **digest, char **message) {
  (void)message;
  *digest = NULL;
  return SQLITE_OK;
}

int tr_digest_restart(TrDigest *digest) {
  (void)digest;
  return SQLITE_OK;
}

int tr_digest_add(TrDigest *digest, const void *bytes, size_t length) {
  (void)digest, (void)bytes, (void)length;
  return SQLITE_OK;
}

int tr_digest_end_bytes(TrDigest *digest, unsigned char out[TR_DIGEST_BYTES]) {
  (void)digest;
  memset(out, 0, TR_DIGEST_BYTES);
  return SQLITE_OK;
}

int tr_digest_end(TrDigest *digest, char out[TR_DIGEST_TEXT_SIZE]) {
  (void)digest;
  out[0] = '\0';
  return SQLITE_OK;
}

void tr_digest_free(TrDigest *digest) {
  (void)digest;
}

#else

#include <dlfcn.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#if OPENSSL_VERSION_MAJOR >= 3
#define TEXT_OF(number) #number
#define TEXT_OF_MACRO(macro) TEXT_OF(macro)
#define LIBCRYPTO "libcrypto.so." TEXT_OF_MACRO(OPENSSL_SHLIB_VERSION)
#else
#define LIBCRYPTO "libcrypto.so." SHLIB_VERSION_NUMBER
#endif

typedef struct TrDigest {
  void *library;       /* owned */
  EVP_MD_CTX *context; /* owned */
  __typeof__(&EVP_MD_CTX_free) free_context;
  __typeof__(&EVP_DigestInit_ex) begin;
  __typeof__(&EVP_DigestUpdate) update;
  __typeof__(&EVP_DigestFinal_ex) final;
} TrDigest;

static int library_error(char **message) {
  const char *cause = dlerror();
  return tr_error(message, SQLITE_ERROR, "SHA-256 needs %s: %s", LIBCRYPTO, cause ? cause : "it lacks a function");
}

/* A pointer to a function is not one to an object, in C; POSIX says that they are alike. */
#define FIND(digest, function, into) (*(void **)&(into) = dlsym((digest)->library, #function))

static int begin_digest(TrDigest *digest, char **message) {
  __typeof__(&OPENSSL_init_crypto) init;
  __typeof__(&EVP_MD_CTX_new) new_context;
  __typeof__(&EVP_sha256) sha256;
  digest->library = dlopen(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (digest->library == NULL) return library_error(message);
  if (!FIND(digest, OPENSSL_init_crypto, init) || !FIND(digest, EVP_MD_CTX_new, new_context) ||
      !FIND(digest, EVP_sha256, sha256) || !FIND(digest, EVP_DigestInit_ex, digest->begin) ||
      !FIND(digest, EVP_MD_CTX_free, digest->free_context) || !FIND(digest, EVP_DigestUpdate, digest->update) ||
      !FIND(digest, EVP_DigestFinal_ex, digest->final)) {
    return library_error(message);
  }
  if (!init(OPENSSL_INIT_NO_LOAD_CONFIG, NULL)) return SQLITE_NOMEM;
  digest->context = new_context();
  return digest->context && digest->begin(digest->context, sha256(), NULL) ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_digest_new(TrDigest **digest, char **message) {
  *digest = sqlite3_malloc64(sizeof **digest);
  if (*digest == NULL) return SQLITE_NOMEM;
  **digest = (TrDigest){0};
  int code = begin_digest(*digest, message);
  if (code == SQLITE_OK) return code;
  tr_digest_free(*digest);
  *digest = NULL;
  return code;
}

int tr_digest_restart(TrDigest *digest) {
  return digest->begin(digest->context, NULL, NULL) ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_digest_add(TrDigest *digest, const void *bytes, size_t length) {
  return digest->update(digest->context, bytes, length) ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_digest_end_bytes(TrDigest *digest, unsigned char out[TR_DIGEST_BYTES]) {
  return digest->final(digest->context, out, NULL) ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_digest_end(TrDigest *digest, char out[TR_DIGEST_TEXT_SIZE]) {
  unsigned char bytes[TR_DIGEST_BYTES];
  int code = tr_digest_end_bytes(digest, bytes);
  if (code == SQLITE_OK) tr_digest_text(bytes, out);
  return code;
}

/* The library stays loaded (RTLD_NODELETE): what it has set up for the process cannot be taken back. */
void tr_digest_free(TrDigest *digest) {
  if (digest == NULL) return;
  if (digest->context) digest->free_context(digest->context);
  if (digest->library) dlclose(digest->library);
  sqlite3_free(digest);
}

#endif
