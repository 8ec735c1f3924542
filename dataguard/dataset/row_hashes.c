/* Hashes of rows and the leaves of a version id: what row_contents.py and manifest.py say in SQL, to the last bit.
 *
 * A stream of Arrow batches is made of another: the columns that are only carried along stay where they are, those of a
 * row's content become its SHA-256, and the leaves are kept for whoever asks for them. DuckDB makes the one and reads
 * the other, in its own threads; nothing here holds Python's lock. SHA-256 is that of the processor where it has one,
 * two rows at a time, since an instruction takes as long as two.
 *
 * Apart from that, leaves are put in order.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define HAVE_SHA 1
#endif

enum {
    VERSION = 2, /* of native_rows.py */
    DIGEST = 32,
    HEX = 2 * DIGEST,
    BLOCK = 64,
    HEAD = 16,           /* bytes that a content begins with: HEAD_BYTES of row_contents.py */
    AT_A_TIME = 128,     /* messages */
    FEW = 32,            /* leaves that are put in order by insertion */
    ABSENT = -1,
    DIGITS = 20
};

/* The Arrow C data interface. */
typedef struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
} ArrowSchema;

typedef struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
} ArrowArray;

typedef struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
} ArrowArrayStream;

/* SHA-256 */

static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Padded messages, one after the other: what lies between starts[i] and starts[i + 1] is a whole number of blocks. */
typedef struct {
    uint8_t *bytes;
    size_t used, room, n;
    size_t starts[AT_A_TIME + 1];
} Messages;

typedef uint8_t Digests[AT_A_TIME][DIGEST];
typedef void (*Hasher)(const Messages *, Digests);

static inline uint32_t rotated(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static inline void put_word(uint8_t *to, uint32_t word)
{
    to[0] = (uint8_t)(word >> 24);
    to[1] = (uint8_t)(word >> 16);
    to[2] = (uint8_t)(word >> 8);
    to[3] = (uint8_t)word;
}

static void hash_anywhere(const Messages *messages, Digests digests)
{
    for (size_t i = 0; i < messages->n; i++) {
        uint32_t state[8];
        memcpy(state, START, sizeof state);
        for (size_t at = messages->starts[i]; at < messages->starts[i + 1]; at += BLOCK) {
            const uint8_t *block = messages->bytes + at;
            uint32_t w[64], s[8];
            for (int t = 0; t < 16; t++)
                w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
                       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
            for (int t = 16; t < 64; t++)
                w[t] = w[t - 16] + w[t - 7] + (rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3) +
                       (rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10);
            memcpy(s, state, sizeof s);
            /* The places of the eight words go round: none is moved. */
#pragma GCC unroll 8
            for (int t = 0; t < 64; t++) {
                uint32_t a = s[-t & 7], b = s[(1 - t) & 7], c = s[(2 - t) & 7], e = s[(4 - t) & 7];
                uint32_t one = s[(7 - t) & 7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                               ((e & s[(5 - t) & 7]) ^ (~e & s[(6 - t) & 7])) + K[t] + w[t];
                uint32_t two = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
                s[(3 - t) & 7] += one;
                s[(7 - t) & 7] = one + two;
            }
            for (int k = 0; k < 8; k++)
                state[k] += s[k];
        }
        for (int k = 0; k < 8; k++)
            put_word(digests[i] + 4 * k, state[k]);
    }
}

#if HAVE_SHA
#define SHA_CODE __attribute__((target("sha,sse4.1,ssse3")))

/* One block of each of so many messages, whose instructions do not wait for each other's. The halves of a state are
 * as the processor wants them: ABEF and CDGH. */
SHA_CODE static inline __attribute__((always_inline)) void compress(
    __m128i (*state)[2], const uint8_t *const *blocks, int lanes)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i m[2][4], before[2][2];
    for (int l = 0; l < lanes; l++) {
        before[l][0] = state[l][0];
        before[l][1] = state[l][1];
        for (int k = 0; k < 4; k++)
            m[l][k] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)blocks[l] + k), swap);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        for (int l = 0; l < lanes; l++) {
            __m128i *w = m[l];
            __m128i sum = _mm_add_epi32(w[i % 4], _mm_load_si128((const __m128i *)K + i));
            state[l][1] = _mm_sha256rnds2_epu32(state[l][1], state[l][0], sum);
            if (i >= 3 && i < 15) {
                __m128i shifted = _mm_alignr_epi8(w[i % 4], w[(i + 3) % 4], 4);
                w[(i + 1) % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(w[(i + 1) % 4], shifted), w[i % 4]);
            }
            state[l][0] = _mm_sha256rnds2_epu32(state[l][0], state[l][1], _mm_shuffle_epi32(sum, 0x0e));
            if (i >= 1 && i < 13)
                w[(i + 3) % 4] = _mm_sha256msg1_epu32(w[(i + 3) % 4], w[i % 4]);
        }
    for (int l = 0; l < lanes; l++) {
        state[l][0] = _mm_add_epi32(state[l][0], before[l][0]);
        state[l][1] = _mm_add_epi32(state[l][1], before[l][1]);
    }
}

