/* The part of measure.c that goes through pixels of three channels on processors that take them apart into planes in a
 * few instructions (AVX-512 with VBMI and VNNI): the same sums and means as measure_rows.h, in a third of the time. */

#include <immintrin.h>

#define PLANAR __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")))
#define PLANAR_INLINE PLANAR INLINE

enum {
    AT_ONCE = 64,           /* pixels */
    WIDEST = 1 << 16,       /* pixels in a row: a row alone must not be more than MOST_ADDED */
    MOST_ADDED = 1 << 14    /* times that a lane of squares is added to; see add_plane */
};

/* Where each byte of a plane lies in the three vectors that 64 pixels fill: in the first two, and then, where it is not
 * there, in what was found and the third. */
#define FIRST(c, i) (3 * (i) + (c) < 2 * AT_ONCE ? 3 * (i) + (c) : 0)
#define SECOND(c, i) (3 * (i) + (c) < 2 * AT_ONCE ? (i) : 3 * (i) + (c) - AT_ONCE)
#define FOUR(place, c, i) place(c, i), place(c, i + 1), place(c, i + 2), place(c, i + 3)
#define SIXTEEN(place, c, i) FOUR(place, c, i), FOUR(place, c, i + 4), FOUR(place, c, i + 8), FOUR(place, c, i + 12)
#define ALL(place, c) \
    {SIXTEEN(place, c, 0), SIXTEEN(place, c, 16), SIXTEEN(place, c, 32), SIXTEEN(place, c, 48)}
static const uint8_t FIRST_PLACES[3][AT_ONCE] = {ALL(FIRST, 0), ALL(FIRST, 1), ALL(FIRST, 2)};
static const uint8_t SECOND_PLACES[3][AT_ONCE] = {ALL(SECOND, 0), ALL(SECOND, 1), ALL(SECOND, 2)};

/* Bits for so many bytes, 64 at most. */
INLINE uint64_t bits_of(size_t bytes)
{
    return bytes >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bytes) - 1;
}

/* `n` pixels, 64 at most, by plane; zeros behind them. */
PLANAR_INLINE void take_planes(const uint8_t *pixels, size_t n, const __m512i *first, const __m512i *second,
                               __m512i *planes)
{
    size_t bytes = 3 * n;
    __m512i a = _mm512_maskz_loadu_epi8(bits_of(bytes), pixels);
    __m512i b = _mm512_maskz_loadu_epi8(bits_of(bytes > 64 ? bytes - 64 : 0), pixels + 64);
    __m512i c = _mm512_maskz_loadu_epi8(bits_of(bytes > 128 ? bytes - 128 : 0), pixels + 128);
    for (size_t i = 0; i < 3; i++)
        planes[i] = _mm512_permutex2var_epi8(_mm512_permutex2var_epi8(a, first[i], b), second[i], c);
}

/* A byte v times v - 128 is what the instruction for bytes with and without a sign can multiply; 128 v is added in the
 * end. Four such products are between -16,384 and 129,540, so that a lane holds the sum of 2^14 of these. */
PLANAR_INLINE void add_plane(__m512i *sum, __m512i *squares, __m512i values)
{
    *sum = _mm512_dpbusd_epi32(*sum, values, _mm512_set1_epi8(1));
    *squares = _mm512_dpbusd_epi32(*squares, values, _mm512_xor_si512(values, _mm512_set1_epi8(-128)));
}

/* The means of 2x2 values, from 64 of one row and 64 of the one below. */
PLANAR_INLINE __m256i means_of(__m512i above, __m512i below)
{
    __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_add_epi16(_mm512_maddubs_epi16(above, ones), _mm512_maddubs_epi16(below, ones));
    return _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2));
}

PLANAR_INLINE void empty_plane(__m512i *sum, __m512i *squares, size_t plane, Measured *found)
{
    uint32_t of_sum[16];
    int32_t of_squares[16];
    int64_t sums = 0, all_squares = 0;
    memcpy(of_sum, sum, sizeof of_sum);
    memcpy(of_squares, squares, sizeof of_squares);
    for (size_t i = 0; i < 16; i++) {
        sums += of_sum[i];
        all_squares += of_squares[i];
    }
    found->sums[plane] += (uint64_t)sums;
    found->squares[plane] += (uint64_t)(all_squares + 128 * sums);
    *sum = *squares = _mm512_setzero_si512();
}

/* As add_up of measure_rows.h, for `rows` of which all but the last lie in pairs. `half` has the planes of a row one
 * behind the other. */
