/* Exact sums and the thumbnail of decoded 8-bit pixels: what measure.py does with OpenCV and numpy, to the last bit.
 *
 * A picture is gone through once, two rows at a time: their sums, their sums of squares and the vertical half of their
 * 2x2 means are made together, in arrays that a processor's first cache holds.
 * What is left is a quarter of the picture, which is halved on in place and then summed up by cell.
 *
 * It is called through ctypes, which lets other Python threads run meanwhile; calls share nothing.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Pairs of bytes are taken apart as little-endian numbers."
#endif

enum {
    VERSION = 2,        /* of native_measure.py */
    SIDE = 32,          /* of the thumbnail: THUMBNAIL_SIDE of table.py */
    LARGE = 4 * SIDE,   /* _LARGE of measure.py */
    FRACTION = 32,      /* _FRACTION of measure.py */
    LONGEST = 1 << 15,  /* _LONGEST of measure.py */
    CHANNELS = 4,       /* at most */
    LARGEST = 64,       /* vector, in bytes */
    TILE = 512          /* columns gone through at a time: even, so that no 2x2 mean straddles two */
};

typedef struct {
    uint64_t sums[CHANNELS];
    uint64_t squares[CHANNELS];
    uint8_t thumbnail[SIDE][SIDE][3];
} Measured;

/* Where an edge of a cell lies along one side: behind so many whole pixels, and so many 1/32 of the next. */
typedef struct {
    size_t before[SIDE + 1];
    uint32_t into[SIDE + 1];
    uint64_t length[SIDE]; /* of each cell, in 1/32: the least, or one more, for edges are multiples that are rounded */
    uint64_t least;
} Edges;

/* These are told the number of channels as a constant by whoever calls them, so that the compiler knows all strides. */
#define INLINE static inline __attribute__((always_inline))

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLES 1
typedef uint8_t Bytes __attribute__((vector_size(16)));
#endif
#endif

#define ONES 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255
static const uint8_t NOTHING[TILE * CHANNELS + LARGEST];
/* From KEPT + LARGEST - n on: n bytes of ones, and then zeros. */
static const uint8_t KEPT[2 * LARGEST] = {ONES, ONES, ONES, ONES};

/* `length` pixels of the picture were halved so often that `stored` are left. */
static void find_edges(Edges *edges, size_t length, unsigned halvings, size_t stored)
{
    uint64_t unit = (uint64_t)1 << halvings, last = 0;
    for (size_t i = 0; i <= SIDE; i++) {
        /* i * length / 2^halvings, in 1/32 of a pixel for there are 32 cells; of two as near, the even one. */
        uint64_t whole = i * (uint64_t)length / unit, twice = 2 * (i * (uint64_t)length % unit);
        uint64_t edge = whole + (twice > unit || (twice == unit && whole % 2 == 1));
        size_t before = (size_t)(edge / FRACTION);
        edges->before[i] = before < stored ? before : stored - 1;
        edges->into[i] = (uint32_t)(edge - edges->before[i] * FRACTION);
        if (i > 0)
            edges->length[i - 1] = edge - last;
        if (i == 1 || (i > 1 && edge - last < edges->least))
            edges->least = edge - last;
        last = edge;
    }
}

/* One over the area of a cell. Single precision and then double is what numpy makes of it. */
INLINE double scale_of(uint64_t height, uint64_t width)
{
    return (float)(1 / (double)(int64_t)(height * width));
}

/* The mean of each cell. The sum over a row of cells is taken first, and then over each cell in it; both are the
 * differences of what lies before two edges, in arithmetic that wraps around, as a cell's sum itself is below 2^31. */