SHA_CODE static void hash_by_processor(const Messages *messages, Digests digests)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    const __m128i first = _mm_set_epi32((int)START[0], (int)START[1], (int)START[4], (int)START[5]);
    const __m128i second = _mm_set_epi32((int)START[2], (int)START[3], (int)START[6], (int)START[7]);
    __m128i state[2][2];
    size_t at[2] = {0, 0}, message[2] = {0, 0}, next = 0;
    int lanes = 0;
    for (;;) {
        while (lanes < 2 && next < messages->n) {
            message[lanes] = next;
            at[lanes] = messages->starts[next++];
            state[lanes][0] = first;
            state[lanes][1] = second;
            lanes++;
        }
        if (!lanes)
            return;
        const uint8_t *blocks[2] = {messages->bytes + at[0], messages->bytes + at[1]};
        if (lanes == 2)
            compress(state, blocks, 2);
        else
            compress(state, blocks, 1);
        at[0] += BLOCK;
        at[1] += BLOCK;
        for (int l = lanes - 1; l >= 0; l--) {
            if (at[l] < messages->starts[message[l] + 1])
                continue;
            __m128i feba = _mm_shuffle_epi32(state[l][0], 0x1b), dchg = _mm_shuffle_epi32(state[l][1], 0xb1);
            __m128i abcd = _mm_blend_epi16(feba, dchg, 0xf0), efgh = _mm_alignr_epi8(dchg, feba, 8);
            uint8_t *to = digests[message[l]];
            _mm_storeu_si128((__m128i *)to, _mm_shuffle_epi8(abcd, swap));
            _mm_storeu_si128((__m128i *)to + 1, _mm_shuffle_epi8(efgh, swap));
            lanes--;
            if (l != lanes) {
                at[l] = at[lanes];
                message[l] = message[lanes];
                state[l][0] = state[lanes][0];
                state[l][1] = state[lanes][1];
            }
        }
    }
}

static int processor_hashes(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 9) || !(c & 1u << 19))
        return 0; /* SSSE3, SSE4.1 */
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
}
#endif

static Hasher best_hasher(void)
{
#if HAVE_SHA
    if (processor_hashes())
        return hash_by_processor;
#endif
    return hash_anywhere;
}

/* Messages */

/* Room for so many bytes more, and for what a message ends with. */
static inline int reserve(Messages *messages, size_t more)
{
    size_t wanted = messages->used + more + 2 * BLOCK;
    if (wanted <= messages->room)
        return 0;
    size_t room = 2 * wanted;
    uint8_t *bytes = realloc(messages->bytes, room);
    if (!bytes)
        return ENOMEM;
    messages->bytes = bytes;
    messages->room = room;
    return 0;
}

static void begin(Messages *messages)
{
    messages->used = messages->n = 0;
    messages->starts[0] = 0;
}

static void end_message(Messages *messages)
{
    uint8_t *bytes = messages->bytes;
    size_t start = messages->starts[messages->n], length = messages->used - start;
    size_t end = start + (length + 9 + BLOCK - 1) / BLOCK * BLOCK;
    memset(bytes + messages->used, 0, end - messages->used);
    bytes[messages->used] = 0x80;
    put_word(bytes + end - 8, (uint32_t)((uint64_t)length >> 29));
    put_word(bytes + end - 4, (uint32_t)((uint64_t)length << 3));
    messages->used = end;
    messages->starts[++messages->n] = end;
}

