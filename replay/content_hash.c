#include "replay/content_hash.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/event.h"

/* Small parts are gathered here first: a call into the library for eight bytes costs more than
 * hashing them. */
#define GATHER_BYTES 4096u

struct content_hash {
    EVP_MD_CTX *context;
    size_t gathered;
    unsigned char gather[GATHER_BYTES];
};

struct content_hash *
content_hash_new(void)
{
    struct content_hash *hash = alloc_zeroed(sizeof(*hash));
    hash->context = EVP_MD_CTX_new();
    int started = hash->context != NULL && EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL);
    assert(started); /* fails only without memory */
    return hash;
}

void
content_hash_free(struct content_hash *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

static void
update(struct content_hash *hash, const void *data, size_t length)
{
    int done = EVP_DigestUpdate(hash->context, data, length);
    assert(done);
}

static void
add(struct content_hash *hash, const void *data, size_t length)
{
    if (length == 0)
        return;
    assert(data != NULL);
    if (length > GATHER_BYTES - hash->gathered) {
        update(hash, hash->gather, hash->gathered);
        hash->gathered = 0;
    }
    if (length > GATHER_BYTES) {
        update(hash, data, length);
        return;
    }
    memcpy(hash->gather + hash->gathered, data, length);
    hash->gathered += length;
}

static void
add_u32(struct content_hash *hash, uint32_t value)
{
    unsigned char bytes[4];
    store_u32(bytes, value);
    add(hash, bytes, sizeof(bytes));
}

static void
add_u64(struct content_hash *hash, uint64_t value)
{
    unsigned char bytes[8];
    store_u64(bytes, value);
    add(hash, bytes, sizeof(bytes));
}

static void
add_nullable(struct content_hash *hash, struct bytes bytes)
{
    add_u64(hash, bytes.data == NULL ? 0 : (uint64_t)bytes.length + 1);
    add(hash, bytes.data, bytes.length);
}

void
content_hash_event(struct content_hash *hash, const struct event *event)
{
    size_t label = strlen(event->stream->label);
    add_u32(hash, (uint32_t)label);
    add(hash, event->stream->label, label);
    add_u32(hash, (uint32_t)event->partition);
    add_u64(hash, (uint64_t)event->offset);
    unsigned char type = (unsigned char)event->time_type;
    add(hash, &type, 1);
    add_u64(hash, (uint64_t)event->time_ns);
    add_nullable(hash, event->key);
    add_u64(hash, event->headers.length);
    add(hash, event->headers.data, event->headers.length);
    add_nullable(hash, event->payload);
}

static void
to_text(const unsigned char digest[32], char text[CONTENT_HASH_TEXT])
{
    hex_put(text, bytes_make(digest, 32));
    text[64] = '\0';
}

void
content_hash_end(struct content_hash *hash, char text[CONTENT_HASH_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    update(hash, hash->gather, hash->gathered);
    hash->gathered = 0;
    int done = EVP_DigestFinal_ex(hash->context, digest, NULL);
    assert(done);
    to_text(digest, text);
}

void
sha256_text(struct bytes bytes, char text[CONTENT_HASH_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    int done = EVP_Digest(bytes.data, bytes.length, digest, NULL, EVP_sha256(), NULL);
    assert(done);
    to_text(digest, text);
}
