/* Exact sums and the thumbnail of decoded 8-bit pixels: what measure.py does with OpenCV and numpy, to the last bit.
 *
 * Pixels are interleaved and stay so. A picture is gone through once, two rows at a time: their sums, their sums of
 * squares and the vertical half of their 2x2 means are made together, in arrays that a processor's first cache holds.
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
    VERSION = 1,        /* of native_measure.py */
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
    for (size_t i = 0; i < 2; i++) {
        /* Single precision and then double is what numpy makes of it. */
        double one = (float)(1 / (double)(int64_t)((down->least + i) * across->least));
        double other = (float)(1 / (double)(int64_t)((down->least + i) * (across->least + 1)));
        for (size_t x = 0; x < SIDE * channels; x++)
            scales[i][x] = across->length[x / channels] == across->least ? one : other;
    }
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

#define VALUES 16
#include "measure_rows.h"

#ifndef MOST_BITS
#define MOST_BITS 512 /* of vectors: fewer, so that tests find the code of other processors */
#endif
#if defined(__x86_64__) && defined(__GNUC__) && MOST_BITS >= 256
#define FOR_MORE_THAN_ONE_PROCESSOR 1

#define VALUES 32
#include "measure_rows.h"

__attribute__((target("avx2")))
static int with_avx2(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                     Measured *found)
{
    return of_channels_32(pixels, height, width, channels, order, found);
}

#define VALUES 64
#include "measure_rows.h"

__attribute__((target("avx2,avx512bw,avx512vl,avx512vbmi")))
static int with_avx512(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                       Measured *found)
{
    return of_channels_64(pixels, height, width, channels, order, found);
}
#endif

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
#ifdef FOR_MORE_THAN_ONE_PROCESSOR
    __builtin_cpu_init();
    /* Processors that came before VBMI2 slow down for a while after they have used 512 bits. */
    if (MOST_BITS >= 512 && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return with_avx512(pixels, height, width, channels, order, found);
    if (__builtin_cpu_supports("avx2"))
        return with_avx2(pixels, height, width, channels, order, found);
#endif
    return of_channels_16(pixels, height, width, channels, order, found);
}