static inline void put_byte(Messages *messages, char byte)
{
    messages->bytes[messages->used++] = (uint8_t)byte;
}

static inline void put_bytes(Messages *messages, const void *bytes, size_t n)
{
    if (n)
        memcpy(messages->bytes + messages->used, bytes, n);
    messages->used += n;
}

/* Two digits at a time, from the last. */
static inline size_t digits_of(uint64_t number, char *to)
{
    static const char pairs[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char digits[DIGITS];
    size_t at = DIGITS;
    for (; number > UINT32_MAX; number /= 100)
        memcpy(digits + (at -= 2), pairs + 2 * (number % 100), 2);
    uint32_t rest = (uint32_t)number;
    for (; rest >= 100; rest /= 100)
        memcpy(digits + (at -= 2), pairs + 2 * (rest % 100), 2);
    if (rest >= 10)
        memcpy(digits + (at -= 2), pairs + 2 * rest, 2);
    else
        digits[--at] = (char)('0' + rest);
    memcpy(to, digits + at, DIGITS - at);
    return DIGITS - at;
}

static inline void put_number(Messages *messages, int64_t number)
{
    if (number < 0)
        put_byte(messages, '-');
    messages->used +=
        digits_of(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, (char *)messages->bytes + messages->used);
}

/* The two hexadecimal digits of four bytes at a time: the halves of each are spread out, and made letters by adding. */
static inline void put_hexadecimal(char *to, const uint8_t *digest)
{
    for (int part = 0; part < DIGEST; part += 4) {
        uint64_t spread = 0, letters;
        for (int k = 3; k >= 0; k--)
            spread = spread << 16 | (uint64_t)(digest[part + k] & 15) << 8 | digest[part + k] >> 4;
        letters = (spread + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
        spread += 0x3030303030303030u + letters * ('a' - '0' - 10);
        for (int k = 0; k < 8; k++)
            to[2 * part + k] = (char)(spread >> 8 * k);
    }
}

/* Columns */

typedef struct {
    const uint8_t *present, *values;
    const char *texts;
    int64_t offset;
    int wide; /* whether the places of texts have 8 bytes */
} Column;

typedef struct {
    const char *bytes;
    size_t n;
} Text;

static Column column_of(const ArrowArray *batch, const ArrowSchema *schema, int at)
{
    const ArrowArray *array = batch->children[at];
    const char *format = schema->children[at]->format;
    return (Column){
        .present = array->null_count == 0 ? NULL : array->buffers[0],
        .values = array->buffers[1],
        .texts = array->n_buffers > 2 ? array->buffers[2] : NULL,
        .offset = batch->offset + array->offset,
        .wide = format[0] == 'U',
    };
}

static inline int bit_of(const uint8_t *bits, int64_t at)
{
    return bits[at >> 3] >> (at & 7) & 1;
}

static inline int is_absent(const Column *column, int64_t row)
{
    return column->present && !bit_of(column->present, row + column->offset);
}

static inline int64_t number_at(const Column *column, int64_t row)
{
    return ((const int64_t *)column->values)[row + column->offset];
}

static inline Text text_at(const Column *column, int64_t row)
{
    int64_t at = row + column->offset, from, to;
    if (column->wide) {
        from = ((const int64_t *)column->values)[at];
        to = ((const int64_t *)column->values)[at + 1];
    } else {
        from = ((const int32_t *)column->values)[at];
        to = ((const int32_t *)column->values)[at + 1];
    }
    return (Text){column->texts + from, (size_t)(to - from)};
}

/* What a column is for; see native_rows.py, which writes them. */
typedef struct {
    int32_t n_columns;
    int32_t n_carried; /* the first so many go on to the other stream */
    int32_t row;       /* the column that numbers rows */
    int32_t key;       /* or ABSENT, and the number is the name */
    int32_t label;
    int32_t split;
    int32_t content;   /* the first of those that a content is made of, or ABSENT where there are none */
    int32_t n_content;
    int32_t details;   /* the first of the texts that the leaf of a row's details is made of */
    int32_t n_details;
} Plan;

/* Leaves that nobody has asked for yet: one such for each batch. */
typedef struct Leaves {
    struct Leaves *next;
    size_t n_bytes;
    uint8_t bytes[];
} Leaves;

typedef struct {
    ArrowArrayStream from, made;
    ArrowSchema schema;
    Plan plan;
    char *kinds; /* of a content's columns: Kind in row_contents.py */
    uint8_t head[HEAD];
    Hasher hash;
    Messages messages;
    _Atomic(Leaves *) leaves[2];
    atomic_size_t n_rows;
    atomic_int users;
    const char *trouble;
    _Atomic(char *) error; /* of the stream that rows come from */
} Rows;

static inline void put_text(Messages *messages, Text text)
{
    messages->used += digits_of(text.n, (char *)messages->bytes + messages->used);
    put_byte(messages, ':');
    put_bytes(messages, text.bytes, text.n);
}

/* The text of a digest's digits. */
static inline void put_digest(Messages *messages, const uint8_t *digest)
{
    put_bytes(messages, "64:", 3);
    put_hexadecimal((char *)messages->bytes + messages->used, digest);
    messages->used += HEX;
}

static int put_value(Messages *messages, const Column *column, char kind, int64_t row)
{
    static const char *const truth[] = {"false;", "true;"};
    if (reserve(messages, 2 * DIGITS))
        return ENOMEM;
    if (is_absent(column, row)) {
        put_byte(messages, ';');
        return 0;
    }
    switch (kind) {
    case 't':
        put_byte(messages, 't');
        put_number(messages, number_at(column, row));
        break;
    case 'n':
        put_number(messages, number_at(column, row));
        break;
    case 'b': {
        int value = bit_of(column->values, row + column->offset);
        put_bytes(messages, truth[value], 6 - (size_t)value);
        return 0;
    }
    case 'd': {
        double value;
        uint64_t bits;
        memcpy(&value, (const double *)column->values + row + column->offset, sizeof value);
        value += 0.0; /* and -0.0 is 0.0 */
        memcpy(&bits, &value, sizeof bits);
        if (value != value)
            bits = 0x7ff8000000000000u;
        put_byte(messages, 'd');
        put_word(messages->bytes + messages->used, (uint32_t)(bits >> 32));
        put_word(messages->bytes + messages->used + 4, (uint32_t)bits);
        messages->used += 8;
        return 0; /* it has so many bytes */
    }
    default: {
        Text text = text_at(column, row);
        if (reserve(messages, text.n + 2 * DIGITS))
            return ENOMEM;
        if (kind == 's')
            put_text(messages, text);
        else
            put_bytes(messages, text.bytes, text.n);
    }
    }
    put_byte(messages, ';');
    return 0;
}

/* The part of a leaf that is a text, or that there is none. */
static int put_part(Messages *messages, const Column *column, int64_t row)
{
    if (!column || is_absent(column, row)) {
        if (reserve(messages, 1))
            return ENOMEM;
        put_byte(messages, '-');
        return 0;
    }
    Text text = text_at(column, row);
    if (reserve(messages, text.n + 2 * DIGITS))
        return ENOMEM;
    put_text(messages, text);
    return 0;
}

static Leaves *room_for_leaves(int64_t n)
{
    Leaves *leaves = malloc(sizeof *leaves + (size_t)n * DIGEST);
    if (leaves)
        leaves->n_bytes = (size_t)n * DIGEST;
    return leaves;
}

static int put_detail(Rows *rows, const Column *key, int64_t number, const Column *said, int64_t row)
{
    Messages *messages = &rows->messages;
    int empty = 1;
    if (!key) {
        if (reserve(messages, 2 * DIGITS))
            return ENOMEM;
        put_number(messages, number);
        empty = 0;
    }
    for (int k = key ? -1 : 0; k < rows->plan.n_details; k++) {
        const Column *column = k < 0 ? key : said + k;
        if (is_absent(column, row))
            continue;
        Text text = text_at(column, row);
        if (reserve(messages, text.n + 1))
            return ENOMEM;
        if (!empty)
            put_byte(messages, 0);
        put_bytes(messages, text.bytes, text.n);
        empty = 0;
    }
    return 0;
}

/* Contents, leaves and the leaves of details of a batch; `contents` has room for 32 bytes a row, or is NULL. */
static int hash_batch(Rows *rows, const ArrowArray *batch, uint8_t *contents, Leaves *leaves, Leaves *details)
{
    const Plan *plan = &rows->plan;
    Messages *messages = &rows->messages;
    int64_t n = batch->length;
    int wrong = 0;
    Digests digests;
    Column *columns = malloc((size_t)plan->n_columns * sizeof *columns);
    if (!columns)
        return ENOMEM;
    for (int k = 0; k < plan->n_columns; k++)
        columns[k] = column_of(batch, &rows->schema, k);
    const Column *key = plan->key == ABSENT ? NULL : columns + plan->key;
    const Column *label = plan->label == ABSENT ? NULL : columns + plan->label;
    const Column *split = plan->split == ABSENT ? NULL : columns + plan->split;
    for (int64_t start = 0; start < n && !wrong; start += AT_A_TIME) {
        int64_t end = start + AT_A_TIME < n ? start + AT_A_TIME : n;
        if (contents) {
            begin(messages);
            for (int64_t row = start; row < end && !wrong; row++) {
                wrong = reserve(messages, HEAD);
                if (!wrong)
                    put_bytes(messages, rows->head, HEAD);
                for (int k = 0; k < plan->n_content && !wrong; k++)
                    wrong = put_value(messages, columns + plan->content + k, rows->kinds[k], row);
                if (!wrong)
                    end_message(messages);
            }
            if (wrong)
                break;
            rows->hash(messages, digests);
            memcpy(contents + start * DIGEST, digests, (size_t)(end - start) * DIGEST);
        }
        begin(messages);
        for (int64_t row = start; row < end && !wrong; row++) {
            wrong = reserve(messages, HEX + 4 * DIGITS);
            if (wrong)
                break;
            put_byte(messages, 0);
            if (key) {
                wrong = put_part(messages, key, row);
            } else {
                char number[DIGITS];
                size_t length = digits_of((uint64_t)number_at(columns + plan->row, row), number);
                put_text(messages, (Text){number, length});
            }
            if (!wrong)
                wrong = reserve(messages, HEX + 4 * DIGITS);
            if (wrong)
                break;
            if (contents)
                put_digest(messages, contents + row * DIGEST);
            else
                put_byte(messages, '-');
            wrong = put_part(messages, label, row);
            if (!wrong)
                wrong = put_part(messages, split, row);
            if (!wrong)
                end_message(messages);
        }
        if (wrong)
            break;
        rows->hash(messages, digests);
        memcpy(leaves->bytes + start * DIGEST, digests, (size_t)(end - start) * DIGEST);
        if (!details)
            continue;
        begin(messages);
        for (int64_t row = start; row < end && !wrong; row++) {
            wrong = put_detail(rows, key, number_at(columns + plan->row, row), columns + plan->details, row);
            if (!wrong)
                end_message(messages);
        }
        if (wrong)
            break;
        rows->hash(messages, digests);
        memcpy(details->bytes + start * DIGEST, digests, (size_t)(end - start) * DIGEST);
    }
    free(columns);
    return wrong;
}

/* Batches that are made: what they show of the one that they are made of stays until the last of them has gone. */

typedef struct {
    ArrowArray from;
    atomic_int users;
} Shared;

typedef struct {
    const void *buffers[2];
    uint8_t *contents;
} Own;

static void drop(Shared *shared)
{
    if (atomic_fetch_sub(&shared->users, 1) == 1) {
        shared->from.release(&shared->from);
        free(shared);
    }
}

static void release_carried(ArrowArray *array)
{
    array->release = NULL;
    drop(array->private_data);
}

static void release_contents(ArrowArray *array)
{
    Own *own = array->private_data;
    array->release = NULL;
    free(own->contents);
    free(own);
}

/* Of an array or a schema. */
#define RELEASE_CHILDREN(parent)                                         \
    do {                                                                 \
        for (int64_t k = 0; k < (parent)->n_children; k++) {             \
            if ((parent)->children[k]->release)                          \
                (parent)->children[k]->release((parent)->children[k]);   \
            free((parent)->children[k]);                                 \
        }                                                                \
        free((parent)->children);                                        \
    } while (0)

static void release_batch(ArrowArray *array)
{
    array->release = NULL;
    RELEASE_CHILDREN(array);
    free(array->buffers);
}

static int contents_array(ArrowArray *array, uint8_t *contents, int64_t n)
{
    Own *own = calloc(1, sizeof *own);
    if (!own)
        return ENOMEM;
    own->buffers[1] = own->contents = contents;
    *array = (ArrowArray){
        .length = n, .n_buffers = 2, .buffers = own->buffers, .release = release_contents, .private_data = own};
    return 0;
}

/* A batch with the columns that are carried, and the contents, which it takes over where it succeeds. */
static int made_batch(const Plan *plan, ArrowArray *from, uint8_t *contents, ArrowArray *to)
{
    int64_t n_children = plan->n_carried + (contents ? 1 : 0), k = 0;
    Shared *shared = calloc(1, sizeof *shared);
    const void **buffers = calloc(1, sizeof *buffers);
    ArrowArray **children = calloc((size_t)n_children + 1, sizeof *children), *last = NULL;
    if (!shared || !buffers || !children)
        goto fail;
    for (k = 0; k < n_children; k++) {
        children[k] = calloc(1, sizeof **children);
        if (!children[k])
            goto fail;
    }
    last = children[n_children - 1];
    if (contents && contents_array(last, contents, from->length))
        goto fail;
    shared->from = *from;
    atomic_init(&shared->users, plan->n_carried);
    for (k = 0; k < plan->n_carried; k++) {
        *children[k] = *from->children[k];
        children[k]->offset += from->offset;
        children[k]->length = from->length;
        children[k]->release = release_carried;
        children[k]->private_data = shared;
    }
    *to = (ArrowArray){
        .length = from->length,
        .n_buffers = 1,
        .n_children = n_children,
        .buffers = buffers,
        .children = children,
        .release = release_batch,
    };
    from->release = NULL;
    return 0;
fail:
    if (children)
        for (k = 0; k < n_children; k++)
            free(children[k]);
    free(children);
    free(buffers);
    free(shared);
    return ENOMEM;
}

static void keep(Rows *rows, int which, Leaves *leaves)
{
    Leaves *head = atomic_load(&rows->leaves[which]);
    do
        leaves->next = head;
    while (!atomic_compare_exchange_weak(&rows->leaves[which], &head, leaves));
}

static char *copied(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

static int next_batch(ArrowArrayStream *stream, ArrowArray *to)
{
    Rows *rows = stream->private_data;
    ArrowArray batch = {0};
    rows->trouble = NULL;
    int wrong = rows->from.get_next(&rows->from, &batch);
    if (wrong) {
        const char *said = rows->from.get_last_error(&rows->from);
        free(atomic_exchange(&rows->error, copied(said ? said : "unknown")));
        return wrong;
    }
    if (!batch.release) {
        memset(to, 0, sizeof *to);
        return 0;
    }
    uint8_t *contents = NULL;
    Leaves *leaves = room_for_leaves(batch.length), *details = NULL;
    wrong = leaves && batch.n_children == rows->plan.n_columns ? 0 : ENOMEM;
    if (!wrong && rows->plan.content != ABSENT && !(contents = malloc((size_t)batch.length * DIGEST + 1)))
        wrong = ENOMEM;
    if (!wrong && rows->plan.n_details && !(details = room_for_leaves(batch.length)))
        wrong = ENOMEM;
    if (!wrong)
        wrong = hash_batch(rows, &batch, contents, leaves, details);
    size_t n_rows = (size_t)batch.length;
    if (!wrong)
        wrong = made_batch(&rows->plan, &batch, contents, to);
    if (wrong) {
        rows->trouble = "there is no memory for the hashes of rows";
        free(contents);
        free(leaves);
        free(details);
        batch.release(&batch);
        return wrong;
    }
    keep(rows, 0, leaves);
    if (details)
        keep(rows, 1, details);
    atomic_fetch_add(&rows->n_rows, n_rows);
    return 0;
}

/* Schemas, which are copied: they are short. */

static void release_schema(ArrowSchema *schema)
{
    schema->release = NULL;
    RELEASE_CHILDREN(schema);
    free((char *)schema->format);
    free((char *)schema->name);
}

static int named_schema(ArrowSchema *schema, const char *format, const char *name, int64_t flags)
{
    *schema = (ArrowSchema){
        .format = copied(format), .name = copied(name), .flags = flags, .release = release_schema};
    return schema->format && schema->name ? 0 : ENOMEM;
}

static int made_schema(ArrowArrayStream *stream, ArrowSchema *to)
{
    Rows *rows = stream->private_data;
    int64_t n_carried = rows->plan.n_carried, n = n_carried + (rows->plan.content != ABSENT);
    int wrong = named_schema(to, "+s", "", 0);
    if (!wrong && !(to->children = calloc((size_t)n + 1, sizeof *to->children)))
        wrong = ENOMEM;
    for (int64_t k = 0; k < n && !wrong; k++) {
        const ArrowSchema *from = k < n_carried ? rows->schema.children[k] : NULL;
        if (!(to->children[k] = calloc(1, sizeof **to->children))) {
            wrong = ENOMEM;
            break;
        }
        to->n_children = k + 1;
        wrong = from ? named_schema(to->children[k], from->format, from->name, from->flags)
                     : named_schema(to->children[k], "w:32", "content_hash", 0);
    }
    if (wrong)
        release_schema(to);
    return wrong;
}

static const char *last_error(ArrowArrayStream *stream)
{
    Rows *rows = stream->private_data;
    return rows->trouble ? rows->trouble : rows->from.get_last_error(&rows->from);
}

static void free_leaves(Leaves *leaves)
{
    while (leaves) {
        Leaves *next = leaves->next;
        free(leaves);
        leaves = next;
    }
}

static void drop_rows(Rows *rows)
{
    if (atomic_fetch_sub(&rows->users, 1) != 1)
        return;
    if (rows->schema.release)
        rows->schema.release(&rows->schema);
    for (int which = 0; which < 2; which++)
        free_leaves(atomic_load(&rows->leaves[which]));
    free(rows->messages.bytes);
    free(rows->kinds);
    free(atomic_load(&rows->error));
    free(rows);
}

static void release_stream(ArrowArrayStream *stream)
{
    Rows *rows = stream->private_data;
    stream->release = NULL;
    if (rows->from.release)
        rows->from.release(&rows->from);
    drop_rows(rows);
}

static int is_format(const ArrowSchema *schema, int at, const char *formats)
{
    const char *format = schema->children[at]->format;
    return format[0] && !format[1] && strchr(formats, format[0]) && !schema->children[at]->dictionary;
}

static int fits(const Rows *rows)
{
    const Plan *plan = &rows->plan;
    const ArrowSchema *schema = &rows->schema;
    const int texts[] = {plan->key, plan->label, plan->split};
    if (schema->n_children != plan->n_columns || !is_format(schema, plan->row, "l"))
        return 0;
    for (int k = 0; k < 3; k++)
        if (texts[k] != ABSENT && !is_format(schema, texts[k], "uU"))
            return 0;
    for (int k = 0; k < plan->n_details; k++)
        if (!is_format(schema, plan->details + k, "uU"))
            return 0;
    for (int k = 0; k < plan->n_content; k++) {
        char kind = rows->kinds[k];
        const char *format = kind == 'n' || kind == 't' ? "l" : kind == 'b' ? "b" : kind == 'd' ? "g" : "uU";
        if (!is_format(schema, plan->content + k, format))
            return 0;
    }
    return 1;
}

/* What Python calls. */

int dataguard_rows_version(void)
{
    return VERSION;
}

/* Takes a stream over, and makes another of it. NULL where there is no memory, or its columns are others than the plan
 * says: then the stream is as it was. */
void *dataguard_rows_open(ArrowArrayStream *from, const Plan *plan, const char *kinds, const uint8_t *head, int anywhere)
{
    Rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        return NULL;
    rows->plan = *plan;
    rows->kinds = copied(kinds);
    memcpy(rows->head, head, HEAD);
    rows->hash = anywhere ? hash_anywhere : best_hasher();
    atomic_init(&rows->users, 1);
    if (!rows->kinds || from->get_schema(from, &rows->schema) || !fits(rows)) {
        drop_rows(rows);
        return NULL;
    }
    rows->from = *from;
    from->release = NULL;
    atomic_store(&rows->users, 2);
    rows->made = (ArrowArrayStream){
        .get_schema = made_schema,
        .get_next = next_batch,
        .get_last_error = last_error,
        .release = release_stream,
        .private_data = rows,
    };
    return rows;
}

ArrowArrayStream *dataguard_rows_stream(Rows *rows)
{
    return &rows->made;
}

size_t dataguard_rows_done(Rows *rows)
{
    return atomic_load(&rows->n_rows);
}

/* What the stream that rows come from has ended with, or NULL. */
const char *dataguard_rows_error(Rows *rows)
{
    return atomic_load(&rows->error);
}

/* All leaves (0) or leaves of details (1) since the last call; `dataguard_rows_copy` gives them back. */
Leaves *dataguard_rows_take(Rows *rows, int which, size_t *n_bytes)
{
    Leaves *taken = atomic_exchange(&rows->leaves[which], NULL);
    *n_bytes = 0;
    for (const Leaves *leaves = taken; leaves; leaves = leaves->next)
        *n_bytes += leaves->n_bytes;
    return taken;
}

void dataguard_rows_copy(Leaves *taken, uint8_t *to)
{
    for (const Leaves *leaves = taken; leaves; leaves = leaves->next) {
        memcpy(to, leaves->bytes, leaves->n_bytes);
        to += leaves->n_bytes;
    }
    free_leaves(taken);
}

void dataguard_rows_close(Rows *rows)
{
    if (rows->made.release)
        rows->made.release(&rows->made);
    drop_rows(rows);
}

/* The order of leaves: byte by byte from the first, in place, and of few by insertion. */

static void insert_all(uint8_t *leaves, size_t n)
{
    uint8_t held[DIGEST];
    for (size_t i = 1; i < n; i++) {
        size_t k = i;
        memcpy(held, leaves + i * DIGEST, DIGEST);
        for (; k && memcmp(leaves + (k - 1) * DIGEST, held, DIGEST) > 0; k--)
            memcpy(leaves + k * DIGEST, leaves + (k - 1) * DIGEST, DIGEST);
        memcpy(leaves + k * DIGEST, held, DIGEST);
    }
}

static void in_order(uint8_t *leaves, size_t n, int depth)
{
    uint8_t held[DIGEST], other[DIGEST];
    size_t ends[256] = {0}, next[256], sum = 0;
    if (depth == DIGEST)
        return; /* they are all alike */
    for (size_t i = 0; i < n; i++)
        ends[leaves[i * DIGEST + (size_t)depth]]++;
    if (ends[leaves[depth]] == n) {
        in_order(leaves, n, depth + 1);
        return;
    }
    for (int byte = 0; byte < 256; byte++) {
        next[byte] = sum;
        ends[byte] = sum += ends[byte];
    }
    for (int byte = 0; byte < 256; byte++)
        while (next[byte] < ends[byte]) {
            memcpy(held, leaves + next[byte] * DIGEST, DIGEST);
            while (held[depth] != byte) {
                uint8_t *place = leaves + next[held[depth]]++ * DIGEST;
                memcpy(other, place, DIGEST);
                memcpy(place, held, DIGEST);
                memcpy(held, other, DIGEST);
            }
            memcpy(leaves + next[byte]++ * DIGEST, held, DIGEST);
        }
    for (int byte = 0; byte < 256; byte++) {
        size_t start = byte ? ends[byte - 1] : 0, here = ends[byte] - start;
        if (here > FEW)
            in_order(leaves + start * DIGEST, here, depth + 1);
        else if (here > 1)
            insert_all(leaves + start * DIGEST, here);
    }
}

void dataguard_sort_leaves(uint8_t *leaves, size_t n)
{
    if (n)
        in_order(leaves, n, 0);
}

/* The same leaves by their first bytes, elsewhere, in any order within each; `ends` gets where each byte's leaves end. */
void dataguard_part_leaves(const uint8_t *leaves, size_t n, uint8_t *to, size_t ends[256])
{
    size_t sum = 0;
    memset(ends, 0, 256 * sizeof *ends);
    for (size_t i = 0; i < n; i++)
        ends[leaves[i * DIGEST]]++;
    for (int byte = 0; byte < 256; byte++) {
        size_t here = ends[byte];
        ends[byte] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(to + ends[leaves[i * DIGEST]]++ * DIGEST, leaves + i * DIGEST, DIGEST);
}
