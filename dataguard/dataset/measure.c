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

enum {
    VERSION = 1,        /* of native_measure.py */
    SIDE = 32,          /* of the thumbnail: THUMBNAIL_SIDE of table.py */
    LARGE = 4 * SIDE,   /* _LARGE of measure.py */
    FRACTION = 32,      /* _FRACTION of measure.py */
    LONGEST = 1 << 15,  /* _LONGEST of measure.py */
    CHANNELS = 4,       /* at most */
    TILE = 512,         /* columns gone through at a time: even, so that no 2x2 mean straddles two */
    ROWS = 1 << 8       /* gone through at a time: even, and a sum of so many bytes fits into 16 bits */
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
    uint64_t length[SIDE]; /* of each cell, in 1/32 */
} Edges;

/* These are told the number of channels as a constant by whoever calls them, so that the compiler knows all strides. */
#define INLINE static inline __attribute__((always_inline))

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLES 1
typedef uint8_t Bytes __attribute__((vector_size(16)));
#endif
#endif

static const uint8_t NOTHING[TILE * CHANNELS];

/* Every other pixel of a row, from the first on. */
INLINE void every_other(const uint8_t *from, uint8_t *to, size_t columns, size_t channels)
{
    size_t x = 0;
#if HAVE_SHUFFLES
    if (channels == 3)
        for (; x + 16 <= columns; x += 16) {
            Bytes a, b, c, first, rest;
            memcpy(&a, from + 3 * x, 16);
            memcpy(&b, from + 3 * x + 16, 16);
            memcpy(&c, from + 3 * x + 32, 16);
            first = __builtin_shufflevector(a, b, 0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20, 24, 25, 26, 30);
            rest = __builtin_shufflevector(b, c, 15, 16, 20, 21, 22, 26, 27, 28, 0, 0, 0, 0, 0, 0, 0, 0);
            memcpy(to + 3 * x / 2, &first, 16);
            memcpy(to + 3 * x / 2 + 16, &rest, 8);
        }
#endif
    for (; x < columns; x += 2)
        memcpy(to + x / 2 * channels, from + x * channels, channels);
}

/* The means of 2x2 pixels, from sums of two pixels one below the other. The last column of an odd number counts twice.
 * `down` has room for one column more. */
INLINE void pair_up(uint16_t *down, uint8_t *to, size_t columns, size_t channels)
{
    uint8_t mean[TILE * CHANNELS];
    for (size_t c = 0; c < channels; c++)
        down[columns * channels + c] = down[(columns - 1) * channels + c];
    /* Each pixel with the one to its right is what vectors are good at; every other of them is wanted. */
    for (size_t x = 0; x < columns * channels; x++)
        mean[x] = (uint8_t)((down[x] + down[x + channels] + 2) >> 2);
    every_other(mean, to, columns, channels);
}

/* Adds to the sums and to the sums of squares; and halves, unless `half` is NULL.
 *
 * Sixteen bits are enough for 256 rows. A sum of bytes is at most 256 * 255 = 65,280. A sum S of squares is 256 H + L,
 * where H adds up their high bytes, which are at most 254, and L their low ones: each is at most 65,280. H is kept, and
 * S modulo 2^16; L is S - 256 H modulo 2^16. In all, 64 bits hold the squares of 2^48 pixels. */
INLINE void add_up(const uint8_t *pixels, uint8_t *half, size_t height, size_t width, size_t channels, Measured *found)
{
    uint16_t sums[TILE * CHANNELS], squares[TILE * CHANNELS], highs[TILE * CHANNELS], down[(TILE + 1) * CHANNELS];
    for (size_t left = 0; left < width; left += TILE) {
        size_t columns = width - left < TILE ? width - left : TILE;
        size_t values = columns * channels;
        for (size_t top = 0; top < height; top += ROWS) {
            size_t end = height - top < ROWS ? height : top + ROWS;
            memset(sums, 0, values * sizeof *sums);
            memset(squares, 0, values * sizeof *squares);
            memset(highs, 0, values * sizeof *highs);
            for (size_t y = top; y < end; y += 2) {
                const uint8_t *above = pixels + (y * width + left) * channels;
                const uint8_t *below = y + 1 < height ? above + width * channels : NOTHING;
                for (size_t x = 0; x < values; x++) {
                    uint16_t a = above[x], b = below[x];
                    uint16_t aa = (uint16_t)(a * a), bb = (uint16_t)(b * b);
                    down[x] = (uint16_t)(a + b);
                    sums[x] = (uint16_t)(sums[x] + down[x]);
                    squares[x] = (uint16_t)(squares[x] + aa + bb);
                    highs[x] = (uint16_t)(highs[x] + (aa >> 8) + (bb >> 8));
                }
                if (half != NULL) {
                    /* The last row of an odd number counts twice. */
                    if (y + 1 == height)
                        for (size_t x = 0; x < values; x++)
                            down[x] = (uint16_t)(2 * down[x]);
                    pair_up(down, half + (y / 2 * ((width + 1) / 2) + left / 2) * channels, columns, channels);
                }
            }
            for (size_t x = 0; x < columns; x++)
                for (size_t c = 0; c < channels; c++) {
                    uint32_t high = 256 * (uint32_t)highs[x * channels + c];
                    found->sums[c] += sums[x * channels + c];
                    found->squares[c] += high + (uint16_t)(squares[x * channels + c] - high);
                }
        }
    }
}