PLANAR static void add_up_planes(const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, Measured *found)
{
    __m512i first[3], second[3], zero = _mm512_setzero_si512();
    memcpy(first, FIRST_PLACES, sizeof first);
    memcpy(second, SECOND_PLACES, sizeof second);
    /* One by one, for what is in an array is kept in memory. */
    __m512i sum0 = zero, sum1 = zero, sum2 = zero, squares0 = zero, squares1 = zero, squares2 = zero;
    size_t columns = (width + 1) / 2, added = 0;
    for (size_t y = 0; y < rows; y += 2) {
        const uint8_t *above = pixels + 3 * width * y, *below = above + 3 * width;
        int alone = y + 1 == rows;
        for (size_t x = 0; x < width; x += AT_ONCE) {
            size_t n = width - x < AT_ONCE ? width - x : AT_ONCE;
            __m512i one[3], other[3];
            take_planes(above + 3 * x, n, first, second, one);
            add_plane(&sum0, &squares0, one[0]);
            add_plane(&sum1, &squares1, one[1]);
            add_plane(&sum2, &squares2, one[2]);
            if (alone)
                memcpy(other, one, sizeof other);
            else {
                take_planes(below + 3 * x, n, first, second, other);
                add_plane(&sum0, &squares0, other[0]);
                add_plane(&sum1, &squares1, other[1]);
                add_plane(&sum2, &squares2, other[2]);
            }
            if (half != NULL)
                for (size_t c = 0; c < 3; c++)
                    _mm256_mask_storeu_epi8(half + c * columns + x / 2, (__mmask32)bits_of((n + 1) / 2),
                                            means_of(one[c], other[c]));
        }
        if (half != NULL) {
            /* The last column of an odd number counts twice. */
            if (width % 2)
                for (size_t c = 0, last = 3 * (width - 1); c < 3; c++)
                    half[(c + 1) * columns - 1] =
                        (uint8_t)((2 * (above[last + c] + (alone ? above : below)[last + c]) + 2) / 4);
            half += 3 * columns;
        }
        added += 2 * ((width + AT_ONCE - 1) / AT_ONCE);
        if (added > MOST_ADDED - 2 * WIDEST / AT_ONCE || y + 2 >= rows) {
            empty_plane(&sum0, &squares0, 0, found);
            empty_plane(&sum1, &squares1, 1, found);
            empty_plane(&sum2, &squares2, 2, found);
            added = 0;
        }
    }
}

/* As halve of measure_rows.h. */
PLANAR static void halve_planes(uint8_t *picture, size_t height, size_t width)
{
    size_t columns = (width + 1) / 2;
    uint8_t *to = picture;
    for (size_t y = 0; y < height; y += 2)
        for (size_t c = 0; c < 3; c++, to += columns) {
            const uint8_t *above = picture + (3 * y + c) * width;
            const uint8_t *below = y + 1 < height ? above + 3 * width : above;
            unsigned last = 2u * (above[width - 1] + below[width - 1]);
            for (size_t x = 0; x < width; x += AT_ONCE) {
                size_t n = width - x < AT_ONCE ? width - x : AT_ONCE;
                __m512i one = _mm512_maskz_loadu_epi8(bits_of(n), above + x);
                __m512i other = _mm512_maskz_loadu_epi8(bits_of(n), below + x);
                _mm256_mask_storeu_epi8(to + x / 2, (__mmask32)bits_of((n + 1) / 2), means_of(one, other));
            }
            if (width % 2)
                to[columns - 1] = (uint8_t)((last + 2) / 4);
        }
}

/* As draw of measure.c, of pictures that were halved. */
PLANAR static void draw_planes(const uint8_t *picture, size_t width, const Edges *down, const Edges *across,
                               uint32_t *space, const uint8_t *order, Measured *found)
{
    size_t values = 3 * width, y = 0;
    uint32_t *above = space, *start = space + values, *strip = space + 2 * values;
    memset(above, 0, 2 * values * sizeof *above);
    double scales[2][SIDE];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < SIDE; j++)
            scales[i][j] = scale_of(down->least + i, across->length[j]);
    for (size_t i = 0; i <= SIDE; i++) {
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
        /* Before each edge: between two of them lie a few pixels. */
        uint32_t edges[3][SIDE + 1], sum[3] = {0};
        for (size_t j = 0, x = 0; j <= SIDE; j++) {
            for (; x < across->before[j]; x++)
                for (size_t c = 0; c < 3; c++)
                    sum[c] += strip[c * width + x];
            for (size_t c = 0; c < 3; c++)
                edges[c][j] = FRACTION * sum[c] + across->into[j] * strip[c * width + x];
        }
        const double *scale = scales[down->length[i - 1] != down->least];
        uint8_t cells[3][SIDE];
        for (size_t c = 0; c < 3; c++)
            for (size_t j = 0; j < SIDE; j++)
                cells[c][j] = (uint8_t)((int32_t)(edges[c][j + 1] - edges[c][j]) * scale[j] + 0.5);
        for (size_t j = 0; j < SIDE; j++)
            for (size_t k = 0; k < 3; k++)
                found->thumbnail[i - 1][j][k] = cells[order[k]][j];
    }
}

PLANAR static int draw_by_plane(uint8_t *half, size_t height, size_t width, const uint8_t *order, Measured *found)
{
    size_t rows = (height + 1) / 2, columns = (width + 1) / 2;
    unsigned halvings = 1;
    for (; rows >= LARGE && columns >= LARGE; halvings++) {
        halve_planes(half, rows, columns);
        rows = (rows + 1) / 2, columns = (columns + 1) / 2;
    }
    Edges down, across;
    find_edges(&down, height, halvings, rows);
    find_edges(&across, width, halvings, columns);
    uint32_t *space = malloc(9 * columns * sizeof *space);
    if (space != NULL)
        draw_planes(half, columns, &down, &across, space, order, found);
    free(space);
    return space == NULL;
}