INLINE void draw(const uint8_t *picture, size_t width, size_t channels, const Edges *down, const Edges *across,
                 uint32_t *space, const uint8_t *order, Measured *found)
{
    size_t values = width * channels;
    uint32_t *above = space, *start = space + values, *strip = space + 2 * values + channels;
    memset(strip - channels, 0, channels * sizeof *strip);
    memset(above, 0, values * sizeof *above);
    memset(start, 0, values * sizeof *start);
    double scales[2][SIDE * CHANNELS];
    for (size_t i = 0; i < 2; i++)
        for (size_t x = 0; x < SIDE * channels; x++)
            scales[i][x] = scale_of(down->least + i, across->length[x / channels]);
    for (size_t i = 0, y = 0; i <= SIDE; i++) {
        for (; y < down->before[i]; y++)
            for (size_t x = 0; x < values; x++)
                above[x] += picture[y * values + x];
        for (size_t x = 0; x < values; x++) {
            uint32_t until = FRACTION * above[x] + down->into[i] * picture[y * values + x];
            strip[x] = until - start[x];
            start[x] = until;
        }
        if (i == 0)
            continue;
        /* Up to each pixel, and nothing before the first. */
        uint32_t sum[CHANNELS] = {0}, before_edge[(SIDE + 1) * CHANNELS];
        for (size_t x = 0; x < values; x += channels)
            for (size_t c = 0; c < channels; c++)
                strip[x + c] = sum[c] += strip[x + c];
        for (size_t j = 0; j <= SIDE; j++) {
            const uint32_t *before = strip - channels + across->before[j] * channels;
            for (size_t c = 0; c < channels; c++)
                before_edge[j * channels + c] =
                    FRACTION * before[c] + across->into[j] * (before[channels + c] - before[c]);
        }
        const double *scale = scales[down->length[i - 1] != down->least];
        uint8_t cells[SIDE * CHANNELS];
        for (size_t x = 0; x < SIDE * channels; x++)
            cells[x] = (uint8_t)((int32_t)(before_edge[x + channels] - before_edge[x]) * scale[x] + 0.5);
        for (size_t j = 0; j < SIDE; j++)
            for (size_t k = 0; k < 3; k++)
                found->thumbnail[i - 1][j][k] = cells[j * channels + order[k]];
    }
}

#include "hash_thumbnail.h"

/* Which code is for this processor. */
typedef enum { PLAIN, AVX2, AVX512, BY_PLANE } Kind;

#define VALUES 16
#include "measure_rows.h"

#ifndef MOST_BITS
#define MOST_BITS 512 /* of vectors: fewer, so that tests find the code of other processors */
#endif
#ifndef PLANES
#define PLANES 1 /* 0 for processors that have vectors of 512 bits and not all that can be done with them */
#endif
#if defined(__x86_64__) && defined(__GNUC__) && MOST_BITS >= 256
#define FOR_MORE_THAN_ONE_PROCESSOR 1

#define VALUES 32
#include "measure_rows.h"

__attribute__((target("avx2")))
static void add_with_avx2(const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, size_t channels,
                          Measured *found)
{
    add_up_of_32(pixels, half, rows, width, channels, found);
}

__attribute__((target("avx2")))
static int draw_with_avx2(uint8_t *half, const uint8_t *pixels, size_t height, size_t width, size_t channels,
                          const uint8_t *order, Measured *found)
{
    return draw_halves_of_32(half, pixels, height, width, channels, order, found);
}

__attribute__((target("avx2")))
static void hash_with_avx2(const Measured *measured, const Transform *how, Hash *found)
{
    hash_of(measured->thumbnail, how, found);
}

#define VALUES 64
#include "measure_rows.h"

__attribute__((target("avx2,avx512bw,avx512vl,avx512vbmi")))
static void add_with_avx512(const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, size_t channels,
                            Measured *found)
{
    add_up_of_64(pixels, half, rows, width, channels, found);
}

__attribute__((target("avx2,avx512bw,avx512vl,avx512vbmi")))
static int draw_with_avx512(uint8_t *half, const uint8_t *pixels, size_t height, size_t width, size_t channels,
                            const uint8_t *order, Measured *found)
{
    return draw_halves_of_64(half, pixels, height, width, channels, order, found);
}

#include "measure_planes.h"
#endif