/* The 2x2 means, in place: no mean is written before the pixels that lie there have been read. */
INLINE void halve(uint8_t *picture, size_t height, size_t width, size_t channels)
{
    uint16_t down[(TILE + 1) * CHANNELS];
    for (size_t y = 0; y < height; y += 2)
        for (size_t left = 0; left < width; left += TILE) {
            size_t columns = width - left < TILE ? width - left : TILE;
            const uint8_t *above = picture + (y * width + left) * channels;
            const uint8_t *below = y + 1 < height ? above + width * channels : above;
            for (size_t x = 0; x < columns * channels; x++)
                down[x] = (uint16_t)(above[x] + below[x]);
            pair_up(down, picture + (y / 2 * ((width + 1) / 2) + left / 2) * channels, columns, channels);
        }
}

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
        /* Single precision and then double is what numpy makes of it. */
        float scale[SIDE];
        for (size_t j = 0; j < SIDE; j++)
            scale[j] = (float)(1 / (double)(int64_t)(down->length[i - 1] * across->length[j]));
        /* Up to each pixel, and nothing before the first. */
        uint32_t sum[CHANNELS] = {0}, last[CHANNELS] = {0}, cell[CHANNELS];
        for (size_t x = 0; x < values; x += channels)
            for (size_t c = 0; c < channels; c++)
                strip[x + c] = sum[c] += strip[x + c];
        for (size_t j = 0; j <= SIDE; j++) {
            const uint32_t *before = strip - channels + across->before[j] * channels;
            for (size_t c = 0; c < channels; c++) {
                uint32_t until = FRACTION * before[c] + across->into[j] * (before[channels + c] - before[c]);
                cell[c] = until - last[c];
                last[c] = until;
            }
            if (j > 0)
                for (size_t k = 0; k < 3; k++)
                    found->thumbnail[i - 1][j - 1][k] = (uint8_t)(cell[order[k]] * (double)scale[j - 1] + 0.5);
        }
    }
}

INLINE int measured(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                    Measured *found)
{
    size_t rows = height, columns = width;
    unsigned halvings = 0;
    uint8_t *half = NULL;
    Edges down, across;
    memset(found, 0, offsetof(Measured, thumbnail));
    if (height >= LARGE && width >= LARGE) {
        half = malloc((height + 1) / 2 * ((width + 1) / 2) * channels);
        if (half == NULL)
            return 1;
    }
    add_up(pixels, half, height, width, channels, found);
    if (half != NULL)
        for (;;) {
            rows = (rows + 1) / 2, columns = (columns + 1) / 2, halvings++;
            if (rows < LARGE || columns < LARGE)
                break;
            halve(half, rows, columns, channels);
        }
    uint32_t *space = malloc((3 * columns + 1) * channels * sizeof *space);
    if (space != NULL) {
        find_edges(&down, height, halvings, rows);
        find_edges(&across, width, halvings, columns);
        draw(half == NULL ? pixels : half, columns, channels, &down, &across, space, order, found);
    }
    free(space);
    free(half);
    return space == NULL;
}

int dataguard_measure_version(void)
{
    return VERSION;
}

INLINE int of_channels(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                       Measured *found)
{
    switch (channels) {
    case 1: return measured(pixels, height, width, 1, order, found);
    case 2: return measured(pixels, height, width, 2, order, found);
    case 3: return measured(pixels, height, width, 3, order, found);
    case 4: return measured(pixels, height, width, 4, order, found);
    default: return 2;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#define FOR_MORE_THAN_ONE_PROCESSOR 1

__attribute__((target("avx2")))
static int with_avx2(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                     Measured *found)
{
    return of_channels(pixels, height, width, channels, order, found);
}

__attribute__((target("avx2,avx512bw,avx512vl")))
static int with_avx512(const uint8_t *pixels, size_t height, size_t width, size_t channels, const uint8_t *order,
                       Measured *found)
{
    return of_channels(pixels, height, width, channels, order, found);
}
#endif

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
    if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return with_avx512(pixels, height, width, channels, order, found);
    if (__builtin_cpu_supports("avx2"))
        return with_avx2(pixels, height, width, channels, order, found);
#endif
    return of_channels(pixels, height, width, channels, order, found);
}