/* What is best for pictures of that width and so many channels. */
static Kind best_kind(size_t height, size_t width, size_t channels)
{
    (void)height, (void)width, (void)channels;
#ifdef FOR_MORE_THAN_ONE_PROCESSOR
    __builtin_cpu_init();
    /* Processors that came before VBMI2 slow down for a while after they have used 512 bits. */
    if (MOST_BITS >= 512 && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        int by_plane = PLANES && channels == 3 && height >= LARGE && width >= LARGE && width <= WIDEST;
        return by_plane && __builtin_cpu_supports("avx512vnni") ? BY_PLANE : AVX512;
    }
    if (__builtin_cpu_supports("avx2"))
        return AVX2;
#endif
    return PLAIN;
}

/* Adds the sums of some rows to those that are found, and halves them unless `half` is NULL. An odd number of rows is
 * for the last ones of a picture. */
static void add_rows_of(Kind kind, const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, size_t channels,
                        Measured *found)
{
#ifdef FOR_MORE_THAN_ONE_PROCESSOR
    switch (kind) {
    case BY_PLANE: add_up_planes(pixels, half, rows, width, found); return;
    case AVX512: add_with_avx512(pixels, half, rows, width, channels, found); return;
    case AVX2: add_with_avx2(pixels, half, rows, width, channels, found); return;
    case PLAIN: break;
    }
#endif
    (void)kind;
    add_up_of_16(pixels, half, rows, width, channels, found);
}

/* Makes the thumbnail, of what `add_rows_of` has halved or, where `half` is NULL, of the pixels. Returns whether there
 * was not enough memory. */
static int draw_of(Kind kind, uint8_t *half, const uint8_t *pixels, size_t height, size_t width, size_t channels,
                   const uint8_t *order, Measured *found)
{
#ifdef FOR_MORE_THAN_ONE_PROCESSOR
    switch (kind) {
    case BY_PLANE: return draw_by_plane(half, height, width, order, found);
    case AVX512: return draw_with_avx512(half, pixels, height, width, channels, order, found);
    case AVX2: return draw_with_avx2(half, pixels, height, width, channels, order, found);
    case PLAIN: break;
    }
#endif
    (void)kind;
    return draw_halves_of_16(half, pixels, height, width, channels, order, found);
}

static void hash_thumbnail(Kind kind, const Measured *measured, const Transform *how, Hash *found)
{
#ifdef FOR_MORE_THAN_ONE_PROCESSOR
    if (kind != PLAIN) {
        hash_with_avx2(measured, how, found);
        return;
    }
#endif
    (void)kind;
    hash_of(measured->thumbnail, how, found);
}

/* Room for the halves of a picture: NULL for one so small that it is not halved. Returns whether there was not enough
 * memory. */
static int make_half(size_t height, size_t width, size_t channels, uint8_t **half)
{
    int halved = height >= LARGE && width >= LARGE;
    *half = halved ? malloc((height + 1) / 2 * ((width + 1) / 2) * channels) : NULL;
    return halved && *half == NULL;
}

int dataguard_measure_version(void)
{
    return VERSION;
}

/* Measures a picture.
 *
 * pixels: height * width * channels bytes, rows without gaps; neither side 0, nor above LONGEST when it is halved no
 *     more. measure.py sees to that.
 * order: the channels that are the thumbnail's red, green and blue.
 * Returns 0; 1 where there is not enough memory, and 2 where there are not 1 to 4 channels.
 */
int dataguard_measure(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                      Measured *found)
{
    uint8_t *half;
    if (channels < 1 || channels > CHANNELS)
        return 2;
    if (make_half(height, width, channels, &half))
        return 1;
    Kind kind = best_kind(height, width, channels);
    memset(found, 0, offsetof(Measured, thumbnail));
    add_rows_of(kind, pixels, half, height, width, channels, found);
    int code = draw_of(kind, half, pixels, height, width, channels, order, found);
    free(half);
    return code;
}

#include "decode_jpeg.h"
